"""Runs by their verbs: started, listed, stopped, taken over, settled; and the turn of a thread."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

import clew
from clew.backend import Backend
from clew.errors import (
    AlreadyExistsError,
    ClosedError,
    ConflictError,
    FencedError,
    GoneError,
    InvalidError,
    NotFoundError,
    UnsupportedError,
)
from clew.runs import Retention, RunEvent

BRIEF = 0.15
"""Seconds of a lease that is to run out."""


async def read(store: clew.Store, thread: clew.ThreadKey, run: str, after: str | None = None) -> list[RunEvent]:
    """Return what a follower gets until the end."""
    async with asyncio.timeout(20):
        return [event async for event in store.runs.follow(thread, run, after=after)]


async def abandon(store: clew.Store, thread: clew.ThreadKey, *data: bytes, takes_turn: bool = True) -> clew.Producer:
    """Return a producer that died: it keeps its lease no more, and the lease has run out."""
    producer = await store.runs.start(thread, lease=BRIEF, takes_turn=takes_turn)
    for each in data:
        await producer.append(each)
    await producer.aclose()
    await asyncio.sleep(BRIEF * 1.5)
    return producer


async def test_a_run_is_there_before_its_work_begins(store: clew.Store, thread: clew.Thread) -> None:
    async with await store.runs.start(thread, data=b'{"model":"m"}') as producer:
        assert producer.id.startswith("run_")
        assert len(producer.id) == 36
        found = await store.runs.get(thread, producer.id)
        assert (found.state, found.data, found.takes_turn) == ("open", b'{"model":"m"}', True)
        assert [event.id for event in (await store.runs.events(thread, producer.id)).events] == ["1-0"]
    assert (await store.runs.get(thread, producer.id)).state == producer.run.state == "done"


async def test_the_events_and_the_end_reach_a_reader(store: clew.Store, thread: clew.Thread) -> None:
    producer = await store.runs.start(thread)
    reading = asyncio.create_task(read(store, thread, producer.id))
    assert str(await producer.append(b"one")) == "1-1"
    assert str(await producer.extend([("a", b"two"), ("b", b"three")])) == "1-3"
    ended = await producer.finish(b"all")
    assert [(event.id, event.kind, event.data) for event in await reading] == [
        ("1-0", "start", b""),
        ("1-1", "event", b"one"),
        ("1-2", "a", b"two"),
        ("1-3", "b", b"three"),
        ("1-4", "done", b"all"),
    ]
    assert ended == await store.runs.get(thread, producer.id)
    assert [event.id for event in await read(store, thread, producer.id, "1-2")] == ["1-3", "1-4"]
    assert await read(store, thread, producer.id, "1-4") == []


async def test_a_body_that_raises_is_an_error_and_tells_only_its_kind(store: clew.Store, thread: clew.Thread) -> None:
    with pytest.raises(ValueError, match="secret"):
        async with await store.runs.start(thread) as producer:
            raise ValueError("secret")
    end = (await store.runs.get(thread, producer.id)).end
    assert end is not None
    assert (end.kind, end.json()) == ("error", {"error": "ValueError"})


async def test_a_body_that_is_cancelled_is_interrupted(store: clew.Store, thread: clew.Thread) -> None:
    begun = asyncio.Event()
    ids = []

    async def work() -> None:
        async with await store.runs.start(thread) as producer:
            ids.append(producer.id)
            await producer.append(b"one")
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await store.runs.get(thread, ids[0])).state == "interrupted"
    assert (await read(store, thread, ids[0]))[-1].id == "1-2"


@pytest.mark.parametrize("verb", ["finish", "fail", "cancelled", "interrupted"])
async def test_an_end_that_the_body_wrote_stays(store: clew.Store, thread: clew.Thread, verb: str) -> None:
    async with await store.runs.start(thread) as producer:
        ended = await getattr(producer, verb)(b"so")
        for again in (producer.append(b"late"), producer.finish(), producer.fail()):
            with pytest.raises(FencedError):
                await again
    assert await store.runs.get(thread, producer.id) == ended
    assert ended.end is not None
    assert ended.end.data == b"so"


async def test_an_id_that_is_given_is_used_once(store: clew.Store, thread: clew.Thread) -> None:
    async with await store.runs.start(thread, id="run_mine") as producer:
        assert producer.id == "run_mine"
    with pytest.raises(AlreadyExistsError):
        await store.runs.start(thread, id="run_mine")


# -- the turn ---------------------------------------------------------------------------------------------------------


async def test_a_second_run_waits_for_its_turn_where_told_to(store: clew.Store, thread: clew.Thread) -> None:
    first = await store.runs.start(thread)
    with pytest.raises(ConflictError) as caught:
        await store.runs.start(thread)
    assert caught.value.actual == first.id
    with pytest.raises(ConflictError):
        await store.runs.start(thread, wait=0.05)
    async with await store.runs.start(thread, takes_turn=False):
        pass
    waiting = asyncio.create_task(store.runs.start(thread, wait=20))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    await first.finish()
    async with await waiting as second:
        assert second.id != first.id


async def test_a_dead_run_gives_its_turn_away(store: clew.Store, thread: clew.Thread) -> None:
    dead = await abandon(store, thread)
    async with await store.runs.start(thread):
        assert (await store.runs.get(thread, dead.id)).state == "interrupted"


# -- stop, takeover, settling -------------------------------------------------------------------------------------------


async def test_a_request_to_stop_reaches_the_producer_at_once(store: clew.Store, thread: clew.Thread) -> None:
    # The renewal comes after twenty seconds: it is the message that is heard.
    async with await store.runs.start(thread, lease=60) as producer:
        assert producer.stop_reason is None
        asked = await store.runs.cancel(thread, producer.id)
        assert asked.is_open
        async with asyncio.timeout(5):
            assert await producer.wait_stop() == "cancelled"
        await producer.append(b"the last words")
        await producer.cancelled()
    assert [event.kind for event in await read(store, thread, producer.id)] == ["start", "event", "cancelled"]
    assert (await store.runs.cancel(thread, producer.id)).state == "cancelled"


async def test_a_request_to_stop_a_dead_run_marks_it(store: clew.Store, thread: clew.Thread) -> None:
    dead = await abandon(store, thread)
    assert (await store.runs.cancel(thread, dead.id)).state == "interrupted"


async def test_a_successor_goes_on_and_the_older_is_told_to_stop(store: clew.Store, thread: clew.Thread) -> None:
    older = await abandon(store, thread, b"one")
    async with await store.runs.take_over(thread, older.id) as successor:
        await successor.append(b"two")
        with pytest.raises(FencedError):
            await older.append(b"a zombie")
        assert older.stop_reason == "fenced"
        with pytest.raises(FencedError):
            await older.finish()
    found = await read(store, thread, older.id)
    assert [(event.id, event.kind) for event in found] == [
        ("1-0", "start"),
        ("1-1", "event"),
        ("2-0", "takeover"),
        ("2-1", "event"),
        ("2-2", "done"),
    ]


async def test_a_run_that_lives_or_has_ended_is_not_taken_over(store: clew.Store, thread: clew.Thread) -> None:
    producer = await store.runs.start(thread)
    for _ in range(2):
        with pytest.raises(ConflictError):
            await store.runs.take_over(thread, producer.id)
        assert (await store.runs.interrupt(thread, producer.id)).is_open
    await producer.finish()
    with pytest.raises(ConflictError) as caught:
        await store.runs.take_over(thread, producer.id)
    assert caught.value.actual == "done"


@pytest.mark.parametrize("verb", ["get", "list", "active", "follow", "interrupt"])
async def test_whoever_meets_a_dead_run_marks_it(store: clew.Store, thread: clew.Thread, verb: str) -> None:
    dead = await abandon(store, thread, b"one")
    if verb == "get":
        assert (await store.runs.get(thread, dead.id)).state == "interrupted"
    elif verb == "list":
        assert [run.state for run in await store.runs.list(thread)] == ["interrupted"]
    elif verb == "active":
        assert await store.runs.active(thread) is None
    elif verb == "interrupt":
        assert (await store.runs.interrupt(thread, dead.id)).state == "interrupted"
    found = await read(store, thread, dead.id)
    assert [(event.id, event.kind) for event in found] == [("1-0", "start"), ("1-1", "event"), ("2-0", "interrupted")]


async def test_a_reader_is_told_when_the_producer_dies_meanwhile(store: clew.Store, thread: clew.Thread) -> None:
    producer = await store.runs.start(thread, lease=1)
    readers = [asyncio.create_task(read(store, thread, producer.id)) for _ in range(5)]
    await producer.append(b"one")
    await asyncio.sleep(1.6)
    # Its lease was renewed all along.
    assert not any(reader.done() for reader in readers)
    await producer.aclose()
    for reader in readers:
        assert [event.kind for event in await reader] == ["start", "event", "interrupted"]


# -- lists ------------------------------------------------------------------------------------------------------------


async def test_runs_are_listed_in_pages_the_newest_first(store: clew.Store, thread: clew.Thread) -> None:
    ids = []
    for _ in range(5):
        async with await store.runs.start(thread) as producer:
            ids.append(producer.id)
    async with await store.runs.start(thread) as last:
        assert (await store.runs.active(thread) or last).id == last.id
        open_ones = await store.runs.list(thread, only_open=True)
        assert [run.id for run in open_ones] == [last.id]
        page = await store.runs.list(thread, limit=4)
        assert ([run.id for run in page], page.has_more) == ([last.id, *ids[:1:-1]], True)
        rest = await store.runs.list(thread, limit=4, cursor=page.cursor)
        assert ([run.id for run in rest], rest.has_more) == (ids[1::-1], False)
    assert await store.runs.active(thread) is None
    for bad in ("", "x", "-1", "1.5", "²"):
        with pytest.raises(InvalidError):
            await store.runs.list(thread, cursor=bad)


# -- what is not there, and what is wrong ----------------------------------------------------------------------------------


async def test_a_thread_that_is_deleted_takes_its_runs_with_it(store: clew.Store, thread: clew.Thread) -> None:
    producer = await store.runs.start(thread)
    reading = asyncio.create_task(read(store, thread, producer.id))
    await producer.append(b"one")
    await store.threads.delete(thread)
    with pytest.raises(GoneError):
        await reading
    async with asyncio.timeout(10):
        assert await producer.wait_stop() == "gone"
    with pytest.raises(GoneError):
        await producer.append(b"two")
    await producer.aclose()
    for call in (
        store.runs.get(thread, producer.id),
        store.runs.list(thread),
        store.runs.start(thread),
        store.runs.cancel(thread, producer.id),
        store.runs.take_over(thread, producer.id),
        read(store, thread, producer.id),
    ):
        with pytest.raises(GoneError):
            await call


async def test_one_owner_never_sees_anothers_run(store: clew.Store) -> None:
    mine = await store.threads.create("ada", id="same")
    theirs = await store.threads.create("bob", id="same")
    async with await store.runs.start(mine) as producer:
        await producer.append(b"secret")
        for call in (
            store.runs.get(theirs, producer.id),
            store.runs.cancel(theirs, producer.id),
            store.runs.interrupt(theirs, producer.id),
            store.runs.take_over(theirs, producer.id),
            store.runs.events(theirs, producer.id),
            read(store, theirs, producer.id),
        ):
            with pytest.raises(NotFoundError):
                await call
        assert len(await store.runs.list(theirs)) == 0
        assert await store.runs.active(theirs) is None
        assert producer.stop_reason is None


async def test_a_run_needs_a_thread(store: clew.Store) -> None:
    nobody = clew.Ref("ada", "nothing")
    with pytest.raises(NotFoundError):
        await store.runs.start(nobody)
    assert len(await store.runs.list(nobody)) == 0
    with pytest.raises(NotFoundError):
        await read(store, nobody, "run_a")


async def test_bad_arguments_are_refused(store: clew.Store, thread: clew.Thread) -> None:
    for options in (
        {"id": ""},
        {"id": "x" * 513},
        {"data": "text"},
        {"data": b"x" * 70_000},
        {"lease": 0.05},
        {"lease": 3601},
        {"lease": float("nan")},
        {"wait": -1},
        {"retention": Retention(max_events=5)},
        {"retention": Retention(ended_ms=0)},
    ):
        with pytest.raises(InvalidError):
            await store.runs.start(thread, **options)
    assert len(await store.runs.list(thread)) == 0
    async with await store.runs.start(thread) as producer:
        for data in ("text", None, b"x" * (1024 * 1024 + 1)):
            with pytest.raises(InvalidError):
                await producer.append(data)  # type: ignore[arg-type]
        for kind in ("done", "start", "resync", "", "two words", "a\nb"):
            with pytest.raises(InvalidError):
                await producer.append(b"x", kind=kind)
        with pytest.raises(InvalidError):
            await producer.extend([])
        # What was refused took no number.
        assert str(await producer.append(b"x")) == "1-1"
        with pytest.raises(InvalidError):
            await producer.finish(b"x" * 70_000)
        for bad in ("1", "1-", "-1-2", "1-2-3", "01-2", "a-b", "", "1-99999999999999999999", "1-\u0662"):
            with pytest.raises(InvalidError):
                await read(store, thread, producer.id, bad)
        with pytest.raises(InvalidError):
            await read(store, thread, "")
        with pytest.raises(InvalidError):
            await store.runs.events(thread, producer.id, limit=0)


async def test_a_store_that_is_closed_says_so_and_leaves_no_task(url: str) -> None:
    store = await clew.connect(url)
    thread = await store.threads.create("ada")
    producer = await store.runs.start(thread, lease=0.3)
    reading = asyncio.create_task(read(store, thread, producer.id))
    await producer.append(b"x")
    await asyncio.sleep(0.05)
    await store.aclose()
    with pytest.raises(ClosedError):
        await reading
    with pytest.raises(ClosedError):
        await producer.append(b"y")
    with pytest.raises(ClosedError):
        await producer.finish()
    await producer.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_store_without_runs_says_so() -> None:
    class Bare:
        """A backend of somebody else's, with nothing."""

    store = clew.Store(cast(Backend, Bare()))
    for call in (
        store.runs.start(clew.Ref("ada", "t")),
        store.runs.get(clew.Ref("ada", "t"), "run"),
        store.runs.list(clew.Ref("ada", "t")),
        read(store, clew.Ref("ada", "t"), "run"),
    ):
        with pytest.raises(UnsupportedError):
            await call
