"""A producer under faults: lost answers, a store that is away, callers that are cancelled. Nothing is doubled or left out."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest

import clew
from clew.errors import ConflictError, FencedError, FullError, NotFoundError, UnavailableError
from clew.records import Partition
from clew.runs import RunEvent
from clew.store.runs import repeating
from tests.support import wait_until

from .faulty import FaultyBackend
from .test_runs import read


@pytest.fixture
async def thread(unsure: clew.Store) -> clew.Thread:
    """An empty thread of the faulty store."""
    return await unsure.threads.create("ada")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second try."""
    monkeypatch.setattr(repeating.repeat, "__kwdefaults__", {"patience": 0.0})


async def data_of(store: clew.Store, thread: clew.Thread, run: str) -> list[bytes]:
    """Return the data of a finished run's own events, and see to it that no id is missing."""
    found = await read(store, thread, run)
    assert [event.at for event in found] == [(1, n) for n in range(len(found))]
    return [event.data for event in found[1:-1]]


async def test_a_lost_answer_doubles_nothing(unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread) -> None:
    faulty.plan("start_run", "after", "before", "after")
    faulty.plan("append_events", "after", "before", "", "after", "after", "before")
    faulty.plan("end_run", "after", "before", "after")
    async with await unsure.runs.start(thread) as producer:
        for n in range(4):
            await producer.append(b"%d" % n)
    assert await data_of(unsure, thread, producer.id) == [b"0", b"1", b"2", b"3"]
    assert len(await unsure.runs.list(thread)) == 1


async def test_a_lost_answer_to_a_takeover_is_one_takeover(
    unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread
) -> None:
    producer = await unsure.runs.start(thread, lease=0.1)
    await producer.aclose()
    await asyncio.sleep(0.15)
    faulty.plan("claim_run", "after", "before", "after")
    async with await unsure.runs.take_over(thread, producer.id):
        pass
    assert [event.id for event in await read(unsure, thread, producer.id)] == ["1-0", "2-0", "2-1"]


async def test_calls_that_overlap_keep_their_order_and_share_trips(
    unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread
) -> None:
    async with await unsure.runs.start(thread) as producer:
        ids = await asyncio.gather(*(producer.append(b"%d" % n) for n in range(2500)))
        assert [str(each) for each in ids] == [f"1-{n}" for n in range(1, 2501)]
    assert await data_of(unsure, thread, producer.id) == [b"%d" % n for n in range(2500)]
    # The first alone, then a thousand at a time.
    assert faulty.count("append_events") == 4


async def test_a_caller_that_is_cancelled_takes_nothing_back(
    unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread
) -> None:
    faulty.gate = asyncio.Event()
    async with await unsure.runs.start(thread) as producer:
        callers = [asyncio.create_task(producer.append(b"%d" % n)) for n in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for caller in (callers[0], callers[2], callers[4]):
            caller.cancel()
        faulty.gate.set()
        await asyncio.gather(*callers, return_exceptions=True)
        assert [caller.cancelled() for caller in callers] == [True, False, True, False, True]
        await producer.append(b"last")
    assert await data_of(unsure, thread, producer.id) == [b"0", b"1", b"2", b"3", b"4", b"last"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["before", "after"])
async def test_an_event_of_unknown_outcome_is_written_before_the_next(
    unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread, fault: str
) -> None:
    async with await unsure.runs.start(thread) as producer:
        await producer.append(b"0")
        faulty.plan("append_events", fault)
        with pytest.raises(UnavailableError):
            await producer.append(b"1")
        await producer.append(b"2")
        faulty.plan("append_events", fault)
        with pytest.raises(UnavailableError):
            await producer.append(b"3")
        # The end waits for what is still to be written, too.
    assert await data_of(unsure, thread, producer.id) == [b"0", b"1", b"2", b"3"]


@pytest.mark.usefixtures("impatient")
async def test_a_refused_event_gives_its_number_back(unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread) -> None:
    async with await unsure.runs.start(thread) as producer:
        faulty.gate = asyncio.Event()
        calls = [asyncio.create_task(producer.append(b"%d" % n)) for n in range(3)]
        await asyncio.sleep(0)
        faulty.plan("append_events", FullError("no room"))
        faulty.gate.set()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in outcomes] == [FullError] * 3
        await producer.append(b"a")
        # One that may have been written is not given up for it.
        faulty.plan("append_events", "after", FullError("no room"))
        for _ in range(2):
            with pytest.raises((UnavailableError, FullError)):
                await producer.append(b"b")
        await producer.append(b"c")
    assert await data_of(unsure, thread, producer.id) == [b"a", b"b", b"b", b"c"]


async def test_the_end_is_the_last_event_whoever_else_writes(
    unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread
) -> None:
    faulty.gate = asyncio.Event()
    producer = await unsure.runs.start(thread)
    before = [asyncio.create_task(producer.append(b"%d" % n)) for n in range(3)]
    await asyncio.sleep(0)
    ending = asyncio.create_task(producer.finish())
    await asyncio.sleep(0)
    with pytest.raises(FencedError):
        await producer.append(b"late")
    faulty.gate.set()
    await asyncio.gather(*before)
    assert (await ending).state == "done"
    assert await data_of(unsure, thread, producer.id) == [b"0", b"1", b"2"]


@pytest.mark.usefixtures("impatient")
async def test_an_end_of_unknown_outcome_can_be_repeated(unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread) -> None:
    for fault in ("before", "after"):
        producer = await unsure.runs.start(thread)
        faulty.plan("end_run", fault)
        with pytest.raises(UnavailableError):
            await producer.finish(b"all")
        assert (await producer.finish(b"all")).state == "done"


@pytest.mark.usefixtures("impatient")
async def test_an_error_of_the_body_is_told_also_where_the_end_cannot_be_written(
    unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread
) -> None:
    faulty.plan("end_run", "before")
    with pytest.raises(ValueError, match="mine"):
        async with await unsure.runs.start(thread, lease=0.1) as producer:
            raise ValueError("mine")
    # Nobody renews the lease any more: so it is settled.
    assert (await read(unsure, thread, producer.id))[-1].kind == "interrupted"


async def test_a_lease_outlives_a_store_that_is_away_for_a_while(
    unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread
) -> None:
    async with await unsure.runs.start(thread, lease=1) as producer:
        faulty.plan("renew_run", "before", "after")
        faulty.plan("await_stop", "before")
        await wait_until(lambda: faulty.count("renew_run") > 4)
        assert producer.stop_reason is None
        assert not (await unsure.runs.get(thread, producer.id)).is_stale


async def test_a_request_to_stop_is_heard_by_the_renewal_where_the_message_is_lost(
    unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread
) -> None:
    faulty.plan("await_stop", *(["before"] * 1000))
    async with await unsure.runs.start(thread, lease=0.3) as producer:
        await unsure.runs.cancel(thread, producer.id)
        async with asyncio.timeout(5):
            assert await producer.wait_stop() == "cancelled"


async def test_a_producer_whose_run_is_gone_is_told(unsure: clew.Store, thread: clew.Thread) -> None:
    producer = await unsure.runs.start(thread)
    await unsure.backend.drop(Partition(thread.owner, thread.id), tombstone_ms=0)
    with pytest.raises(NotFoundError):
        await producer.append(b"x")
    assert producer.stop_reason == "gone"
    with pytest.raises(NotFoundError):
        await producer.__aexit__(None, None, None)
    # One that fails for it is told its own error, not that there is nothing to end.
    gone = await unsure.threads.create("ada")
    other = await unsure.runs.start(gone)
    await unsure.threads.delete(gone)
    with pytest.raises(ValueError, match="mine"):
        async with other:
            raise ValueError("mine")


@pytest.mark.parametrize("seed", range(5))
async def test_any_sequence_of_faults_loses_and_doubles_nothing(
    unsure: clew.Store, faulty: FaultyBackend, thread: clew.Thread, seed: int
) -> None:
    chance = random.Random(seed)
    for verb in ("start_run", "append_events", "end_run", "claim_run"):
        faulty.plan(verb, *chance.choices(["", "before", "after"], [8, 1, 1], k=300))
    producer = await unsure.runs.start(thread, lease=0.1)
    written: list[list[bytes]] = [[]]
    partition = Partition(thread.owner, thread.id)
    # Below the store's verbs, whose readers would settle the run before its successor comes.
    readers = [asyncio.create_task(_read_below(faulty, partition, producer.id)) for _ in range(3)]
    zombies: list[clew.Producer] = []
    for turn in range(3):
        waiting = []
        for _ in range(40):
            burst = [b"%d" % chance.randrange(10**6) for _ in range(chance.randrange(1, 5))]
            written[-1] += burst
            waiting.append(asyncio.create_task(producer.extend([("event", each) for each in burst])))
            await asyncio.sleep(0)
            if chance.random() < 0.1:
                waiting[-1].cancel()
            for zombie in zombies:
                with pytest.raises(FencedError):
                    await zombie.append(b"a zombie's")
        await asyncio.gather(*waiting, return_exceptions=True)
        if turn < 2:
            zombies.append(producer)
            await producer._queue.drain()
            await producer.aclose()
            written.append([])
            producer = await _take_over(unsure, thread, producer.id)
    await producer.finish()
    found = await read(unsure, thread, producer.id)
    assert all(event.before == before.at for before, event in pairwise(found))
    by_epoch = [[event.data for event in found if event.at.epoch == n and event.kind == "event"] for n in (1, 2, 3)]
    # A caller that was cancelled before it ran has written nothing: what is there is in order, and all that was told.
    for mine, theirs in zip(written, by_epoch, strict=True):
        places = iter(mine)
        assert all(each in places for each in theirs)
    assert [await reader for reader in readers] == [found] * 3


async def _read_below(backend: FaultyBackend, partition: Partition, run: str) -> list[RunEvent]:
    return [event async for event in backend.follow_events(partition, run)]


async def _take_over(store: clew.Store, thread: clew.Thread, run: str) -> clew.Producer:
    """Take the run over as soon as its lease is over."""
    while True:
        try:
            return await store.runs.take_over(thread, run, lease=0.1)
        except ConflictError:
            await asyncio.sleep(0.005)
