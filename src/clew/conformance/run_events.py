"""The events of runs: appended once, read in order, followed without a gap, kept for a while."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from ..errors import ConflictError, FencedError, GoneError, InvalidError, NotFoundError, UnknownCursorError
from ..records import Partition
from ..runs import EventId, Retention, RunEvent
from .run_support import (
    LONG,
    SHORT,
    RunningBackend,
    RunSuite,
    append,
    close,
    end_of,
    events,
    ids,
    make_thread,
    read_all,
    start,
    take,
    take_all,
    wait_stale,
)
from .support import TIMEOUT, TOMBSTONE_MS, Fresh, wait_until

BRIEF = Retention(open_ms=800, ended_ms=SHORT, record_ms=LONG)
"""Whose log goes soon, and whose record stays."""


class RunEvents(RunSuite):
    """`append_events`, `read_events`, `follow_events`."""

    async def test_events_are_kept_byte_for_byte_in_order(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        data = [b"", b"\0", b"\xff\xfe", b"a b\r\nc", "ž😀".encode(), b"x" * 100_000, b'{"a":1}', b"1-5 event", bytes(range(256))]
        kinds = ["event", "thread.item.updated", "a:b", "a/b", "x" * 64, "A", "0", "_", "-"]
        made = [RunEvent(EventId(1, n), kind, each) for n, (kind, each) in enumerate(zip(kinds, data, strict=True), 1)]
        for event in made[:4]:
            await backend.append_events(thread, run, [event])
        await backend.append_events(thread, run, made[4:])
        assert (await read_all(backend, thread, run.id))[1:] == made
        assert (await take(backend.follow_events(thread, run.id), 10))[1:] == made

    async def test_a_repeated_append_writes_nothing(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        for _ in range(3):
            await append(backend, thread, run, 1)
            await append(backend, thread, run, 1)
        for _ in range(3):
            await append(backend, thread, run, 2, 5)
        await append(backend, thread, run, 1)
        assert ids(await read_all(backend, thread, run.id)) == [f"1-{n}" for n in range(7)]

    async def test_another_event_in_the_place_of_one_is_refused(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        await append(backend, thread, run, 1, 3)
        before = await read_all(backend, thread, run.id)
        for seq in (1, 2, 3):
            for event in (RunEvent(EventId(1, seq), "event", b"another"), RunEvent(EventId(1, seq), "x", b"1-%d" % seq)):
                with pytest.raises(FencedError):
                    await backend.append_events(thread, run, [event])
        with pytest.raises(FencedError):
            await backend.append_events(thread, run, [*events(run, 3, 1), RunEvent(EventId(1, 4), "event", b"new")])
        with pytest.raises(FencedError):
            await backend.end_run(thread, run, end_of(run, 3))
        assert await read_all(backend, thread, run.id) == before

    async def test_events_that_are_none_are_refused(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        wrong = [
            [],
            [RunEvent(EventId(1, 0), "event")],
            [RunEvent(EventId(2, 1), "event")],
            [RunEvent(EventId(1, -1), "event")],
            [RunEvent(EventId(1, 1 << 63), "event")],
            [RunEvent(EventId(1, 1), "event", b"", EventId(1, 0))],
            [RunEvent(EventId(1, 1), "event"), RunEvent(EventId(1, 3), "event")],
            [RunEvent(EventId(1, 1), "event"), RunEvent(EventId(1, 1), "event")],
            [RunEvent(EventId(1, 1), "event", b"x" * (1024 * 1024 + 1))],
            [RunEvent(EventId(1, n), "event", b"x" * 1_000_000) for n in range(1, 10)],
            [RunEvent(EventId(1, n), "event") for n in range(1, 1002)],
            *([RunEvent(EventId(1, 1), kind)] for kind in ("start", "takeover", "done", "error", "cancelled", "interrupted")),
            *([RunEvent(EventId(1, 1), kind)] for kind in ("resync", "", "a b", "a\nb", "é", "x" * 65)),
        ]
        for each in wrong:
            with pytest.raises(InvalidError):
                await backend.append_events(thread, run, each)
        for end in (
            RunEvent(EventId(1, 1), "event"),
            RunEvent(EventId(2, 0), "done"),
            RunEvent(EventId(1, 0), "done"),
            RunEvent(EventId(1, 1), "done", b"x" * 65_537),
        ):
            with pytest.raises(InvalidError):
                await backend.end_run(thread, run, end)
        assert ids(await read_all(backend, thread, run.id)) == ["1-0"]

    async def test_events_are_read_in_pages(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        await append(backend, thread, run, 1, 9)
        first = await backend.read_events(thread, run.id, limit=4)
        assert (ids(first.events), first.has_more) == (["1-0", "1-1", "1-2", "1-3"], True)
        second = await backend.read_events(thread, run.id, after=EventId(1, 3), limit=6)
        assert (ids(second.events), second.has_more) == ([f"1-{n}" for n in range(4, 10)], False)
        last = await backend.read_events(thread, run.id, after=EventId(1, 9))
        assert (list(last.events), last.has_more) == ([], False)
        none = await backend.read_events(thread, run.id, after=EventId(0, 0), limit=1000)
        assert len(none.events) == 10
        for limit in (0, -1, 1001):
            with pytest.raises(InvalidError):
                await backend.read_events(thread, run.id, limit=limit)

    async def test_a_cursor_from_beyond_the_log_is_unknown(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        await append(backend, thread, run, 1, 3)
        for place in (EventId(1, 4), EventId(2, 0), EventId((1 << 63) - 1, (1 << 63) - 1), EventId(1, (1 << 63) - 1)):
            with pytest.raises(UnknownCursorError):
                await backend.read_events(thread, run.id, after=place)
            with pytest.raises(UnknownCursorError):
                await take(backend.follow_events(thread, run.id, after=place), 1)
        for bad in (EventId(-1, 0), EventId(1, -1), EventId(1 << 63, 0)):
            with pytest.raises(InvalidError):
                await backend.read_events(thread, run.id, after=bad)
        await backend.end_run(thread, run, end_of(run, 4))
        with pytest.raises(UnknownCursorError):
            await take(backend.follow_events(thread, run.id, after=EventId(1, 5)), 1)

    # -- following ----------------------------------------------------------------------------------------------------

    async def test_a_follower_gets_what_is_there_and_what_comes_and_ends(
        self, backend: RunningBackend, thread: Partition
    ) -> None:
        run = await start(backend, thread)
        await append(backend, thread, run, 1, 3)
        follower = backend.follow_events(thread, run.id)
        found = await take(follower, 4)
        for seq in range(4, 20):
            await append(backend, thread, run, seq)
            found += await take(follower, 1)
        await append(backend, thread, run, 20, 300)
        await backend.end_run(thread, run, end_of(run, 320))
        found += await take_all(follower)
        assert ids(found) == [f"1-{n}" for n in range(321)]
        assert found[-1].is_end
        assert found == await read_all(backend, thread, run.id)

    async def test_a_follower_starts_after_its_cursor(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        await append(backend, thread, run, 1, 5)
        late = backend.follow_events(thread, run.id, after=EventId(1, 3))
        waiting = backend.follow_events(thread, run.id, after=EventId(1, 5))
        waits = asyncio.create_task(take(waiting, 1))
        assert ids(await take(late, 2)) == ["1-4", "1-5"]
        await append(backend, thread, run, 6)
        assert ids(await waits) == ["1-6"]
        await backend.end_run(thread, run, end_of(run, 7))
        for follower in (late, waiting):
            assert ids(await take_all(follower))[-1] == "1-7"

    async def test_a_finished_run_is_read_to_its_end(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        await append(backend, thread, run, 1, 500)
        await backend.end_run(thread, run, end_of(run, 501))
        assert ids(await take_all(backend.follow_events(thread, run.id))) == [f"1-{n}" for n in range(502)]
        assert ids(await take_all(backend.follow_events(thread, run.id, after=EventId(1, 500)))) == ["1-501"]
        assert await take_all(backend.follow_events(thread, run.id, after=EventId(1, 501))) == []

    async def test_a_takeover_and_an_interruption_reach_a_follower(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, lease_ms=SHORT)
        follower = backend.follow_events(thread, run.id)
        found = await take(follower, 1)
        await append(backend, thread, run, 1)
        found += await take(follower, 1)
        await wait_stale(backend, thread, run.id)
        second = await backend.claim_run(thread, run.id, "bob", lease_ms=SHORT)
        await append(backend, thread, second, 1)
        found += await take(follower, 2)
        await wait_stale(backend, thread, run.id)
        await backend.interrupt_run(thread, run.id)
        found += await take_all(follower)
        assert ids(found) == ["1-0", "1-1", "2-0", "2-1", "3-0"]
        assert [event.before for event in found[1:]] == [event.at for event in found[:-1]]

    async def test_many_followers_see_the_same(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        followers = [asyncio.create_task(take_all(backend.follow_events(thread, run.id))) for _ in range(20)]
        for seq in range(1, 201, 4):
            await append(backend, thread, run, seq, 4)
        await backend.end_run(thread, run, end_of(run, 201))
        expected = [f"1-{n}" for n in range(202)]
        assert [ids(found) for found in await asyncio.gather(*followers)] == [expected] * 20

    async def test_runs_followed_together_are_told_apart(self, backend: RunningBackend, fresh: Fresh) -> None:
        threads = [await make_thread(backend, fresh) for _ in range(3)]
        runs = [(thread, await start(backend, thread)) for thread in threads for _ in range(3)]
        followers = [asyncio.create_task(take_all(backend.follow_events(thread, run.id))) for thread, run in runs]

        async def produce(number: int) -> None:
            thread, run = runs[number]
            for seq in range(1, 20 + number):
                await append(backend, thread, run, seq)
            await backend.end_run(thread, run, end_of(run, 20 + number))

        await asyncio.gather(*(produce(number) for number in range(len(runs))))
        for number, found in enumerate(await asyncio.gather(*followers)):
            assert ids(found) == [f"1-{n}" for n in range(21 + number)]

    async def test_a_slow_follower_misses_nothing(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        slow = backend.follow_events(thread, run.id)
        found = await take(slow, 1)
        for seq in range(1, 3001, 100):
            await append(backend, thread, run, seq, 100)
        await backend.end_run(thread, run, end_of(run, 3001))
        found += await take_all(slow)
        assert ids(found) == [f"1-{n}" for n in range(3002)]

    async def test_a_follower_can_leave(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        follower = backend.follow_events(thread, run.id)
        await take(follower, 1)
        waiting = asyncio.ensure_future(anext(follower))
        await append(backend, thread, run, 1)
        await waiting
        waiting = asyncio.ensure_future(anext(follower))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await close(follower)
        await append(backend, thread, run, 2)

    @pytest.mark.parametrize("tombstone_ms", [0, TOMBSTONE_MS])
    async def test_a_follower_is_told_of_a_drop(self, backend: RunningBackend, fresh: Fresh, tombstone_ms: int) -> None:
        thread = await make_thread(backend, fresh)
        run = await start(backend, thread)
        follower = backend.follow_events(thread, run.id)
        await take(follower, 1)
        waiting = asyncio.create_task(take(follower, 1))
        await asyncio.sleep(0.01)
        await backend.drop(thread, tombstone_ms=tombstone_ms)
        with pytest.raises(GoneError):
            await waiting

    # -- what is kept -------------------------------------------------------------------------------------------------

    async def test_the_newest_events_are_kept_and_older_ones_go(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, retention=Retention(max_events=100))
        for seq in range(1, 2001, 100):
            await append(backend, thread, run, seq, 100)
            found = await read_all(backend, thread, run.id)
            assert ids(found)[-100:] == [f"1-{n}" for n in range(seq, seq + 100)], "some of the newest went"
        first = found[0].at.seq
        assert ids(found) == [f"1-{n}" for n in range(first, 2001)]
        assert 100 <= len(found) <= 1000
        # A reader with an older cursor gets what is kept, and sees by `before` that something is missing.
        assert await read_all(backend, thread, run.id, EventId(1, 5)) == found
        assert (await take(backend.follow_events(thread, run.id, after=EventId(1, 5)), 1))[0].before == EventId(1, first - 1)
        # An event that was trimmed cannot be told from one that never was.
        with pytest.raises(FencedError):
            await append(backend, thread, run, 1)

    async def test_the_end_outlives_the_log(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, retention=BRIEF)
        await append(backend, thread, run, 1, 5)
        end = end_of(run, 6, "error", b"why")
        ended = await backend.end_run(thread, run, end)
        await _wait_for_the_log_to_go(backend, thread, run.id, 1)
        assert await backend.find_run(thread, run.id) == ended
        assert await take_all(backend.follow_events(thread, run.id)) == [end]
        assert await take_all(backend.follow_events(thread, run.id, after=EventId(1, 2))) == [end]
        assert await take_all(backend.follow_events(thread, run.id, after=end.at)) == []
        with pytest.raises(UnknownCursorError):
            await take_all(backend.follow_events(thread, run.id, after=EventId(1, 7)))
        # A late repetition is told the same as before.
        assert await backend.end_run(thread, run, end) == ended
        with pytest.raises(FencedError):
            await append(backend, thread, run, 6)

    async def test_a_log_that_vanished_is_not_made_again(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, lease_ms=SHORT, retention=BRIEF)
        await append(backend, thread, run, 1)
        await _wait_for_the_log_to_go(backend, thread, run.id, 0)
        with pytest.raises(NotFoundError):
            await append(backend, thread, run, 2)
        assert list((await backend.read_events(thread, run.id)).events) == []
        with pytest.raises(NotFoundError):
            await backend.claim_run(thread, run.id, "bob", lease_ms=LONG)
        # The record is ended all the same, and tells the end.
        ended = await backend.interrupt_run(thread, run.id)
        assert ended.state == "interrupted"
        assert await take_all(backend.follow_events(thread, run.id)) == [ended.end]

    async def test_the_producer_ends_a_run_whose_log_vanished(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, retention=BRIEF, takes_turn=True)
        await append(backend, thread, run, 1)
        await _wait_for_the_log_to_go(backend, thread, run.id, 0)
        end = end_of(run, 2, "error")
        assert (await backend.end_run(thread, run, end)).end == end
        assert await take_all(backend.follow_events(thread, run.id, after=EventId(1, 1))) == [end]
        assert (await start(backend, thread, takes_turn=True)).is_open

    async def test_appends_and_renewals_keep_the_log(self, backend: RunningBackend, thread: Partition) -> None:
        keep = Retention(open_ms=1000, record_ms=LONG)
        appended, renewed = [await start(backend, thread, retention=keep) for _ in range(2)]
        await append(backend, thread, renewed, 1)
        loop = asyncio.get_running_loop()
        until = loop.time() + 1.5
        seq = 1
        while loop.time() < until:
            await asyncio.sleep(0.1)
            await append(backend, thread, appended, seq)
            await backend.renew_run(thread, renewed, lease_ms=LONG)
            seq += 1
        # Each begins with the event of its start.
        assert len(await read_all(backend, thread, appended.id)) == seq
        assert len(await read_all(backend, thread, renewed.id)) == 2

    async def test_a_run_whose_time_is_over_is_not_found(self, backend: RunningBackend, thread: Partition) -> None:
        keep = Retention(open_ms=LONG, ended_ms=SHORT, record_ms=SHORT)
        run = await start(backend, thread, "run_a", retention=keep, takes_turn=True)
        await backend.end_run(thread, run, end_of(run, 1))
        await wait_until(lambda: _is_gone(backend, thread, "run_a"), "a run's time to be over")
        assert list(await backend.list_runs(thread)) == []
        with pytest.raises(NotFoundError):
            await append(backend, thread, run, 2)
        with pytest.raises(NotFoundError):
            await take_all(backend.follow_events(thread, "run_a"))
        assert (await start(backend, thread, takes_turn=True)).is_open

    async def test_an_open_run_whose_time_is_over_frees_the_turn(self, backend: RunningBackend, thread: Partition) -> None:
        keep = Retention(open_ms=SHORT, ended_ms=SHORT, record_ms=SHORT)
        run = await start(backend, thread, retention=keep, takes_turn=True, lease_ms=SHORT)
        await wait_until(lambda: _is_gone(backend, thread, run.id), "a run's time to be over")
        with contextlib.suppress(ConflictError):
            assert (await start(backend, thread, takes_turn=True)).is_open
            return
        pytest.fail("a run that is not found any more still has the turn")

    async def test_a_run_is_kept_apart_from_a_thread_that_expires(self, backend: RunningBackend, thread: Partition) -> None:
        expire = getattr(backend, "expire", None)
        if expire is None:
            pytest.skip("this backend lets nothing expire")
        run = await start(backend, thread)
        await expire(thread, SHORT, kind="sliding")

        async def has_expired() -> bool:
            return await backend.revision(thread) == 0

        await wait_until(has_expired, "a thread to expire")
        await append(backend, thread, run, 1)
        assert ids(await read_all(backend, thread, run.id)) == ["1-0", "1-1"]
        await backend.drop(thread, tombstone_ms=0)
        with pytest.raises(NotFoundError):
            await backend.find_run(thread, run.id)


async def _is_gone(backend: RunningBackend, partition: Partition, run: str) -> bool:
    try:
        await backend.find_run(partition, run)
    except NotFoundError:
        return True
    return False


async def _wait_for_the_log_to_go(backend: RunningBackend, partition: Partition, run: str, left: int) -> None:
    async def has_gone() -> bool:
        return len((await backend.read_events(partition, run)).events) == left

    async with asyncio.timeout(TIMEOUT):
        await wait_until(has_gone, "a log to go")
