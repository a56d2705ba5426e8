"""Checkpoints that are dropped: gone with their writes, and with each part that no other one needs."""

from __future__ import annotations

import pytest

from ..checkpoints import Part
from ..errors import ConflictError
from ..records import Partition
from .checkpoints_support import (
    CheckpointingBackend,
    drop,
    get,
    has_part,
    named,
    one,
    points,
    put,
    read_writes,
    spanning,
    value,
    write,
)
from .support import LOG, Suite, numbered, read_ids

A, B, C, D = named("a"), named("b"), named("c"), named("d")


class DroppingCheckpoints(Suite):
    """`DropCheckpoints`."""

    async def test_those_named_are_gone_and_the_others_stay(self, backend: CheckpointingBackend, partition: Partition) -> None:
        places = [(branch, id) for branch in ("", "a", "a:b", "ab") for id in ("1", "10", "2")]
        await backend.commit(partition, [put(id, branch=branch) for branch, id in places])
        await backend.commit(partition, [write(id, one(), branch=branch) for branch, id in places])
        gone = (("", "2"), ("a", "1"), ("a", "10"), ("missing", "1"), ("", "3"), ("ab", "1"))
        done = await backend.commit(partition, [drop(*gone)])
        assert (done.revision, done.outcomes) == (3, (4,))
        left = sorted(set(places) - set(gone), reverse=True)
        page = await backend.list_checkpoints(partition)
        assert points(page) == left
        assert {each.writes for each in page.checkpoints} == {(one(),)}
        assert points(await backend.get_checkpoint(partition, "", "2")) == []
        assert (await get(backend, partition)).checkpoints[0].id == "10"
        assert (await backend.commit(partition, [drop(*gone), drop()])).outcomes == (0, 0)

    async def test_one_that_is_put_again_has_no_writes(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("1"), write("1", one(), one(index=-1)), put("11"), write("11", one())])
        await backend.commit(partition, [drop(("", "1"))])
        await backend.commit(partition, [put("1")])
        assert await read_writes(backend, partition, "1") == ()
        assert await read_writes(backend, partition, "11") == (one(),)
        assert (await backend.commit(partition, [write("1", one(data=b"new"))])).outcomes == (1,)
        assert await read_writes(backend, partition, "1") == (one(data=b"new"),)

    async def test_a_part_that_another_one_uses_stays(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("1", parts={A: Part(b"a"), B: Part(b"b")}), put("2", A)])
        await backend.commit(partition, [drop(("", "1"))])
        assert (await get(backend, partition)).parts == {A: Part(b"a")}
        await backend.commit(partition, [put("3", A)])
        assert value(await get(backend, partition), A) == b"a"

    async def test_parts_of_another_branch_stay(self, backend: CheckpointingBackend, partition: Partition) -> None:
        branches = ("", "a", "a:b", "ab")
        for branch in branches:
            await backend.commit(partition, [put("1", branch=branch, parts={A: Part(branch.encode()), B: Part(b"", A)})])
        await backend.commit(partition, [put("2", B, branch="a"), put("2", B, branch="ab")])
        await backend.commit(partition, [drop(("a", "1"), ("ab", "1"), ("ab", "2"), ("", "2"))])
        for branch in ("", "a", "a:b"):
            assert value(await get(backend, partition, branch=branch), A) == branch.encode()
        assert not await has_part(backend, partition, A, branch="ab")
        await backend.commit(partition, [drop(("a", "2"), ("", "1"))])
        for branch in ("", "a"):
            assert not await has_part(backend, partition, A, branch=branch)
        assert value(await get(backend, partition, branch="a:b"), A) == b"a:b"

    async def test_a_part_that_no_other_one_uses_goes(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("1", parts={A: Part(b"a"), B: Part(b"b")}), put("2", A, parent="1")])
        await backend.commit(partition, [drop(("", "1"))])
        assert not await has_part(backend, partition, B)
        await backend.commit(partition, [drop(("", "2"))])
        assert not await has_part(backend, partition, A)
        await backend.commit(partition, [put("3", parts={A: Part(b"new")})])
        assert (await get(backend, partition)).parts == {A: Part(b"new")}

    async def test_parts_that_a_needed_one_goes_on_from_stay(self, backend: CheckpointingBackend, partition: Partition) -> None:
        parts = {A: Part(b"a"), B: Part(b"b", A), C: Part(b"c", B), D: Part(b"d", A)}
        await backend.commit(partition, [put(name[0], name, parts={name: part}) for name, part in parts.items()])
        await backend.commit(partition, [drop(("", "a"), ("", "b"))])
        assert value(await get(backend, partition, "c"), C) == b"abc"
        assert value(await get(backend, partition, "d"), D) == b"ad"
        await backend.commit(partition, [drop(("", "c"))])
        for name in (B, C):
            assert not await has_part(backend, partition, name)
        assert value(await get(backend, partition, "d"), D) == b"ad"
        await backend.commit(partition, [drop(("", "d"))])
        for name in (A, D):
            assert not await has_part(backend, partition, name)

    async def test_parts_that_go_in_a_circle_go_with_the_last_that_needs_them(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, [put("1", parts={A: Part(b"a", B), B: Part(b"b", A)}), put("2", B)])
        await backend.commit(partition, [drop(("", "1"))])
        assert set((await get(backend, partition)).parts) == {A, B}
        await backend.commit(partition, [drop(("", "2"))])
        assert not await has_part(backend, partition, A)
        assert not await has_part(backend, partition, B)

    async def test_the_log_stays_as_it_is(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [*numbered(3), put("1", parts={A: spanning((-1, 3))})])
        await backend.commit(partition, [drop(("", "1"))])
        assert await read_ids(backend, partition, LOG) == ["i1", "i2", "i3"]
        assert points(await backend.list_checkpoints(partition)) == []

    async def test_a_drop_of_the_latest_shows_the_one_before(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("1"), put("2"), put("3")])
        for id in ("3", "2"):
            await backend.commit(partition, [drop(("", id))])
            assert (await get(backend, partition)).checkpoints[0].id == str(int(id) - 1)

    async def test_a_refused_drop_drops_nothing(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("1", parts={A: Part(b"a")}), write("1", one())])
        with pytest.raises(ConflictError):
            await backend.commit(partition, [drop(("", "1")), put("2", B)])
        page = await get(backend, partition)
        assert (page.checkpoints[0].writes, page.parts) == ((one(),), {A: Part(b"a")})

    async def test_many_are_dropped_at_once(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("a", parts={A: Part(b"a")})])
        parts = {n: {named("a", n): Part(b"", A)} for n in range(300)}
        await backend.commit(partition, [put(f"{n:03}", A, *parts[n], parts=parts[n]) for n in range(300)])
        await backend.commit(partition, [write(f"{n:03}", one(), one(index=1)) for n in range(300)])
        everything = [("", f"{n:03}") for n in range(300)]
        assert (await backend.commit(partition, [drop(*everything, ("", "300"))])).outcomes == (300,)
        page = await backend.list_checkpoints(partition)
        assert (points(page), page.parts) == ([("", "a")], {A: Part(b"a")})
        assert not await has_part(backend, partition, named("a", 299))
