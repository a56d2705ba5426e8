"""Writes of tasks: the first is kept, or the last, in one order, beside a checkpoint that need not be there yet."""

from __future__ import annotations

import asyncio

from ..backend import Listing
from ..checkpoints import Write
from ..records import Partition
from .checkpoints_support import EMPTY, CheckpointingBackend, get, one, put, read_writes, write
from .support import Suite

ORDERED = (
    one("a", -1000),
    one("a", -3),
    one("a", -1),
    one("a", 0),
    one("a", 2),
    one("a", 10),
    one("a", 999_999),
    one("a:", 1),
    one("ab", 0),
    one("é", 0),
    one("z", 0, path="a"),
    one("a", 0, path="a:b"),
    one("b", 0, path="a:b"),
    one("A", 0, path="ab"),
    one("a", 0, path="\uff5e"),
    one("a", 0, path="😀"),
)
"""Writes in the order of a page."""


class WritesOfCheckpoints(Suite):
    """`PutWrites`."""

    async def test_a_repeated_write_keeps_the_first(self, backend: CheckpointingBackend, partition: Partition) -> None:
        first = (one(index=0, data=b"first"), one(index=1, data=b"first"))
        assert (await backend.commit(partition, [put("1"), write("1", *first)])).outcomes[1] == 2
        again = [one(index=0, data=b"again"), one(index=1, channel="other", data=b"again"), one(index=2, data=b"new")]
        assert (await backend.commit(partition, [write("1", *again)])).outcomes == (1,)
        assert (await backend.commit(partition, [write("1", *again)])).outcomes == (0,)
        assert await read_writes(backend, partition, "1") == (*first, again[2])

    async def test_of_writes_with_an_index_below_nought_the_last_is_kept(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        assert (await backend.commit(partition, [put("1"), write("1", one(index=-1), one(index=-2))])).outcomes[1] == 2
        again = one(index=-1, data=b"again")
        assert (await backend.commit(partition, [write("1", again, one(index=-2))])).outcomes == (1,)
        assert await read_writes(backend, partition, "1") == (one(index=-2), again)
        again = one(index=-1, channel="other", data=b"again")
        assert (await backend.commit(partition, [write("1", again, one(index=-3))])).outcomes == (2,)
        assert (await backend.commit(partition, [write("1", again)])).outcomes == (0,)
        assert await read_writes(backend, partition, "1") == (one(index=-3), one(index=-2), again)

    async def test_in_one_commit_too_the_first_is_kept_or_the_last(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        same = [one(index=index, data=data) for data in (b"1", b"2", b"3") for index in (0, -1)]
        await backend.commit(partition, [write("1", *same[:4]), put("1"), write("1", *same[4:])])
        assert await read_writes(backend, partition, "1") == (one(index=-1, data=b"3"), one(index=0, data=b"1"))

    async def test_they_are_ordered_by_path_task_and_index(self, backend: CheckpointingBackend, partition: Partition) -> None:
        for some in (ORDERED[::-2], ORDERED[::2]):
            await backend.commit(partition, [write("1", *some)])
        await backend.commit(partition, [put("1")])
        assert await read_writes(backend, partition, "1") == ORDERED

    async def test_they_may_come_before_their_checkpoint(self, backend: CheckpointingBackend, partition: Partition) -> None:
        done = await backend.commit(partition, [write("2", one())], expect=0)
        assert (done.revision, done.outcomes) == (1, (1,))
        made_ms = (await backend.fetch(partition)).created_ms
        assert made_ms > 0
        for page in (
            await backend.get_checkpoint(partition, ""),
            await backend.get_checkpoint(partition, "", "2"),
            await backend.list_checkpoints(partition),
        ):
            assert (page.checkpoints, page.made_ms) == (EMPTY.checkpoints, made_ms)
        await backend.commit(partition, [put("1")])
        assert (await get(backend, partition)).checkpoints[0].id == "1"
        await backend.commit(partition, [put("2")])
        assert await read_writes(backend, partition, "2") == (one(),)
        assert await read_writes(backend, partition, "1") == ()

    async def test_bytes_of_all_kinds_are_kept(self, backend: CheckpointingBackend, partition: Partition) -> None:
        some = tuple(one(index=n, data=data) for n, data in enumerate((b"", b"\0", bytes(range(256)), b"x" * 100_000)))
        odd = Write("~__pregel_pull, (1, '*')", "task:{}*", 0, "branch:to:ž", b"\xff\0")
        await backend.commit(partition, [put("1"), write("1", *some, odd)])
        assert await read_writes(backend, partition, "1") == (*some, odd)

    async def test_checkpoints_and_branches_keep_theirs_apart(self, backend: CheckpointingBackend, partition: Partition) -> None:
        places = [(branch, id) for branch in ("", "a", "a:b", "a|b", "ab", "b") for id in ("1", "10", "1:", "2")]
        for branch, id in places:
            mine = one(data=f"{branch}/{id}".encode())
            await backend.commit(partition, [put(id, branch=branch), write(id, mine, branch=branch)])
        for branch, id in places:
            assert await read_writes(backend, partition, id, branch=branch) == (one(data=f"{branch}/{id}".encode()),)
        page = await backend.list_checkpoints(partition, limit=100)
        assert [(each.branch, each.id) for each in page.checkpoints] == sorted(places, reverse=True)
        for each in page.checkpoints:
            assert [write.data for write in each.writes] == [f"{each.branch}/{each.id}".encode()]

    async def test_many_at_once_are_all_there(self, backend: CheckpointingBackend, partition: Partition) -> None:
        calls = [[write("1", one(f"{n:02}", index)) for index in (0, 1, -1)] for n in range(20)]
        outcomes = await asyncio.gather(*(backend.commit(partition, call) for call in calls))
        assert {done.outcomes for done in outcomes} == {(1, 1, 1)}
        await backend.commit(partition, [put("1")])
        expected = tuple(one(f"{n:02}", index) for n in range(20) for index in (-1, 0, 1))
        assert await read_writes(backend, partition, "1") == expected

    async def test_of_many_with_the_same_place_one_is_kept(self, backend: CheckpointingBackend, partition: Partition) -> None:
        calls = (backend.commit(partition, [write("1", one(data=b"%d" % n))]) for n in range(20))
        outcomes = [done.outcomes for done in await asyncio.gather(*calls)]
        await backend.commit(partition, [put("1")])
        assert sorted(outcomes) == [(0,)] * 19 + [(1,)]
        assert await read_writes(backend, partition, "1") == (one(data=b"%d" % outcomes.index((1,))),)

    async def test_writes_do_not_list_their_partition(self, backend: CheckpointingBackend, partition: Partition) -> None:
        if isinstance(backend, Listing):
            await backend.commit(partition, [write("1", one()), put("1")])
            assert list(await backend.list(partition.owner)) == []
            await backend.commit(partition, [write("1", one("other"))], listed=True)
            assert [each.name for each in await backend.list(partition.owner)] == [partition.name]
