"""Appends on Redis: one item, ten items, and a hundred tasks at once, against bare RPUSHes of the same bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import redis.asyncio as redis
from redis.asyncio.connection import Connection

from clew import NewItem, Ref, ThreadKey

from ..measure import interleave, tell
from ..report import Row, judge_cost, judge_throughput
from ..topics import Plan, Topic
from .place import OWNER, PAYLOAD, Place, connection_options, make_client, make_items, open_place

CALLS: Final = 400
TASKS_AT_ONCE: Final = 100
POOLS: Final = (1, 2, 8, 32, 100)
"""Sizes of the floor's pool that are tried; the quickest one is the floor."""


async def run(plan: Plan) -> list[Row]:
    """Measure `append-1` and `append-10`."""
    rows: list[Row] = []
    async with open_place() as place:
        for name, size in (("append-1", 1), ("append-10", 10)):
            if plan.wants(name):
                rows += await _measure_calls(place, name, size, plan.rounds)
    return rows


async def _measure_calls(place: Place, name: str, size: int, rounds: int) -> list[Row]:
    thread = await place.store.threads.create(OWNER, id=name, ttl=3600)
    append, rpush = place.store.items.append, place.client.rpush
    connection = Connection(**connection_options(place.server))
    await connection.connect()  # type: ignore[no-untyped-call]
    payloads = [PAYLOAD] * size

    async def subject(count: int) -> None:
        if size == 1:
            for _ in range(count):
                await append(thread, NewItem(PAYLOAD))
        else:
            for _ in range(count):
                await append(thread, make_items(size))

    async def floor(count: int) -> None:
        for _ in range(count):
            await rpush("floor", *payloads)

    async def bare(count: int) -> None:
        for _ in range(count):
            await connection.send_command("RPUSH", "bare", *payloads)
            await connection.read_response()

    try:
        times = await interleave(name, {"subject": subject, "floor": floor, "bare": bare}, rounds=rounds, count=CALLS)
    finally:
        await connection.disconnect()
    return [
        judge_cost(name, times["subject"], times["floor"], note="floor: await client.rpush(key, bytes) of redis.asyncio.Redis"),
        judge_cost(
            f"{name}/bare-connection",
            times["subject"],
            times["bare"],
            free=True,
            note="no limit: the floor is a redis-py connection below its client, with neither pool nor time-out",
        ),
    ]


async def run_tasks(plan: Plan) -> list[Row]:
    """Measure `append-100-tasks`: all in one thread, and each in a thread of its own."""
    rows: list[Row] = []
    async with open_place() as place:
        links = await _choose_pool(place)
        async with make_client(place.server, links=links) as client:
            for part, count in (("one-thread", 1), ("100-threads", TASKS_AT_ONCE)):
                name = f"append-100-tasks/{part}"
                if not plan.wants(name):
                    continue
                threads = [Ref(OWNER, f"{part}-{n}") for n in range(count)]
                for thread in threads:
                    await place.store.threads.create(thread.owner, id=thread.id, ttl=3600)
                works = {
                    "subject": _appender(place, threads),
                    "floor": _pusher(client, [f"{part}-{n}" for n in range(count)]),
                }
                times = await interleave(name, works, rounds=plan.rounds, count=4_000)
                note = f"floor: the quickest pool of {', '.join(map(str, POOLS))} connections, here {links}"
                rows.append(judge_throughput(name, times["subject"], times["floor"], note=note))
    return rows


async def _choose_pool(place: Place) -> int:
    """Return the size that is quickest for the floor: the best of five, tried in turn so that a slow moment meets all."""
    best = dict.fromkeys(POOLS, float("inf"))
    for _ in range(5):
        for links in POOLS:
            async with make_client(place.server, links=links) as client:
                push = _pusher(client, ["pool"])
                await push(500)
                start = time.perf_counter()
                await push(1_000)
                best[links] = min(best[links], time.perf_counter() - start)
    tell("pools: " + ", ".join(f"{links}: {1_000 / seconds:,.0f}/s" for links, seconds in best.items()))
    return min(best, key=lambda links: best[links])


def _appender(place: Place, threads: Sequence[ThreadKey]) -> Callable[[int], Awaitable[object]]:
    append = place.store.items.append

    async def work(thread: ThreadKey, count: int) -> None:
        for _ in range(count):
            await append(thread, NewItem(PAYLOAD))

    async def all_of(count: int) -> None:
        each = count // TASKS_AT_ONCE
        await asyncio.gather(*(work(threads[n % len(threads)], each) for n in range(TASKS_AT_ONCE)))

    return all_of


def _pusher(client: redis.Redis, keys: Sequence[str]) -> Callable[[int], Awaitable[object]]:
    async def work(key: str, count: int) -> None:
        for _ in range(count):
            await client.rpush(key, PAYLOAD)

    async def all_of(count: int) -> None:
        each = count // TASKS_AT_ONCE
        await asyncio.gather(*(work(keys[n % len(keys)], each) for n in range(TASKS_AT_ONCE)))

    return all_of


TOPIC: Final = Topic(("append-1", "append-10"), run)
TASKS: Final = Topic(("append-100-tasks",), run_tasks)
