"""What the suites of runs share: short words for starting a run, writing its events and reading them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest_asyncio

from ..backend import Backend, Running
from ..ids import new_id
from ..records import Partition
from ..runs import EventId, Retention, Run, RunEvent, new_run_id
from .support import TIMEOUT, Fresh, Suite, add, wait_until

LONG = 60_000
SHORT = 150
"""Milliseconds of a lease that is to last, and of one that is to run out."""


class RunningBackend(Backend, Running, Protocol):
    """A backend with runs."""


class RunSuite(Suite):
    """A suite that needs a partition which is there."""

    @pytest_asyncio.fixture
    async def thread(self, backend: RunningBackend, fresh: Fresh) -> Partition:
        """A partition that exists."""
        return await make_thread(backend, fresh)


async def make_thread(backend: Backend, fresh: Fresh, name: str | None = None, *, owner: str = "") -> Partition:
    """Return a partition that exists."""
    partition = fresh(name, owner=owner)
    await backend.commit(partition, add("a"))
    return partition


async def start(backend: RunningBackend, partition: Partition, run: str | None = None, **options: Any) -> Run:
    """Start a run as the suites do: with a long lease, and without the turn."""
    settings: dict[str, Any] = {"lease_ms": LONG, "takes_turn": False, "retention": Retention(), **options}
    holder = settings.pop("holder", None) or new_id()
    return await backend.start_run(partition, run or new_run_id(), holder, **settings)


def events(run: Run, first: int, count: int, *, size: int = 0) -> list[RunEvent]:
    """Return the run's events number `first` and so on, each with its number as data."""
    return [
        RunEvent(EventId(run.epoch, n), "event", b"%d-%d" % (run.epoch, n) + b"." * size) for n in range(first, first + count)
    ]


async def append(backend: RunningBackend, partition: Partition, run: Run, first: int, count: int = 1) -> None:
    """Append the run's events number `first` and so on."""
    await backend.append_events(partition, run, events(run, first, count))


def end_of(run: Run, seq: int, kind: str = "done", data: bytes = b"the end") -> RunEvent:
    """Return a terminal event."""
    return RunEvent(EventId(run.epoch, seq), kind, data)


def ids(found: Any) -> list[str]:
    """Return the ids of events."""
    return [str(event.at) for event in found]


async def read_all(backend: RunningBackend, partition: Partition, run: str, after: EventId | None = None) -> list[RunEvent]:
    """Return what the log holds."""
    found: list[RunEvent] = []
    while True:
        page = await backend.read_events(partition, run, after=found[-1].at if found else after, limit=1000)
        found += page.events
        if not page.has_more:
            return found


async def take(found: AsyncIterator[RunEvent], count: int) -> list[RunEvent]:
    """Return the next events of a follower, or fail after a while."""
    async with asyncio.timeout(TIMEOUT):
        return [await anext(found) for _ in range(count)]


async def take_all(found: AsyncIterator[RunEvent]) -> list[RunEvent]:
    """Return what a follower yields until it ends, or fail after a while."""
    async with asyncio.timeout(TIMEOUT):
        return [event async for event in found]


async def close(found: AsyncIterator[RunEvent]) -> None:
    """Leave a follower, where it can be left."""
    leave = getattr(found, "aclose", None)
    if leave is not None:
        await leave()


async def wait_stale(backend: RunningBackend, partition: Partition, run: str) -> Run:
    """Return the run once its lease has run out."""
    found: list[Run] = []

    async def is_stale() -> bool:
        found[:] = [await backend.find_run(partition, run)]
        return found[0].is_stale

    await wait_until(is_stale, "a lease to run out")
    return found[0]
