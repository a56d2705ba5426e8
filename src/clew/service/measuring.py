"""The service's own metrics: its requests by address, method and status, and what a worker is at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from .. import __version__
from ..errors import MissingExtraError
from ..wrappers.observing.exposition import expose, look_often
from ..wrappers.observing.instruments import looks
from .limiting import Limits
from .seeing import Told

try:
    from prometheus_client import Gauge, Histogram
except ImportError as error:
    raise MissingExtraError("metrics", "metrics") from error

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
        return expose(accept, encodings)

    @contextlib.asynccontextmanager
    async def run(self, limits: Limits) -> AsyncIterator[None]:
        """Take what this worker does into account, for as long as the block lasts."""

        def look() -> None:
            WORKING.set(limits.working)
            STREAMING.set(limits.streaming)

        looks.append(look)
        task = asyncio.create_task(look_often(), name="clew-metrics")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            looks.remove(look)
            WORKING.set(0)
            STREAMING.set(0)
