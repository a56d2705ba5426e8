"""The service's own metrics, and `GET /metrics`: what Prometheus scrapes of a worker, or of all of them.

Each worker answers for itself. With PROMETHEUS_MULTIPROC_DIR, as prometheus_client has it, each answers for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from .. import __version__
from ..errors import MissingExtraError
from ..wrappers.observing.instruments import looks
from .limiting import Limits
from .seeing import Told

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Gauge, Histogram, multiprocess
    from prometheus_client.exposition import choose_encoder
except ImportError as error:
    raise MissingExtraError("/metrics", "metrics") from error

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
EVERY_S: Final = 5.0
"""How often a worker writes down what it holds, where another one may be asked for it."""
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, float("inf"))

REQUEST_SECONDS: Final = Histogram(
    "clew_http_request_duration_seconds",
    "How long requests took, and streams of events until their answer began.",
    ("route", "method", "status"),
    buckets=BUCKETS,
)
WORKING: Final = Gauge("clew_http_requests_in_progress", "Requests that are worked on now.", multiprocess_mode="livesum")
STREAMING: Final = Gauge("clew_http_streams", "Streams of events that are open now.", multiprocess_mode="livesum")
INFO: Final = Gauge("clew_info", "Always 1, with the version of clew.", ("version",), multiprocess_mode="livemax")


class HttpMetrics:
    """Implements Counting, for one worker."""

    def __init__(self) -> None:
        self._observe: dict[tuple[str, str, int | None], Callable[[float], None]] = {}
        INFO.labels(__version__).set(1)

    def count(self, told: Told, seconds: float) -> None:
        """See Counting.count."""
        key = told.route, told.method, told.status
        observe = self._observe.get(key)
        if observe is None:
            # At most one for each answer that an address can give.
            status = "none" if told.status is None else str(told.status)
            observe = self._observe[key] = REQUEST_SECONDS.labels(told.route, told.method, status).observe
        observe(told.begun_s if told.is_stream else seconds)

    def write(self, accept: str, encodings: str) -> tuple[bytes, dict[str, str]]:
        """See Counting.write."""
        registry = REGISTRY
        if FOLDER in os.environ:
            _look()
            _forget_dead(Path(os.environ[FOLDER]))
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        encode, kind = choose_encoder(accept)
        body = encode(registry)
        headers = {"content-type": kind, "cache-control": "no-store", "vary": "accept, accept-encoding"}
        if any(each.partition(";")[0].strip().lower() == "gzip" for each in encodings.split(",")):
            return gzip.compress(body, 1), {**headers, "content-encoding": "gzip"}
        return body, headers

    @contextlib.asynccontextmanager
    async def run(self, limits: Limits) -> AsyncIterator[None]:
        """Take what this worker does into account, for as long as the block lasts."""

        def look() -> None:
            WORKING.set(limits.working)
            STREAMING.set(limits.streaming)

        looks.append(look)
        task = asyncio.create_task(_look_often(), name="clew-metrics") if FOLDER in os.environ else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                _look()
            looks.remove(look)
            WORKING.set(0)
            STREAMING.set(0)


def _look() -> None:
    for look in list(looks):
        look()


async def _look_often() -> None:
    while True:
        _look()
        await asyncio.sleep(EVERY_S)


def _forget_dead(folder: Path) -> None:
    """Forget what workers hold that are no more: a worker that was killed said nothing of its end."""
    for pid in {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*_*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            multiprocess.mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            # It is there, and another user's.
            continue
