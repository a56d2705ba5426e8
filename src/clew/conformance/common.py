"""What the topics share: a backend to be given, a fresh partition for each test, and short ways to write and read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from ..backend import Backend
from ..codec import make_entry
from ..errors import ClosedError, GoneError
from ..ids import new_id
from ..records import Append, Commit, Entry, Partition

LOG = "items"


def entry(id: str | None = None, data: bytes = b"{}", *, status: str | None = None) -> Entry:
    """Return an entry to append."""
    return make_entry(id or new_id(), data, status=status)


async def append(backend: Backend, partition: Partition, *ids: str, log: str = LOG) -> Commit:
    """Append entries with these ids in one commit; each one's data is its id."""
    return await backend.commit(partition, [Append(log, entry(id, id.encode())) for id in ids])


async def ids_in(backend: Backend, partition: Partition, log: str = LOG) -> list[str]:
    """Return the ids of a log, oldest first."""
    return [each.id for each in (await backend.read(partition, log, limit=1000)).entries]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    """Wait for a condition, and fail where it does not come."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - a store has no event to wait for
            await asyncio.sleep(0.01)


class Topic:
    """The base of every topic."""

    @pytest.fixture
    def backend(self) -> Backend:
        """The backend to judge."""
        raise LookupError("a conformance class needs a `backend` fixture of its own")

    @pytest.fixture
    def owner(self) -> str:
        """An owner that nobody else has."""
        return f"conform-{new_id()}"

    @pytest.fixture
    async def partition(self, backend: Backend, owner: str) -> AsyncIterator[Partition]:
        """A partition that does not exist yet, dropped at the end."""
        made = Partition(owner, f"thr_{new_id()}")
        yield made
        await forget(backend, made)


async def forget(backend: Backend, *partitions: Partition) -> None:
    """Drop what a test wrote. Where its tombstone stands, that is all that is left; what a test closed, it has emptied."""
    for each in partitions:
        with suppress(GoneError, ClosedError):
            await backend.drop(each, tombstone_ms=0)
