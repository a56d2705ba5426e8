"""Dropping: nothing is left, a tombstone stands for a while, and a late write cannot bring anything back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ..backend import Backend
from ..errors import ConflictError, GoneError, InvalidError, UnknownCursorError
from ..records import PRESENT, Change, Partition, PutDocument, Replace, Snapshot
from .support import LOG, TOMBSTONE_MS, Fresh, Suite, add, entry, read_ids, take, wait_until


class Dropping(Suite):
    """`drop`."""

    async def test_a_drop_tells_whether_it_was_there(self, backend: Backend, partition: Partition) -> None:
        assert await backend.drop(partition) is False
        await backend.commit(partition, add("a"))
        assert await backend.drop(partition, tombstone_ms=TOMBSTONE_MS) is True
        assert await backend.drop(partition, tombstone_ms=TOMBSTONE_MS) is False
        assert await backend.drop(partition, tombstone_ms=0) is False
        with pytest.raises(GoneError):
            await backend.revision(partition)

    async def test_a_drop_that_expects_a_revision_leaves_another_one(self, backend: Backend, partition: Partition) -> None:
        assert await backend.drop(partition, expect=1) is False
        for id in "ab":
            await backend.commit(partition, [*add(id), PutDocument("x", b"1")], listed=True)
        for expect in (1, 3):
            with pytest.raises(ConflictError) as refused:
                await backend.drop(partition, expect=expect)
            assert refused.value.actual == 2
        assert await read_ids(backend, partition) == ["a", "b"]
        for wrong in (0, -1, True, "2"):
            with pytest.raises(InvalidError):
                await backend.drop(partition, expect=wrong)  # type: ignore[arg-type]
        assert await backend.drop(partition, tombstone_ms=TOMBSTONE_MS, expect=2) is True
        assert await backend.drop(partition, tombstone_ms=TOMBSTONE_MS, expect=1) is False
        with pytest.raises(GoneError):
            await backend.revision(partition)

    async def test_what_was_never_there_leaves_no_tombstone(self, backend: Backend, partition: Partition) -> None:
        await backend.drop(partition, tombstone_ms=TOMBSTONE_MS)
        assert await backend.revision(partition) == 0
        assert (await backend.commit(partition, add("a"))).revision == 1

    async def test_every_verb_says_gone(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [*add("a"), PutDocument("x", b"1")], once="token")
        await backend.drop(partition, tombstone_ms=TOMBSTONE_MS)
        calls: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: backend.commit(partition, add("b")),
            lambda: backend.commit(partition, []),
            lambda: backend.commit(partition, [PutDocument("x", b"1")]),
            lambda: backend.commit(partition, [Replace(LOG, entry("a"))]),
            lambda: backend.commit(partition, add("b"), expect=0),
            lambda: backend.commit(partition, add("b"), expect=1),
            lambda: backend.commit(partition, add("b"), expect=PRESENT),
            lambda: backend.commit(partition, add("b"), once="token"),
            lambda: backend.commit(partition, add("b"), listed=True),
            lambda: backend.fetch(partition),
            lambda: backend.fetch(partition, ["x"]),
            lambda: backend.fetch(partition, []),
            lambda: backend.read(partition, LOG),
            lambda: backend.read(partition, LOG, after="a"),
            lambda: backend.read(partition, LOG, after=7, newest_first=True),
            lambda: backend.read(partition, "other"),
            lambda: backend.revision(partition),
            lambda: take(backend.follow(partition, LOG), 1),
            lambda: take(backend.follow(partition, LOG, after="a"), 1),
        )
        for number, call in enumerate(calls):
            with pytest.raises(GoneError):  # noqa: PT012  # so that a failure names the call
                await call()
                pytest.fail(f"call {number} did not say gone")

    async def test_nothing_is_left_after_a_drop(self, backend: Backend, partition: Partition) -> None:
        for turn in range(2):
            changes: list[Change] = [*add("a", "b"), *add("c", log="other"), PutDocument("x", b"1")]
            done = await backend.commit(partition, changes, once="token", expect=0)
            assert (done.revision, done.outcomes, done.replayed) == (1, (1, 2, 1, 0), False), f"turn {turn}"
            await backend.commit(partition, add("d", log="third"))
            assert await backend.drop(partition, tombstone_ms=0) is True
            assert await backend.fetch(partition) == Snapshot()
            assert await backend.revision(partition) == 0
            for log in (LOG, "other", "third"):
                assert await read_ids(backend, partition, log) == []
                with pytest.raises(UnknownCursorError):
                    await backend.read(partition, log, after="a")

    async def test_a_log_does_not_come_back_with_its_name(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [*add("a"), *add("b", log="other"), PutDocument("x", b"1")])
        await backend.drop(partition, tombstone_ms=0)
        await backend.commit(partition, add("z"))
        assert await read_ids(backend, partition) == ["z"]
        assert await read_ids(backend, partition, "other") == []
        assert (await backend.fetch(partition)).documents == {}
        assert (await backend.commit(partition, add("b", log="other"))).outcomes == (1,)

    async def test_a_token_does_not_outlive_its_partition(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, add("a"), once="token")
        await backend.drop(partition, tombstone_ms=0)
        done = await backend.commit(partition, add("b"), once="token")
        assert (done.revision, done.replayed) == (1, False)
        assert await read_ids(backend, partition) == ["b"]

    async def test_a_tombstone_runs_out(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [*add("a"), PutDocument("x", b"1")], once="token")
        await backend.drop(partition, tombstone_ms=700)
        with pytest.raises(GoneError):
            await backend.revision(partition)

        async def is_free() -> bool:
            try:
                return await backend.revision(partition) == 0
            except GoneError:
                return False

        await wait_until(is_free, "a tombstone of 700 ms to run out")
        assert await backend.fetch(partition) == Snapshot()
        done = await backend.commit(partition, add("b"), once="token", expect=0)
        assert (done.revision, done.outcomes, done.replayed) == (1, (1,), False)
        assert await read_ids(backend, partition) == ["b"]

    async def test_a_late_write_cannot_bring_it_back(self, backend: Backend, fresh: Fresh) -> None:
        for _ in range(5):
            partition = fresh()
            await backend.commit(partition, add("first"))
            writers = [backend.commit(partition, add(f"a{n}")) for n in range(10)]
            answers = await asyncio.gather(
                *writers[:5], backend.drop(partition, tombstone_ms=TOMBSTONE_MS), *writers[5:], return_exceptions=True
            )
            assert answers[5] is True
            assert all(isinstance(each, GoneError) for each in answers if isinstance(each, BaseException))
            with pytest.raises(GoneError):  # so that a failure names the call
                await backend.read(partition, LOG)

    async def test_what_has_the_document_named_is_not_dropped(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("held", b"1"), PutDocument("other", b"1"), *add("a")])
        before = await backend.fetch(partition)
        with pytest.raises(ConflictError):
            await backend.drop(partition, tombstone_ms=TOMBSTONE_MS, unless="held")
        assert await backend.fetch(partition) == before
        assert await read_ids(backend, partition) == ["a"]
        await backend.commit(partition, [PutDocument("held", None)])
        assert await backend.drop(partition, tombstone_ms=TOMBSTONE_MS, unless="held") is True
        assert await backend.drop(partition, tombstone_ms=TOMBSTONE_MS, unless="held") is False
        with pytest.raises(InvalidError):
            await backend.drop(partition, unless="")

    async def test_only_its_own_partition_is_dropped(self, backend: Backend, fresh: Fresh) -> None:
        one, two, three = fresh("a"), fresh("b"), fresh("a", owner="other")
        for partition in (one, two, three):
            await backend.commit(partition, [*add("a"), PutDocument("x", b"1")])
        await backend.drop(one, tombstone_ms=TOMBSTONE_MS)
        for partition in (two, three):
            assert await read_ids(backend, partition) == ["a"]
            assert (await backend.fetch(partition)).documents == {"x": b"1"}

    @pytest.mark.parametrize("tombstone_ms", [-1, 10**18, True, 1.5])
    async def test_a_bad_tombstone_is_refused(self, backend: Backend, partition: Partition, tombstone_ms: int) -> None:
        await backend.commit(partition, add("a"))
        with pytest.raises(InvalidError):
            await backend.drop(partition, tombstone_ms=tombstone_ms)
        assert await backend.revision(partition) == 1
