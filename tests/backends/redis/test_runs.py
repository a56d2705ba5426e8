"""Runs on Redis, in what the suite cannot see: large events, slow readers, echoes, keys that expire, and many runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, cast

import pytest

from clew.backends.redis import RedisBackend
from clew.backends.redis.requests import pack
from clew.backends.redis.runs_feeds import Pace
from clew.backends.redis.runs_keys import run_keys, runs_key
from clew.codec import make_entry
from clew.ids import new_id
from clew.records import Append, Partition
from clew.runs import EventId, EventPage, Retention, Run, RunEvent, new_run_id
from clew.schemes import open_backend
from tests.conftest import Pool
from tests.keyspace import list_keys
from tests.support import fresh_partition, wait_until

LARGE = b"." * 40_000
"""More than a message carries."""


@pytest.fixture(params=["redis-6.2", "redis-8.2", "cluster-3"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    return url_of(request.param)


@pytest.fixture
async def backend(url: str) -> AsyncGenerator[RedisBackend]:
    opened = cast(RedisBackend, await open_backend(url))
    yield opened
    await opened.aclose()


@pytest.fixture
async def thread(backend: RedisBackend) -> Partition:
    partition = fresh_partition()
    await backend.commit(partition, [Append("items", make_entry(new_id(), b"{}"))])
    return partition


async def _start(backend: RedisBackend, thread: Partition, retention: Retention | None = None) -> Run:
    kept = retention or Retention()
    return await backend.start_run(thread, new_run_id(), new_id(), lease_ms=60_000, takes_turn=False, retention=kept)


def _event(seq: int, data: bytes = b"data") -> RunEvent:
    return RunEvent(EventId(1, seq), "event", data)


async def _end(backend: RedisBackend, thread: Partition, run: Run, seq: int) -> None:
    await backend.end_run(thread, run, RunEvent(EventId(1, seq), "done", b"the end"))


async def _follow(backend: RedisBackend, thread: Partition, run: Run, into: list[RunEvent]) -> None:
    async for event in backend.follow_events(thread, run.id):
        into.append(event)


async def test_an_event_that_is_too_large_for_a_message_is_read_from_the_log(backend: RedisBackend, thread: Partition) -> None:
    run, seen = await _start(backend, thread), list[RunEvent]()
    reading = asyncio.create_task(_follow(backend, thread, run, seen))
    for seq in range(1, 41):
        await backend.append_events(thread, run, [_event(seq, LARGE if seq % 3 == 0 else b"small")])
    await _end(backend, thread, run, 41)
    await asyncio.wait_for(reading, 10)
    assert [event.at.seq for event in seen] == list(range(42))
    assert [len(event.data) for event in seen[1:41]] == [40_000 if seq % 3 == 0 else 5 for seq in range(1, 41)]


async def test_a_reader_that_is_far_behind_reads_the_log_and_holds_no_one_up(backend: RedisBackend, thread: Partition) -> None:
    run, seen = await _start(backend, thread), list[RunEvent]()
    async with aclosing(backend.follow_events(thread, run.id)) as slow:
        first = await anext(slow)
        quick = asyncio.create_task(_follow(backend, thread, run, seen))
        for begin in range(1, 1001, 100):
            await backend.append_events(thread, run, [_event(seq) for seq in range(begin, begin + 100)])
        await _end(backend, thread, run, 1001)
        await asyncio.wait_for(quick, 10)
        rest = [event async for event in slow]
    assert [first, *rest] == seen
    assert [event.at.seq for event in seen] == list(range(1002))


async def test_a_producer_does_not_hear_its_own_events(backend: RedisBackend, thread: Partition) -> None:
    run = await _start(backend, thread)
    stopping = asyncio.create_task(backend.await_stop(thread, run))
    hub = backend._hub(await backend._client())
    keys = run_keys(backend.options.namespace, thread, run.id)
    await wait_until(lambda: keys.stop in hub._channels and hub._channels[keys.stop].confirmed)
    assert keys.told not in hub._channels
    await backend.cancel_run(thread, run.id)
    assert (await asyncio.wait_for(stopping, 10)).cancel_ms is not None
    assert hub._channels == {}


async def test_a_message_of_somebody_else_is_no_event(backend: RedisBackend, thread: Partition) -> None:
    run, seen = await _start(backend, thread), list[RunEvent]()
    client, keys = await backend._client(), run_keys(backend.options.namespace, thread, run.id)
    reading = asyncio.create_task(_follow(backend, thread, run, seen))
    await wait_until(lambda: seen)
    for message in (b"1-1", b"nonsense", b"1-x event data", b"9-9 event data", b"1-0 event data", b" "):
        await client.call(keys.stream, pack(client.publish, keys.told, message))
    await backend.append_events(thread, run, [_event(1)])
    await _end(backend, thread, run, 2)
    await asyncio.wait_for(reading, 10)
    assert [event.at.seq for event in seen] == [0, 1, 2]


async def test_every_key_of_a_run_expires(backend: RedisBackend, thread: Partition, url: str, pool: Pool, request: Any) -> None:
    run = await _start(backend, thread)
    await backend.append_events(thread, run, [_event(1)])
    turned = await backend.start_run(thread, new_run_id(), new_id(), lease_ms=60_000, takes_turn=True, retention=Retention())
    kind = request.node.callspec.params["url"]

    def lives() -> dict[str, int]:
        found = list_keys(pool.get(kind), f"{backend.options.namespace}:*")
        return {key.partition("}:")[2].partition(":")[0]: ttl for key, ttl in found.items() if ":run" in key or ":turn" in key}

    assert set(lives()) == {"runs", "run", "turn", "events"}
    assert min(lives().values()) > 86_000_000
    await _end(backend, thread, run, 2)
    await backend.end_run(thread, turned, RunEvent(EventId(1, 1), "done"))
    assert set(lives()) == {"runs", "run", "events"}
    assert 3_500_000 < lives()["events"] <= 3_600_000 < min(lives()["run"], lives()["runs"])


async def test_runs_that_expired_leave_the_list_of_a_thread_with_many(backend: RedisBackend, thread: Partition) -> None:
    short = Retention(open_ms=1, ended_ms=1, record_ms=1)
    client = await backend._client()
    lines = runs_key(backend._keys(thread).prefix)
    long = await _start(backend, thread)
    for _ in range(70):
        await _start(backend, thread, short)

    async def count() -> int:
        return int((await client.call(lines, pack("ZCARD", lines)))[0])

    assert await count() == 71

    async def is_alone() -> bool:
        return [run.id for run in await backend.list_runs(thread, limit=50)] == [long.id]

    await wait_until(is_alone)
    assert await count() == 1
    await client.call(lines, pack("DEL", run_keys(backend.options.namespace, thread, long.id).record))
    for _ in range(70):
        await _start(backend, thread, short)
    await _start(backend, thread)
    assert await count() < 65


async def test_a_log_that_was_not_written_by_clew_is_reported(backend: RedisBackend, thread: Partition) -> None:
    from clew.errors import UnreadableError

    run = await _start(backend, thread)
    client, keys = await backend._client(), run_keys(backend.options.namespace, thread, run.id)
    await client.call(keys.stream, pack("XADD", keys.stream, "1-1", "other", "field"))
    with pytest.raises(UnreadableError):
        await backend.read_events(thread, run.id)
    with pytest.raises(UnreadableError):
        await asyncio.wait_for(_follow(backend, thread, run, []), 10)


def test_a_page_of_a_log_has_many_small_events_or_few_large_ones() -> None:
    pace = Pace()
    counts = []
    for size in (10, 10, 10, 10, 10, 200_000, 1 << 20, 1 << 20, 10):
        pace.note(EventPage([_event(n, b"." * size) for n in range(pace.count)], True))
        counts.append(pace.count)
    assert counts == [64, 128, 256, 512, 512, 20, 4, 8, 16]
