"""Runs in trouble: the connections that hear are cut, producers are replaced and write on, a primary is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

import pytest

from clew.backend import Backend
from servers import Cluster, Running, Sentinel, Server, find
from tests.conftest import Pool
from tests.keyspace import data_servers
from tests.support import wait_until, with_options

from .run_processes import kill_and_read
from .run_traffic import RunningBackend, Traffic

Open = Callable[[str], Awaitable[Backend]]
pytestmark = pytest.mark.timeout(180)
ENOUGH = 20_000
"""Deliveries that the traffic of a test has to see."""


async def _open_all(open_store: Open, url: str, count: int) -> list[RunningBackend]:
    return [cast(RunningBackend, await open_store(url)) for _ in range(count)]


async def _cut(running: Running, kind: str) -> int:
    """Cut every connection of a kind on every server, and return how many there were."""
    nodes = running.nodes if isinstance(running, Cluster) else data_servers(running)
    killed = await asyncio.gather(*(asyncio.to_thread(node.call, "CLIENT", "KILL", "TYPE", kind) for node in nodes))
    return sum(cast(list[int], killed))


@pytest.mark.parametrize("kind", ["redis-6.2", "redis-8.2", "valkey-9.1", "cluster-3"])
async def test_readers_miss_nothing_while_what_they_hear_is_cut(
    kind: str, pool: Pool, url_of: Callable[..., str], open_store: Open
) -> None:
    running, cuts = pool.get(kind), 0

    async def trouble(traffic: Traffic) -> None:
        nonlocal cuts
        while True:
            cuts += await _cut(running, "pubsub")
            await traffic.grow(400)

    url = url_of(kind)
    writer, *readers = await _open_all(open_store, url, 4)
    traffic = Traffic(writer, readers, runs=30, events=140, watchers=5)
    await traffic.go(trouble)
    await traffic.verify()
    assert traffic.deliveries >= ENOUGH
    assert traffic.takeovers > 10
    assert traffic.refused > 30
    assert cuts > 20


async def test_readers_miss_nothing_while_every_connection_is_cut(
    pool: Pool, url_of: Callable[..., str], open_store: Open
) -> None:
    running, cuts = pool.get("redis-8.2"), 0

    async def trouble(traffic: Traffic) -> None:
        nonlocal cuts
        while True:
            cuts += await _cut(running, "normal") + await _cut(running, "pubsub")
            await traffic.grow(400)

    writer, *readers = await _open_all(open_store, url_of("redis-8.2"), 3)
    traffic = Traffic(writer, readers, runs=20, events=80, watchers=4)
    await traffic.go(trouble)
    await traffic.verify()
    assert cuts > 20


@pytest.fixture(scope="module")
def sentinel() -> Iterator[Sentinel]:
    with Sentinel(find("redis-8.2"), down_after_ms=500) as running:
        yield running


@pytest.mark.parametrize("hangs", [False, True], ids=["killed", "hanging"])
async def test_readers_miss_nothing_when_a_replica_takes_over(hangs: bool, sentinel: Sentinel, open_store: Open) -> None:
    writer, *readers = await _open_all(open_store, with_options(sentinel.url, replicas=1, timeout=1), 4)

    async def trouble(traffic: Traffic) -> None:
        await traffic.grow(5_000)
        old = sentinel.primary
        await asyncio.to_thread(old.pause if hangs else old.kill)
        await wait_until(lambda: sentinel.primary is not old, 20)
        if hangs:
            # Two primaries for a moment: only the new one may get a replica.
            old.resume()
        old.follow(sentinel.primary)
        if not hangs:
            # The new primary stands alone: nothing can be acknowledged until a replica is back.
            await asyncio.to_thread(old.restart)
        failed_over.set()
        await asyncio.Event().wait()

    failed_over = asyncio.Event()
    traffic = Traffic(writer, readers, runs=30, events=140, watchers=5, seed=7, forgets=True)
    await traffic.go(trouble)
    await traffic.verify()
    assert traffic.deliveries >= ENOUGH
    assert failed_over.is_set()


@pytest.mark.timeout(300)
async def test_killed_producers_and_restless_readers_of_several_processes(own_server: Callable[..., Server]) -> None:
    server = own_server("redis-8.2")

    async def cut() -> None:
        while True:
            await asyncio.to_thread(server.call, "CLIENT", "KILL", "TYPE", "pubsub")
            await asyncio.sleep(0.2)

    cutting = asyncio.create_task(cut())
    try:
        await kill_and_read(server.url, lease=3.0)
    finally:
        cutting.cancel()
        await asyncio.gather(cutting, return_exceptions=True)
