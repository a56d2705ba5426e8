"""Followers of a run: a `resync` wherever the chain of ids is broken, never a silent skip; one look for many readers."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

import clew
from clew.backend import Running
from clew.errors import UnknownCursorError
from clew.records import Partition
from clew.runs import EventId, Retention, RunEvent
from tests.support import wait_until

from .faulty import FaultyBackend
from .test_runs import read


def backend_of(store: clew.Store) -> Running:
    """Return the store's runs, as they are below its verbs."""
    return cast(Running, store.backend)


def ids(events: list[RunEvent]) -> list[str | None]:
    """Return the ids, None for a resync."""
    return [event.id for event in events]


async def test_a_cursor_that_was_trimmed_away_gets_a_resync(store: clew.Store, thread: clew.Thread) -> None:
    async with await store.runs.start(thread, retention=Retention(max_events=100)) as producer:
        for _ in range(20):
            await producer.extend([("event", b"x")] * 50)
    for after in (None, "1-0", "1-17"):
        found = await read(store, thread, producer.id, after)
        assert (found[0].kind, found[0].id, found[0].data) == ("resync", None, b"")
        first = found[1].at.seq
        assert ids(found[1:]) == [f"1-{n}" for n in range(first, 1002)]
    assert first > 18
    # The one before the oldest that is kept needs none.
    assert ids(await read(store, thread, producer.id, f"1-{first - 1}"))[0] == f"1-{first}"


async def test_a_cursor_from_beyond_the_log_gets_a_resync_and_what_is_kept(store: clew.Store, thread: clew.Thread) -> None:
    async with await store.runs.start(thread) as producer:
        await producer.append(b"x")
        events = store.runs.follow(thread, producer.id, after="7-7")
        first = [await anext(events) for _ in range(3)]
        assert ids(first) == [None, "1-0", "1-1"]
        waiting = asyncio.ensure_future(anext(events))
        await producer.append(b"y")
        assert (await waiting).id == "1-2"
        await events.aclose()
    for after in ("1-4", "2-0", f"{2**63 - 1}-{2**63 - 1}"):
        assert ids(await read(store, thread, producer.id, after)) == [None, "1-0", "1-1", "1-2", "1-3"]
        with pytest.raises(UnknownCursorError):
            await store.runs.events(thread, producer.id, after=after)


async def test_an_event_that_the_log_lost_is_a_resync(store: clew.Store, thread: clew.Thread) -> None:
    # As after a failover to a replica that had not got everything.
    producer = await store.runs.start(thread)
    await producer.append(b"x")
    partition = Partition(thread.owner, thread.id)
    await backend_of(store).append_events(partition, producer.run, [RunEvent(EventId(1, 5))])
    await backend_of(store).end_run(partition, producer.run, RunEvent(EventId(1, 6), "done"))
    await producer.aclose()
    assert ids(await read(store, thread, producer.id)) == ["1-0", "1-1", None, "1-5", "1-6"]
    assert ids(await read(store, thread, producer.id, "1-1")) == [None, "1-5", "1-6"]
    assert ids(await read(store, thread, producer.id, "1-4")) == ["1-5", "1-6"]


async def test_a_takeover_is_no_gap(store: clew.Store, thread: clew.Thread) -> None:
    producer = await store.runs.start(thread, lease=0.1)
    await producer.append(b"x")
    await producer.aclose()
    await asyncio.sleep(0.15)
    async with await store.runs.take_over(thread, producer.id) as second:
        await second.append(b"y")
    assert ids(await read(store, thread, producer.id)) == ["1-0", "1-1", "2-0", "2-1", "2-2"]
    assert ids(await read(store, thread, producer.id, "1-1")) == ["2-0", "2-1", "2-2"]
    # This reader never saw the last event before the takeover.
    assert ids(await read(store, thread, producer.id, "1-0")) == ["1-1", "2-0", "2-1", "2-2"]


async def test_a_log_that_is_gone_is_a_resync_and_the_end(store: clew.Store, thread: clew.Thread) -> None:
    async with await store.runs.start(thread, retention=Retention(ended_ms=50)) as producer:
        await producer.append(b"x")
        await producer.finish(b"all")

    async def is_gone() -> bool:
        return len((await store.runs.events(thread, producer.id)).events) == 1

    await wait_until(is_gone)
    for after in (None, "1-0"):
        found = await read(store, thread, producer.id, after)
        assert [(event.kind, event.data) for event in found] == [("resync", b""), ("done", b"all")]
    assert ids(await read(store, thread, producer.id, "1-1")) == ["1-2"]
    assert await read(store, thread, producer.id, "1-2") == []


async def test_many_readers_cost_one_look(unsure: clew.Store, faulty: FaultyBackend) -> None:
    thread = await unsure.threads.create("ada")
    producer = await unsure.runs.start(thread, lease=0.2)
    readers = [asyncio.create_task(read(unsure, thread, producer.id)) for _ in range(50)]
    await asyncio.sleep(0.01)
    await producer.aclose()
    ends = [(await reader)[-1].kind for reader in readers]
    assert ends == ["interrupted"] * 50
    assert faulty.count("interrupt_run") == 1


async def test_a_look_that_fails_is_made_again(unsure: clew.Store, faulty: FaultyBackend) -> None:
    thread = await unsure.threads.create("ada")
    producer = await unsure.runs.start(thread, lease=0.1)
    faulty.plan("interrupt_run", "before")
    await producer.aclose()
    reading = asyncio.create_task(read(unsure, thread, producer.id))
    assert (await reading)[-1].kind == "interrupted"
    assert faulty.count("interrupt_run") == 2


async def test_nothing_is_left_when_the_readers_have_gone(unsure: clew.Store) -> None:
    thread = await unsure.threads.create("ada")
    async with await unsure.runs.start(thread) as producer:
        before = len(asyncio.all_tasks())
        followers = [unsure.runs.follow(thread, producer.id) for _ in range(10)]
        for follower in followers:
            await anext(follower)
        assert len(asyncio.all_tasks()) == before + 1
        for follower in followers:
            await follower.aclose()
        await wait_until(lambda: len(asyncio.all_tasks()) == before)
