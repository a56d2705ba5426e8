"""The life of checkpoints is that of their partition: they are dropped and expire with it, and none of before comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ..backend import Expiry, Leasing, Listing
from ..checkpoints import Fenced, Part, Revive
from ..errors import ConflictError, FencedError, GoneError
from ..records import PRESENT, Change, Expire, ExpiryKind, Partition, PutDocument
from .checkpoints_support import (
    EMPTY,
    CheckpointingBackend,
    ExpiringCheckpoints,
    LeasingCheckpoints,
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
from .support import LOG, TOMBSTONE_MS, Fresh, Suite, add, numbered, read_ids, wait_until

LONG = 600_000
SHORT = 250
A = named("a")
FULL: list[Change] = [*add("i1"), put("1", parts={A: spanning((-1, 1)), named("b"): Part(b"b")}), write("1", one())]
"""What makes a partition with a checkpoint, its parts, an entry and a write."""


class LifeOfCheckpoints(Suite):
    """`drop`, `Revive`, times to live and `Fenced`, where there are checkpoints."""

    async def test_a_drop_of_the_partition_takes_everything_along(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, FULL)
        assert await backend.drop(partition, tombstone_ms=0) is True
        assert await backend.get_checkpoint(partition, "") == EMPTY
        assert await backend.list_checkpoints(partition) == EMPTY
        await self._begins_anew(backend, partition)

    async def _begins_anew(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, add("i0"))
        assert points(await backend.list_checkpoints(partition)) == []
        assert not await has_part(backend, partition, A)
        assert (await backend.commit(partition, FULL)).outcomes[2] == 1
        assert value(await get(backend, partition), A) == b'{"text":"hello"}'
        assert await read_writes(backend, partition, "1") == (one(),)

    async def test_only_its_own_partition_is_dropped(self, backend: CheckpointingBackend, fresh: Fresh) -> None:
        mine, theirs = fresh("a"), fresh("a", owner="other")
        for each in (mine, theirs):
            await backend.commit(each, FULL)
        await backend.drop(mine, tombstone_ms=TOMBSTONE_MS)
        assert value(await get(backend, theirs), A) == b'{"text":"hello"}'

    async def test_every_verb_says_gone_and_a_late_write_brings_nothing_back(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        made_ms = (await backend.commit(partition, FULL)).outcomes[1]
        await backend.drop(partition, tombstone_ms=TOMBSTONE_MS)
        calls: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: backend.commit(partition, [put("2", parent="1")]),
            lambda: backend.commit(partition, [put("2", A, made_ms=made_ms)]),
            lambda: backend.commit(partition, [write("1", one("late"))]),
            lambda: backend.commit(partition, [drop(("", "1"))]),
            lambda: backend.commit(partition, [*add("i2"), put("2")], expect=PRESENT),
            lambda: backend.get_checkpoint(partition, ""),
            lambda: backend.get_checkpoint(partition, "b", "1", window=0),
            lambda: backend.list_checkpoints(partition),
            lambda: backend.list_checkpoints(partition, branch="b", bare=True),
            lambda: backend.trace_checkpoint(partition, "", None, ["a"]),
            lambda: backend.trace_checkpoint(partition, "", "1", ["a"]),
        )
        for number, call in enumerate(calls):
            with pytest.raises(GoneError):  # noqa: PT012  # so that a failure names the call
                await call()
                pytest.fail(f"call {number} did not say gone")

    @pytest.mark.parametrize("last", [False, True])
    async def test_it_begins_anew_where_its_tombstone_stands(
        self, backend: CheckpointingBackend, partition: Partition, last: bool
    ) -> None:
        first = await backend.commit(partition, [*FULL, PutDocument("x", b"1")], once="token", listed=True)
        await backend.drop(partition, tombstone_ms=TOMBSTONE_MS)
        changes: list[Change] = [*numbered(2), put("2", parts={A: spanning((-1, 2))})]
        done = await backend.commit(partition, [*changes, Revive()] if last else [Revive(), *changes], once="token", listed=True)
        made_ms = (await backend.fetch(partition)).created_ms
        assert (done.revision, done.replayed) == (1, False)
        assert done.outcomes == ((1, 2, made_ms, 1) if last else (1, 1, 2, made_ms))
        assert made_ms > first.outcomes[1]
        assert points(await backend.list_checkpoints(partition)) == [("", "2")]
        assert value(await get(backend, partition), A) == b'{"text":"hello"}' * 2
        assert (await backend.fetch(partition)).documents == {}
        assert await read_ids(backend, partition) == ["i1", "i2"]
        if isinstance(backend, Listing):
            assert [each.name for each in await backend.list(partition.owner)] == [partition.name]
        with pytest.raises(ConflictError):
            await backend.commit(partition, [put("3", A, made_ms=first.outcomes[1])])
        await backend.commit(partition, [put("3", A, made_ms=made_ms), *numbered(1, 3)])
        assert await read_ids(backend, partition) == ["i1", "i2", "i3"]
        assert await backend.drop(partition, tombstone_ms=TOMBSTONE_MS) is True
        with pytest.raises(GoneError):
            await backend.get_checkpoint(partition, "")

    async def test_a_new_life_begins_in_a_later_millisecond(self, backend: CheckpointingBackend, partition: Partition) -> None:
        lives = []
        for _ in range(30):
            lives.append((await backend.commit(partition, [Revive(), put("1")])).outcomes[1])
            await backend.drop(partition, tombstone_ms=TOMBSTONE_MS)
        assert lives == sorted(set(lives))

    async def test_what_lives_is_not_revived(self, backend: CheckpointingBackend, partition: Partition) -> None:
        done = await backend.commit(partition, [Revive(), *FULL])
        assert (done.revision, done.outcomes[0]) == (1, 0)
        done = await backend.commit(partition, [Revive(), write("1", one("other"))])
        assert (done.revision, done.outcomes) == (2, (0, 1))
        assert await read_writes(backend, partition, "1") == (one("other"), one())
        assert await read_ids(backend, partition) == ["i1"]

    async def test_a_refused_revival_leaves_the_tombstone(self, backend: CheckpointingBackend, partition: Partition) -> None:
        made_ms = (await backend.commit(partition, FULL)).outcomes[1]
        await backend.drop(partition, tombstone_ms=TOMBSTONE_MS)
        for refused in (put("2", A), put("2", made_ms=made_ms - 1)):
            with pytest.raises(ConflictError):
                await backend.commit(partition, [Revive(), *add("i2"), refused])
            with pytest.raises(GoneError):
                await backend.get_checkpoint(partition, "")
            with pytest.raises(GoneError):
                await backend.commit(partition, [put("2")])

    async def test_checkpoints_expire_with_their_partition(self, backend: ExpiringCheckpoints, fresh: Fresh) -> None:
        if not isinstance(backend, Expiry):
            pytest.skip("this backend has no Expiry")
        partitions = []
        kinds: tuple[ExpiryKind, ...] = ("fixed", "sliding")
        for kind in kinds:
            made, given, later = [fresh(f"{way} {kind}") for way in ("made", "given", "later")]
            partitions += [made, given, later]
            await backend.commit(made, [*FULL, Expire(SHORT, kind)])
            await backend.commit(given, FULL)
            await backend.expire(given, SHORT, kind=kind)
            await backend.commit(later, [*add("i1"), Expire(SHORT, kind)])
            # One by one, since such commits may go another way than those of many changes.
            await backend.commit(later, [*add("i2"), put("1", parts={A: spanning((-1, 1)), named("b"): Part(b"b")})])
            await backend.commit(later, [write("1", one())])
            await backend.commit(later, [put("2", A)])

        async def is_over() -> bool:
            return not any([await backend.revision(each) for each in partitions])

        await wait_until(is_over, "the partitions to vanish")
        for each in partitions:
            assert await backend.get_checkpoint(each, "") == EMPTY
            assert await backend.list_checkpoints(each) == EMPTY
            await self._begins_anew(backend, each)

    async def test_a_commit_keeps_all_of_it_as_long_as_the_log(self, backend: ExpiringCheckpoints, fresh: Fresh) -> None:
        if not isinstance(backend, Expiry):
            pytest.skip("this backend has no Expiry")
        ways: dict[str, Callable[[int], Change]] = {
            "items": lambda n: add(f"n{n}")[0],
            "writes": lambda n: write("9", one("t", n)),
            "a checkpoint": lambda n: put(f"0{n}", A),
        }
        partitions = {way: fresh(way) for way in ways}
        kept = fresh("kept")
        for each in (*partitions.values(), kept):
            done = await backend.commit(each, [*FULL, Expire(4 * SHORT)])
        await backend.commit(kept, [Expire(None)])
        number, end = 0, done.committed_ms + 5 * SHORT - 50
        while True:
            number += 1
            now = [await backend.commit(each, [ways[way](number)], expect=PRESENT) for way, each in partitions.items()]
            if now[0].committed_ms > end:
                break
            await asyncio.sleep(0.1)
        for each in (*partitions.values(), kept):
            page = await get(backend, each, "1")
            assert value(page, A) == b'{"text":"hello"}'
            assert page.checkpoints[0].writes == (one(),)
            assert page.parts[named("b")] == Part(b"b")

    async def test_a_fence_is_that_of_the_last_claim(self, backend: LeasingCheckpoints, partition: Partition) -> None:
        if not isinstance(backend, Leasing):
            pytest.skip("this backend has no Leasing")
        with pytest.raises(FencedError):
            await backend.commit(partition, [Fenced("lock", 1), *FULL])
        assert await backend.revision(partition) == 0
        lease = await backend.claim(partition, "lock", "ada", ttl_ms=LONG)
        assert lease is not None
        done = await backend.commit(partition, [Fenced("lock", lease.fence), *FULL])
        assert (done.revision, done.outcomes[0]) == (1, 0)
        assert (await backend.commit(partition, [*add("i2"), Fenced("lock", lease.fence)])).outcomes == (2, 0)
        for fence in (Fenced("lock", lease.fence + 1), Fenced("lock", lease.fence + 2**40), Fenced("other", lease.fence)):
            tries: list[list[Change]] = [[fence, put("2")], [write("1", one("late")), fence], [*add("late"), fence]]
            for changes in tries:
                with pytest.raises(FencedError):
                    await backend.commit(partition, changes)
        await backend.release(lease, partition)
        assert (await backend.commit(partition, [Fenced("lock", lease.fence)])).outcomes == (0,)
        taken = await backend.claim(partition, "lock", "bob", ttl_ms=LONG)
        assert taken is not None
        with pytest.raises(FencedError):
            await backend.commit(partition, [Fenced("lock", lease.fence), *add("late"), put("2"), PutDocument("x", b"1")])
        await backend.commit(partition, [Fenced("lock", taken.fence), put("3")])
        assert points(await backend.list_checkpoints(partition)) == [("", "3"), ("", "1")]
        assert await read_writes(backend, partition, "1") == (one(),)
        assert await read_ids(backend, partition, LOG) == ["i1", "i2"]
        assert await backend.revision(partition) == 4

    async def test_a_fence_of_another_partition_holds_nothing(self, backend: LeasingCheckpoints, fresh: Fresh) -> None:
        if not isinstance(backend, Leasing):
            pytest.skip("this backend has no Leasing")
        mine, theirs = fresh("a"), fresh("b")
        lease = await backend.claim(theirs, "lock", "ada", ttl_ms=LONG)
        assert lease is not None
        with pytest.raises(FencedError):
            await backend.commit(mine, [Fenced("lock", lease.fence), put("1")])

    async def test_a_zombie_does_not_revive(self, backend: LeasingCheckpoints, partition: Partition) -> None:
        if not isinstance(backend, Leasing):
            pytest.skip("this backend has no Leasing")
        lease = await backend.claim(partition, "lock", "ada", ttl_ms=LONG)
        assert lease is not None
        await backend.commit(partition, [Fenced("lock", lease.fence), *FULL])
        await backend.drop(partition, tombstone_ms=TOMBSTONE_MS)
        with pytest.raises(GoneError):
            await backend.commit(partition, [Fenced("lock", lease.fence), put("2")])
        with pytest.raises(FencedError):
            await backend.commit(partition, [Revive(), Fenced("lock", lease.fence), put("2")])
        with pytest.raises(GoneError):
            await backend.get_checkpoint(partition, "")
