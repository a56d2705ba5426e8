"""Checkpoints that are put: read as they were, whole or not at all, and only into the life of the log that they mean."""

from __future__ import annotations

import pytest

from ..checkpointing import CheckpointPage, Trace
from ..checkpoints import Checkpoint, Part, PutCheckpoint
from ..errors import ConflictError, NotFoundError
from ..records import PRESENT, Append, Change, Partition, PutDocument
from .checkpoints_support import (
    EMPTY,
    CheckpointingBackend,
    data_of,
    get,
    has_part,
    named,
    one,
    points,
    put,
    spanning,
    value,
    write,
)
from .support import LOG, Suite, add, entry, numbered, read_ids

BYTES = bytes(range(256))
A, B = named("a"), named("b")


class PuttingCheckpoints(Suite):
    """`PutCheckpoint`."""

    async def test_an_unknown_partition_has_none(self, backend: CheckpointingBackend, partition: Partition) -> None:
        assert await backend.get_checkpoint(partition, "") == EMPTY
        assert await backend.get_checkpoint(partition, "b", "1", window=0) == EMPTY
        assert await backend.list_checkpoints(partition) == EMPTY
        assert await backend.trace_checkpoint(partition, "", None, ["a"]) == Trace()
        assert await backend.revision(partition) == 0

    async def test_a_partition_without_checkpoints_tells_when_it_was_made(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, add("i1"))
        made_ms = (await backend.fetch(partition)).created_ms
        for page in (
            await backend.get_checkpoint(partition, ""),
            await backend.get_checkpoint(partition, "b", "1"),
            await backend.list_checkpoints(partition),
        ):
            assert page == CheckpointPage(made_ms=made_ms)

    async def test_a_checkpoint_is_read_as_it_was_put(self, backend: CheckpointingBackend, partition: Partition) -> None:
        parts = {A: Part(BYTES), B: Part(b""), named("ž {}:*", "v:{*}"): Part(b"\0", B)}
        await backend.commit(partition, [put("1", branch="b", parent="0", head=BYTES, parts=parts)])
        page = await get(backend, partition, "1", branch="b")
        assert page.checkpoints == (Checkpoint("b", "1", "0", BYTES, tuple(parts)),)
        assert (page.parts, page.entries) == (parts, {})
        await backend.commit(partition, [put("2", branch="b", head=b"")])
        assert (await get(backend, partition, branch="b")).checkpoints == (Checkpoint("b", "2", None, b""),)

    async def test_it_makes_the_partition_and_tells_when(self, backend: CheckpointingBackend, partition: Partition) -> None:
        first = await backend.commit(partition, [*add("i1"), put("1"), *add("x", log="other")], expect=0)
        made_ms = (await backend.fetch(partition)).created_ms
        assert (first.revision, first.outcomes) == (1, (1, made_ms, 1))
        assert abs(made_ms - first.committed_ms) <= 1
        second = await backend.commit(partition, [put("2"), PutDocument("x", b"1"), put("3", branch="b")], expect=PRESENT)
        assert (second.revision, second.outcomes) == (2, (made_ms, 0, made_ms))
        assert (await get(backend, partition)).made_ms == made_ms
        assert (await backend.list_checkpoints(partition, bare=True)).made_ms == made_ms

    async def test_one_that_is_put_again_is_set_and_keeps_its_writes(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, [put("1", parent="0", head=b"old", parts={A: Part(b"a")}), write("1", one())])
        await backend.commit(partition, [put("1", parent="00", head=b"new", parts={B: Part(b"b")})])
        page = await get(backend, partition)
        assert page.checkpoints == (Checkpoint("", "1", "00", b"new", (B,), (one(),)),)
        assert page.parts == {B: Part(b"b")}
        await backend.commit(partition, [put("1", head=b"newest")])
        assert (await get(backend, partition)).checkpoints == (Checkpoint("", "1", None, b"newest", (), (one(),)),)

    async def test_a_part_that_is_there_stays_as_it_is(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [*numbered(2), put("1", parts={A: spanning((1, 1))})])
        await backend.commit(partition, [put("2", parts={A: Part(b"other"), B: Part(b"b")})])
        for id in "12":
            page = await get(backend, partition, id)
            assert page.parts[A] == spanning((1, 1))
            assert data_of(page) == {1: ("json", b'{"text":"hello"}')}

    async def test_a_part_is_shared_by_the_checkpoints_of_its_branch(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, [put("1", parts={A: Part(b"a")}), put("2", A, B, parts={B: Part(b"b", A)})])
        await backend.commit(partition, [put("3", B)])
        assert value(await get(backend, partition, "3"), B) == b"ab"
        assert value(await get(backend, partition, "2"), A) == b"a"
        page = await backend.list_checkpoints(partition)
        assert page.parts == {A: Part(b"a"), B: Part(b"b", A)}

    async def test_the_name_of_a_part_is_its_branchs_own(self, backend: CheckpointingBackend, partition: Partition) -> None:
        branches = ("", "a", "a:b", "ab")
        for branch in branches:
            mine = branch.encode()
            await backend.commit(partition, [put("1", branch=branch, parts={A: Part(mine), B: Part(b"!", A)})])
            await backend.commit(partition, [put("2", B, branch=branch), put("3", A, branch=branch)])
        for branch in branches:
            assert value(await get(backend, partition, "2", branch=branch), B) == branch.encode() + b"!"
            trace = await backend.trace_checkpoint(partition, branch, "2", ["a"])
            assert trace == Trace()
        for refused in (put("1", A, branch="b"), put("1", branch="b", parts={B: Part(b"", A)})):
            for before in ([], [put("4", branch="ab", parts={A: Part(b"new")})]):
                with pytest.raises(ConflictError):
                    await backend.commit(partition, [*before, refused])
        assert points(await backend.get_checkpoint(partition, "b")) == []

    async def test_what_an_earlier_change_of_the_commit_brings_is_there(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        changes: list[Change] = [put("1", parts={A: Part(b"a")}), put("2", B, A, parts={B: Part(b"b", A)}), put("3", B)]
        await backend.commit(partition, changes)
        assert value(await get(backend, partition), B) == b"ab"

    async def test_a_part_may_be_put_that_its_checkpoint_does_not_use(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, [put("1", B, parts={A: Part(b"a"), B: Part(b"b", A), named("c"): Part(b"c")})])
        page = await get(backend, partition)
        assert page.checkpoints[0].uses == (B,)
        assert page.parts == {A: Part(b"a"), B: Part(b"b", A)}

    async def test_what_it_uses_is_there_or_nothing_is_written(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("1", parts={A: Part(b"a")})])
        missing = named("a", 2)
        for refused in (put("2", A, missing, B, parts={B: Part(b"b")}), put("2", parts={B: Part(b"b", missing)})):
            with pytest.raises(ConflictError):
                await backend.commit(partition, [*add("i1"), PutDocument("x", b"1"), write("2", one()), put("3"), refused])
        assert await backend.revision(partition) == 1
        assert points(await backend.list_checkpoints(partition)) == [("", "1")]
        assert await read_ids(backend, partition) == []
        assert (await backend.fetch(partition)).documents == {}
        assert not await has_part(backend, partition, B)
        await backend.commit(partition, [put("2", A)])
        assert (await get(backend, partition, "2")).checkpoints[0].writes == ()

    async def test_a_part_of_another_partition_is_nowhere(self, backend: CheckpointingBackend, partition: Partition) -> None:
        with pytest.raises(ConflictError):
            await backend.commit(partition, [put("1", A), *add("i1")])
        assert await backend.revision(partition) == 0
        assert await read_ids(backend, partition) == []

    async def test_a_put_into_another_life_is_refused(self, backend: CheckpointingBackend, partition: Partition) -> None:
        changes: list[Change] = [*add("i1"), put("1", parts={A: spanning((-1, 1))})]
        made_ms = (await backend.commit(partition, changes)).outcomes[1]
        assert (await backend.commit(partition, [put("2", A, made_ms=made_ms)])).outcomes == (made_ms,)
        for other in (made_ms - 1, made_ms + 1, 0):
            with pytest.raises(ConflictError):
                await backend.commit(partition, [*add("i2"), write("1", one()), put("3", A, made_ms=other)])
        assert await backend.revision(partition) == 2
        assert await read_ids(backend, partition) == ["i1"]
        assert points(await backend.list_checkpoints(partition)) == [("", "2"), ("", "1")]
        assert (await get(backend, partition, "1")).checkpoints[0].writes == ()

    async def test_a_put_into_a_life_that_is_over_makes_nothing(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        with pytest.raises(ConflictError):
            await backend.commit(partition, [*add("i1"), put("1", made_ms=1_700_000_000_000)])
        assert await backend.revision(partition) == 0

    async def test_one_that_breaks_another_condition_is_refused_whole(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        changes: list[Change] = [put("1", parts={A: Part(b"a")}), write("1", one())]
        with pytest.raises(NotFoundError):
            await backend.commit(partition, changes, expect=PRESENT)
        await backend.commit(partition, add("i1"))
        for expect in (0, 2):
            with pytest.raises(ConflictError):
                await backend.commit(partition, changes, expect=expect)
        with pytest.raises(ConflictError):
            await backend.commit(partition, [*changes, PutDocument("x", b"1", b"other")])
        assert await backend.list_checkpoints(partition) == CheckpointPage(
            made_ms=(await backend.fetch(partition)).created_ms,
        )
        assert not await has_part(backend, partition, A)

    async def test_a_repeated_token_puts_nothing(self, backend: CheckpointingBackend, partition: Partition) -> None:
        changes: list[Change] = [put("1", head=b"old"), write("1", one(index=-1, data=b"old")), *add("i1")]
        first = await backend.commit(partition, changes, once="token")
        await backend.commit(partition, [put("1", head=b"new"), write("1", one(index=-1, data=b"new"))])
        again = await backend.commit(partition, changes, once="token")
        assert (again.revision, again.outcomes, again.replayed) == (1, first.outcomes, True)
        found = (await get(backend, partition)).checkpoints[0]
        assert (found.head, found.writes) == (b"new", (one(index=-1, data=b"new"),))

    async def test_one_commit_puts_several_with_one_part(self, backend: CheckpointingBackend, partition: Partition) -> None:
        part = spanning((-1, 2))
        changes: list[Change] = [put(str(n), branch=b, parts={A: part}) for n in range(3) for b in ("", "b")]
        await backend.commit(partition, [*changes, *numbered(2)])
        page = await backend.list_checkpoints(partition)
        assert points(page) == [("b", "2"), ("b", "1"), ("b", "0"), ("", "2"), ("", "1"), ("", "0")]
        assert value(page, A) == b'{"text":"hello"}' * 2

    async def test_many_parts_are_put_and_read(self, backend: CheckpointingBackend, partition: Partition) -> None:
        parts = {named(f"channel {n}"): Part(b"%d" % n) for n in range(600)}
        appends: list[Change] = [Append(LOG, entry(f"i{n}", b"%d" % n)) for n in range(600)]
        parts[A] = spanning(*((-n, 1) for n in range(600, 0, -1)))
        await backend.commit(partition, [PutCheckpoint("", "1", None, b"", tuple(parts), parts), *appends])
        page = await get(backend, partition)
        assert page.checkpoints[0].uses == tuple(parts)
        assert {name: part.data for name, part in page.parts.items() if name != A} == {
            name: part.data for name, part in parts.items() if name != A
        }
        assert value(page, A) == b"".join(b"%d" % n for n in range(599, -1, -1))
