"""What the suites share: names that nobody else has, dropped after each test, and short words for common steps."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import pytest
import pytest_asyncio

from ..backend import Backend
from ..codec import make_entry
from ..errors import ClosedError
from ..ids import new_id
from ..records import Append, Entry, Page, Partition

LOG = "items"
TOMBSTONE_MS = 60_000
"""Of the partitions that have to stay gone while a test lasts; the store forgets them after this minute."""
TIMEOUT = 15.0
"""Seconds after which what was waited for counts as missing."""


class Fresh:
    """Names of this test's own: `fresh()` is a partition that is not there yet."""

    def __init__(self) -> None:
        self.owner = f"conformance-{new_id()}"
        self.made: list[Partition] = []

    def __call__(self, name: str | None = None, *, owner: str = "") -> Partition:
        """Return a partition; `owner` is added to the test's own prefix."""
        return self.exact(self.owner + owner, f"thread-{new_id()}" if name is None else name)

    def exact(self, owner: str, name: str) -> Partition:
        """Return exactly this partition, to be dropped with the others."""
        partition = Partition(owner, name)
        self.made.append(partition)
        return partition


class Suite:
    """The base of every suite: needs a fixture `backend`, an open store that is closed after the test."""

    pytestmark = pytest.mark.asyncio

    @pytest_asyncio.fixture
    async def fresh(self, backend: Backend) -> AsyncIterator[Fresh]:
        """Names of the test's own; what it made under them is dropped."""
        fresh = Fresh()
        yield fresh
        try:
            for partition in fresh.made:
                await backend.drop(partition, tombstone_ms=0)
        except ClosedError:
            # The test closed the store, and dropped what it had made before.
            return

    @pytest.fixture
    def partition(self, fresh: Fresh) -> Partition:
        """A partition that is not there yet."""
        return fresh()


def entry(id: str, data: bytes = b'{"text":"hello"}', *, status: str | None = None) -> Entry:
    """Return a new entry."""
    return make_entry(id, data, status=status, created_ms=1_700_000_000_000)


def add(*ids: str, data: bytes = b'{"text":"hello"}', log: str = LOG) -> list[Append]:
    """Return an append for each id."""
    return [Append(log, entry(id, data)) for id in ids]


def numbered(count: int, first: int = 1) -> list[Append]:
    """Return appends with the ids i1, i2, and so on."""
    return add(*(f"i{n}" for n in range(first, first + count)))


def ids(page: Page | Iterable[Entry]) -> list[str]:
    """Return the ids of a page's entries."""
    return [each.id for each in (page.entries if isinstance(page, Page) else page)]


def positions(page: Page) -> list[int]:
    """Return the positions of a page's entries."""
    return [each.position for each in page.entries]


async def read_ids(backend: Backend, partition: Partition, log: str = LOG) -> list[str]:
    """Return the ids of the log's first thousand entries."""
    return ids(await backend.read(partition, log, limit=1000))


async def take(entries: AsyncIterator[Entry], count: int) -> list[Entry]:
    """Return the next entries of a follower, or fail after a while."""
    async with asyncio.timeout(TIMEOUT):
        return [await anext(entries) for _ in range(count)]


async def wait_until(ready: Callable[[], Awaitable[object] | object], what: str) -> None:
    """Return when `ready()` is true; fail after a while."""
    loop = asyncio.get_running_loop()
    end = loop.time() + TIMEOUT
    while True:
        answer = ready()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return
        assert loop.time() < end, f"waited {TIMEOUT} seconds in vain: {what}"
        await asyncio.sleep(0.01)


async def close(entries: AsyncIterator[Entry]) -> None:
    """Leave a follower, where it can be left."""
    leave = getattr(entries, "aclose", None)
    if leave is not None:
        await leave()
