"""Checkpoints of great size, in memory and on Redis: what one statement or one call of a script cannot hold is there too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from clew.checkpointing import Trace
from clew.checkpoints import Part, PutCheckpoint, PutWrites, Span, Write
from clew.codec import make_entry
from clew.conformance.checkpoints_support import data_of
from clew.ids import new_id
from clew.limits import MAX_BRANCH_BYTES, MAX_CHANGES, MAX_DATA_BYTES, MAX_ID_BYTES
from clew.records import Append, Partition
from clew.schemes import open_backend
from clew.testing import WholeBackend

MANY = 9_000
"""More than one call of a Lua function takes."""


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


async def test_a_checkpoint_has_many_parts_and_writes(backend: WholeBackend, thread: Partition) -> None:
    parts = {f"c{n}\0v": Part(b"%d" % n) for n in range(MANY)}
    writes = tuple(Write("", f"t{n:04}", 0, "c0", b"%d" % n) for n in range(MANY))
    await backend.commit(thread, [PutCheckpoint("", "1", None, b"", tuple(parts), parts)])
    assert (await backend.commit(thread, [PutWrites("", "1", writes)])).outcomes == (MANY,)
    await backend.commit(thread, [PutCheckpoint("", "2", "1", b"", tuple(parts))])
    assert (await backend.commit(thread, [PutWrites("", "1", writes)])).outcomes == (0,)
    page = await backend.get_checkpoint(thread, "", "1")
    assert page.checkpoints[0].uses == tuple(parts)
    assert page.checkpoints[0].writes == writes
    assert page.parts == parts
    channels = [f"c{n}" for n in range(MANY)]
    trace = await backend.trace_checkpoint(thread, "", "2", channels)
    assert trace.seeds == {channel: f"{channel}\0v" for channel in channels}
    assert trace.parts == parts


async def test_a_part_refers_to_many_entries_that_are_not_neighbours(backend: WholeBackend, thread: Partition) -> None:
    changes = [Append("items", make_entry(f"i{n}", b"%d" % n, created_ms=0)) for n in range(1, 4_001)]
    spans = tuple(Span(-n, 1) for n in range(4_000, 0, -2))
    part = Part(b"", None, spans)
    await backend.commit(thread, [*changes, PutCheckpoint("", "1", None, b"", ("a\x001",), {"a\x001": part})])
    page = await backend.get_checkpoint(thread, "")
    assert page.parts["a\x001"].spans == tuple(Span(n, 1) for n in range(4_000, 0, -2))
    assert data_of(page) == {n: ("json", b"%d" % n) for n in range(2, 4_001, 2)}


async def test_a_way_back_is_longer_than_one_page(backend: WholeBackend, thread: Partition) -> None:
    ids = [f"{n:04}" for n in range(2_500)]
    await backend.commit(thread, [PutCheckpoint("b", id, f"{int(id) - 1:04}", b"") for id in ids[1:]])
    await backend.commit(thread, [PutCheckpoint("b", "0000", None, b"", ("a\x001",), {"a\x001": Part(b"seed")})])
    await backend.commit(thread, [PutWrites("b", id, (Write("", "t", 0, "a", id.encode()),)) for id in ids])
    trace = await backend.trace_checkpoint(thread, "b", None, ["a", "never"])
    assert trace.ancestors == tuple((id, (Write("", "t", 0, "a", id.encode()),)) for id in ids[-2::-1])
    assert (trace.seeds, trace.parts) == ({"a": "a\x001"}, {"a\x001": Part(b"seed")})


async def test_a_ring_of_checkpoints_longer_than_one_page_ends(backend: WholeBackend, thread: Partition) -> None:
    ids = [f"{n:04}" for n in range(2_500)]
    await backend.commit(thread, [PutCheckpoint("", id, ids[number - 1], b"") for number, id in enumerate(ids)])
    ancestors = [id for id, _ in (await backend.trace_checkpoint(thread, "", None, ["a"])).ancestors]
    assert ancestors[:2_499] == ids[-2::-1]
    assert len(ancestors) == len(set(ancestors))


async def test_as_many_checkpoints_as_a_commit_holds_are_listed_in_pages(backend: WholeBackend, thread: Partition) -> None:
    ids = [f"{n:04}" for n in range(MAX_CHANGES)]
    await backend.commit(thread, [PutCheckpoint("", id, None, id.encode()) for id in ids])
    found: list[str] = []
    after = None
    while True:
        page = await backend.list_checkpoints(thread, after=after, limit=1_000)
        found += [each.id for each in page.checkpoints]
        if not page.has_more:
            break
        after = ("", found[-1])
    assert found == ids[::-1]


async def test_the_largest_data_and_the_longest_names_are_kept(backend: WholeBackend, thread: Partition) -> None:
    large = b"\0" + b"\xff" * (MAX_DATA_BYTES - 1)
    branch, path, word = "b" * MAX_BRANCH_BYTES, "ž" * (MAX_BRANCH_BYTES // 2), "😀" * (MAX_ID_BYTES // 4)
    name = "c" * (MAX_ID_BYTES // 2) + "\0" + "v" * (MAX_ID_BYTES // 2 - 1)
    write = Write(path, word, 999_999, "x" * MAX_ID_BYTES, large)
    put = PutCheckpoint(branch, word, "p" * MAX_ID_BYTES, large, (name,), {name: Part(large)})
    await backend.commit(thread, [put, PutWrites(branch, word, (write,))])
    page = await backend.get_checkpoint(thread, branch)
    (found,) = page.checkpoints
    assert (found.branch, found.id, found.parent, found.head, found.writes) == (branch, word, "p" * MAX_ID_BYTES, large, (write,))
    assert page.parts == {name: Part(large)}
    assert await backend.trace_checkpoint(thread, branch, word, ["c" * 256]) == Trace()
