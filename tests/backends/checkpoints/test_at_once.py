"""Whoever reads a checkpoint while others write sees it whole, as it was at one moment, in memory and on Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from clew.checkpointing import CheckpointPage
from clew.checkpoints import Part, PutCheckpoint, Revive, Span
from clew.codec import make_entry
from clew.errors import GoneError
from clew.ids import new_id
from clew.records import Append, Partition
from clew.schemes import open_backend
from clew.testing import WholeBackend


@pytest.fixture(params=["memory", "redis-8.2"])
async def backend(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> AsyncIterator[WholeBackend]:
    """Each engine in turn."""
    opened = await open_backend(url_of(request.param))
    yield cast(WholeBackend, opened)
    await opened.aclose()


@pytest.fixture
async def thread(backend: WholeBackend) -> AsyncIterator[Partition]:
    """A partition, dropped after the test."""
    partition = Partition("owner", new_id())
    yield partition
    await backend.drop(partition, tombstone_ms=0)


def items(page: CheckpointPage) -> list[bytes]:
    """Return what the one part of a page refers to."""
    (part,) = page.parts.values()
    return [page.entries[first + n].data for first, count in part.spans for n in range(count)]


async def test_a_reader_sees_the_state_that_its_checkpoint_tells(backend: WholeBackend, thread: Partition) -> None:
    seen: set[int] = set()

    async def read(window: int) -> None:
        while (last := max(seen, default=0)) < 150:
            page = await backend.get_checkpoint(thread, "", window=window)
            for checkpoint in page.checkpoints:
                count = int(checkpoint.id)
                assert count >= last
                assert items(page) == [b"%d" % n for n in range(1, count + 1)]
                seen.add(count)

    async def write() -> None:
        for n in range(1, 151):
            name = f"a\0{n}"
            spans = (Span(1, n - 1), Span(-1, 1)) if n > 1 else (Span(-1, 1),)
            put = PutCheckpoint("", f"{n:03}", None, b"", (name,), {name: Part(b"", None, spans)})
            await backend.commit(thread, [Append("items", make_entry(f"i{n}", b"%d" % n, created_ms=0)), put])

    await asyncio.gather(write(), *(read(window) for window in (0, 3, 256)))
    assert len(seen) > 3


async def test_a_reader_never_mixes_two_lives_of_a_thread(backend: WholeBackend, thread: Partition) -> None:
    seen: set[bytes] = set()
    is_over = False

    async def read(window: int) -> None:
        while not is_over:
            try:
                page = await backend.get_checkpoint(thread, "", window=window)
            except GoneError:
                continue
            if page.checkpoints:
                assert items(page) == [page.checkpoints[0].head] * 5
                seen.add(page.checkpoints[0].head)

    async def write() -> None:
        nonlocal is_over
        try:
            for life in range(80):
                data = b"life %d" % life
                appends = [Append("items", make_entry(f"i{n}", data, created_ms=0)) for n in range(5)]
                put = PutCheckpoint("", "1", None, data, ("a\x001",), {"a\x001": Part(b"", None, (Span(-1, 5),))})
                made_ms = (await backend.commit(thread, [Revive(), *appends, put])).outcomes[-1]
                # Lives are told apart by the millisecond in which they begin.
                while (await backend.commit(thread, [])).committed_ms == made_ms:
                    pass
                await backend.drop(thread, tombstone_ms=60_000 if life % 2 else 0)
        finally:
            is_over = True

    await asyncio.gather(write(), *(read(window) for window in (0, 2, 256)))
    assert len(seen) > 3
