"""Runs by their records: made, found, listed, ended; and the turn of a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from ..errors import AlreadyExistsError, ConflictError, FencedError, GoneError, InvalidError, NotFoundError
from ..records import Partition
from ..runs import EventId, Retention, Run, RunEvent
from .run_support import LONG, RunningBackend, RunSuite, append, end_of, ids, make_thread, read_all, start
from .support import TOMBSTONE_MS, Fresh


class RunRecords(RunSuite):
    """`start_run`, `end_run`, `find_run`, `list_runs`."""

    async def test_a_run_is_made_with_its_first_event(self, backend: RunningBackend, thread: Partition) -> None:
        keep = Retention(open_ms=50_000, ended_ms=40_000, record_ms=30_000, max_events=200)
        run = await start(backend, thread, "run_a", holder="ada", data=b'{"model":"m"}', retention=keep)
        assert (run.id, run.state, run.epoch, run.holder, run.data) == ("run_a", "open", 1, "ada", b'{"model":"m"}')
        assert (run.ended_ms, run.cancel_ms, run.end, run.takes_turn, run.retention) == (None, None, None, False, keep)
        assert 0 < run.lease_left_ms <= LONG
        now_ms = (await backend.commit(thread, [])).committed_ms
        assert 0 <= now_ms - run.created_ms < 30_000
        first = RunEvent(EventId(1, 0), "start", b"", EventId(0, 0))
        assert await read_all(backend, thread, "run_a") == [first]
        found = await backend.find_run(thread, "run_a")
        assert found.lease_left_ms <= run.lease_left_ms
        assert _without_lease(found) == _without_lease(run)

    async def test_a_run_needs_its_partition(self, backend: RunningBackend, fresh: Fresh) -> None:
        with pytest.raises(NotFoundError):
            await start(backend, fresh())

    async def test_a_run_changes_neither_revision_nor_listing(self, backend: RunningBackend, thread: Partition) -> None:
        before = await backend.fetch(thread)
        run = await start(backend, thread)
        await append(backend, thread, run, 1, 3)
        await backend.end_run(thread, run, end_of(run, 4))
        assert await backend.fetch(thread) == before

    async def test_a_repeated_start_returns_the_run(self, backend: RunningBackend, thread: Partition) -> None:
        first = await start(backend, thread, "run_a", holder="ada", takes_turn=True)
        await append(backend, thread, first, 1)
        again = await start(backend, thread, "run_a", holder="ada", takes_turn=True)
        assert _without_lease(again) == _without_lease(first)
        assert ids(await read_all(backend, thread, "run_a")) == ["1-0", "1-1"]

    async def test_an_id_is_used_once(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, "run_a", holder="ada")
        with pytest.raises(AlreadyExistsError):
            await start(backend, thread, "run_a", holder="bob")
        await backend.end_run(thread, run, end_of(run, 1))
        with pytest.raises(AlreadyExistsError):
            await start(backend, thread, "run_a", holder="bob")

    @pytest.mark.parametrize("kind", ["done", "error", "cancelled", "interrupted"])
    async def test_a_run_ends_with_its_terminal_event(self, backend: RunningBackend, thread: Partition, kind: str) -> None:
        run = await start(backend, thread)
        await append(backend, thread, run, 1, 2)
        end = end_of(run, 3, kind, b'{"why":"so"}')
        ended = await backend.end_run(thread, run, end)
        assert (ended.state, ended.end, ended.epoch, ended.lease_left_ms) == (kind, end, 1, 0)
        assert ended.ended_ms is not None
        assert ended.ended_ms >= ended.created_ms
        assert await backend.find_run(thread, run.id) == ended
        assert (await read_all(backend, thread, run.id))[-1] == end

    async def test_a_repeated_end_returns_the_run(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        ended = await backend.end_run(thread, run, end_of(run, 1))
        assert await backend.end_run(thread, run, end_of(run, 1)) == ended
        assert ids(await read_all(backend, thread, run.id)) == ["1-0", "1-1"]

    async def test_an_end_is_never_overwritten(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        ended = await backend.end_run(thread, run, end_of(run, 1))
        for other in (end_of(run, 1, "error"), end_of(run, 1, "done", b"another"), end_of(run, 2), end_of(run, 2, "error")):
            with pytest.raises(FencedError):
                await backend.end_run(thread, run, other)
        assert await backend.find_run(thread, run.id) == ended
        assert ids(await read_all(backend, thread, run.id)) == ["1-0", "1-1"]

    async def test_nothing_comes_after_the_end(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        await append(backend, thread, run, 1)
        await backend.end_run(thread, run, end_of(run, 2))
        for seq in (1, 2, 3, 4, 1000):
            with pytest.raises(FencedError):
                await backend.append_events(thread, run, [RunEvent(EventId(1, seq), "event", b"late")])
        with pytest.raises(FencedError):
            await backend.renew_run(thread, run, lease_ms=LONG)
        with pytest.raises(ConflictError):
            await backend.claim_run(thread, run.id, "bob", lease_ms=LONG)
        assert (await backend.interrupt_run(thread, run.id)).state == "done"
        assert (await backend.cancel_run(thread, run.id)).cancel_ms is None
        assert ids(await read_all(backend, thread, run.id)) == ["1-0", "1-1", "1-2"]

    async def test_what_is_unknown_is_not_found(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        await _expect_nothing(backend, thread, _renamed(run, "another"), NotFoundError)

    # -- the list -----------------------------------------------------------------------------------------------------

    async def test_runs_are_listed_the_newest_first(self, backend: RunningBackend, thread: Partition) -> None:
        runs = [await start(backend, thread) for _ in range(5)]
        numbers = [run.number for run in runs]
        assert numbers == sorted(set(numbers))
        newest = [run.id for run in reversed(runs)]
        assert [run.id for run in await backend.list_runs(thread)] == newest
        first = await backend.list_runs(thread, limit=2)
        assert [run.id for run in first] == newest[:2]
        assert [run.id for run in await backend.list_runs(thread, limit=10, before=first[-1].number)] == newest[2:]
        assert await backend.list_runs(thread, before=runs[0].number) == []

    async def test_only_the_open_ones_are_listed_where_asked(self, backend: RunningBackend, thread: Partition) -> None:
        one, two, three = [await start(backend, thread) for _ in range(3)]
        await backend.end_run(thread, two, end_of(two, 1))
        found = await backend.list_runs(thread, only_open=True)
        assert [run.id for run in found] == [three.id, one.id]
        assert [run.id for run in await backend.list_runs(thread, only_open=True, limit=1, before=three.number)] == [one.id]

    async def test_an_unknown_partition_has_no_runs(self, backend: RunningBackend, fresh: Fresh) -> None:
        assert list(await backend.list_runs(fresh())) == []

    # -- the turn -----------------------------------------------------------------------------------------------------

    async def test_one_run_at_a_time_takes_the_turn(self, backend: RunningBackend, thread: Partition) -> None:
        first = await start(backend, thread, takes_turn=True)
        with pytest.raises(ConflictError) as caught:
            await start(backend, thread, takes_turn=True)
        assert not isinstance(caught.value, AlreadyExistsError)
        assert caught.value.actual == first.id
        beside = await start(backend, thread, takes_turn=False)
        await backend.end_run(thread, beside, end_of(beside, 1))
        with pytest.raises(ConflictError):
            await start(backend, thread, takes_turn=True)
        await backend.end_run(thread, first, end_of(first, 1))
        second = await start(backend, thread, takes_turn=True)
        with pytest.raises(ConflictError) as caught:
            await start(backend, thread, takes_turn=True)
        assert caught.value.actual == second.id

    async def test_one_of_many_takes_the_turn(self, backend: RunningBackend, thread: Partition) -> None:
        calls = (start(backend, thread, takes_turn=True) for _ in range(20))
        done = await asyncio.gather(*calls, return_exceptions=True)
        started = [each for each in done if isinstance(each, Run)]
        assert len(started) == 1
        assert {each.actual for each in done if isinstance(each, ConflictError)} == {started[0].id}

    async def test_each_partition_has_a_turn_of_its_own(self, backend: RunningBackend, fresh: Fresh) -> None:
        for owner in ("a", "b"):
            for name in ("one", "two"):
                assert (await start(backend, await make_thread(backend, fresh, name, owner=owner), takes_turn=True)).is_open

    # -- owners, and what is gone -------------------------------------------------------------------------------------

    async def test_another_owners_run_is_not_found(self, backend: RunningBackend, fresh: Fresh) -> None:
        mine = await make_thread(backend, fresh, "same", owner="mine")
        theirs = await make_thread(backend, fresh, "same", owner="theirs")
        beside = await make_thread(backend, fresh, "other", owner="mine")
        run = await start(backend, mine, "run_a")
        for partition in (theirs, beside):
            await _expect_nothing(backend, partition, run, NotFoundError)
            assert list(await backend.list_runs(partition)) == []
            # The same id is another run there.
            other = await start(backend, partition, "run_a")
            await append(backend, partition, other, 1, 5)
        assert ids(await read_all(backend, mine, "run_a")) == ["1-0"]

    async def test_runs_of_all_spellings_are_told_apart(self, backend: RunningBackend, thread: Partition) -> None:
        names = [
            "a",
            "A",
            "a:b",
            "a/b",
            "{a}",
            "}",
            "%7B",
            "é",
            "e\u0301",
            "a b",
            "a\nb",
            "a\0b",
            "*",
            "turn",
            "#",
            "😀",
            "x" * 512,
        ]
        for number, name in enumerate(names, 1):
            await append(backend, thread, await start(backend, thread, name), 1, number)
        for number, name in enumerate(names, 1):
            assert len(await read_all(backend, thread, name)) == 1 + number
        assert [run.id for run in await backend.list_runs(thread)] == names[::-1]

    async def test_a_run_goes_with_its_partition(self, backend: RunningBackend, fresh: Fresh) -> None:
        thread = await make_thread(backend, fresh)
        run = await start(backend, thread, "run_a", takes_turn=True)
        await append(backend, thread, run, 1, 5)
        await backend.drop(thread, tombstone_ms=0)
        await _expect_nothing(backend, thread, run, NotFoundError)
        await backend.commit(thread, [])
        await _expect_nothing(backend, thread, run, NotFoundError)
        assert list(await backend.list_runs(thread)) == []
        again = await start(backend, thread, "run_a", takes_turn=True)
        assert ids(await read_all(backend, thread, again.id)) == ["1-0"]

    async def test_a_run_is_gone_while_the_tombstone_stands(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        await backend.drop(thread, tombstone_ms=TOMBSTONE_MS)
        await _expect_nothing(backend, thread, run, GoneError)
        for call in (start(backend, thread), backend.list_runs(thread)):
            with pytest.raises(GoneError):
                await call

    async def test_bad_arguments_are_refused(self, backend: RunningBackend, thread: Partition) -> None:
        for name in ("", "x" * 513, "\ud800"):
            with pytest.raises(InvalidError):
                await backend.start_run(thread, name, "ada", lease_ms=LONG, takes_turn=False, retention=Retention())
            with pytest.raises(InvalidError):
                await backend.find_run(thread, name)
            with pytest.raises(InvalidError):
                await start(backend, thread, holder=name or "\ud800")
        for options in (
            {"lease_ms": 0},
            {"lease_ms": -1},
            {"data": b"x" * 65_537},
            {"data": "text"},
            {"retention": Retention(max_events=1)},
            {"retention": Retention(open_ms=0)},
            {"retention": Retention(ended_ms=-1)},
            {"retention": Retention(record_ms=10**18)},
        ):
            with pytest.raises(InvalidError):
                await start(backend, thread, **options)
        for limit in (0, -1, 1001):
            with pytest.raises(InvalidError):
                await backend.list_runs(thread, limit=limit)
        with pytest.raises(InvalidError):
            await backend.list_runs(thread, before=-1)
        assert list(await backend.list_runs(thread)) == []


def _without_lease(run: Run) -> Run:
    return _renamed(run, run.id)


def _renamed(run: Run, id: str) -> Run:
    return msgspec.structs.replace(run, id=id, lease_left_ms=0)


async def _expect_nothing(backend: RunningBackend, partition: Partition, run: Run, kind: type[NotFoundError]) -> None:
    """Expect that no verb finds this run in this partition."""
    calls: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: backend.find_run(partition, run.id),
        lambda: backend.read_events(partition, run.id),
        lambda: append(backend, partition, run, 1),
        lambda: backend.end_run(partition, run, end_of(run, 1)),
        lambda: backend.renew_run(partition, run, lease_ms=LONG),
        lambda: backend.claim_run(partition, run.id, "eve", lease_ms=LONG),
        lambda: backend.interrupt_run(partition, run.id),
        lambda: backend.cancel_run(partition, run.id),
        lambda: backend.await_stop(partition, run),
        lambda: anext(backend.follow_events(partition, run.id)),
    )
    for number, call in enumerate(calls):
        with pytest.raises(kind):  # noqa: PT012  # so that a failure names the call
            await call()
            pytest.fail(f"call {number} found it")
