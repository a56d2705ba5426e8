"""All metrics of a process as a scraper takes them; those of all processes, with prometheus_client's PROMETHEUS_MULTIPROC_DIR."""

from __future__ import annotations

import asyncio
import gzip
import os
from pathlib import Path
from typing import Final

from ...errors import MissingExtraError
from .instruments import looks

try:
    from prometheus_client import REGISTRY, CollectorRegistry, multiprocess
    from prometheus_client.exposition import choose_encoder
except ImportError as error:
    raise MissingExtraError("metrics", "metrics") from error

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
EVERY_S: Final = 5.0
"""How often a process writes down what it holds, where another one may be asked for it."""


def expose(accept: str, encodings: str) -> tuple[bytes, dict[str, str]]:
    """Return the metrics, and the headers of the answer, by a request's `Accept` and `Accept-Encoding`."""
    registry = REGISTRY
    if FOLDER in os.environ:
        look()
        _forget_dead(Path(os.environ[FOLDER]))
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    encode, kind = choose_encoder(accept)
    body = encode(registry)
    headers = {"content-type": kind, "cache-control": "no-store", "vary": "accept, accept-encoding"}
    if any(each.partition(";")[0].strip().lower() == "gzip" for each in encodings.split(",")):
        return gzip.compress(body, 1), {**headers, "content-encoding": "gzip"}
    return body, headers


def look() -> None:
    """Look at all that is only known when it is asked for."""
    for each in list(looks):
        each()


async def look_often() -> None:
    """Look again and again, where another process may be asked; else return at once. End by cancelling."""
    while FOLDER in os.environ:
        look()
        await asyncio.sleep(EVERY_S)


def _forget_dead(folder: Path) -> None:
    """Forget what processes hold that are no more: one that was killed said nothing of its end."""
    for pid in {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*_*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            multiprocess.mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            # It is there, and another user's.
            continue
