"""Runs on a cluster whose slots move and whose primaries change, and on a server that says nothing any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

import pytest

from clew.backend import Backend
from clew.backends.redis import hub
from clew.backends.redis.runs_keys import run_keys
from clew.records import Partition
from servers import Cluster, Server, find
from tests.support import wait_until, with_options

from .run_traffic import RunningBackend, Traffic

Open = Callable[[str], Awaitable[Backend]]
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Cluster]:
    with Cluster(find("valkey-9.1"), primaries=3, replicas=1, node_timeout_ms=1000) as running:
        yield running


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    shared_cluster.await_whole()
    return shared_cluster


async def _traffic(
    open_store: Open, url: str, runs: int, events: int, watchers: int, seed: int = 0, forgets: bool = False
) -> Traffic:
    writer, *readers = [cast(RunningBackend, await open_store(url)) for _ in range(3)]
    return Traffic(writer, readers, runs, events, watchers, seed, forgets)


def _key(partition: Partition, run: str) -> str:
    return run_keys("clew", partition, run).stream.decode()


async def test_readers_miss_nothing_while_slots_move(cluster: Cluster, open_store: Open) -> None:
    moved = 0

    async def trouble(traffic: Traffic) -> None:
        nonlocal moved
        for story in traffic.stories[:6]:
            await traffic.grow(300)
            key = _key(story.partition, story.run.id)
            old = cluster.primary_of(key)
            new = next(node for node in cluster.nodes if node is not old and node.info("replication")["role"] == "master")
            await asyncio.to_thread(cluster.move_slot, key, new)
            moved += 1

    traffic = await _traffic(open_store, with_options(cluster.url, timeout=10), runs=12, events=140, watchers=4)
    start = time.monotonic()
    await traffic.go(trouble)
    await traffic.verify()
    assert moved >= 4
    assert time.monotonic() - start < 60


async def test_readers_miss_nothing_when_replicas_take_over_in_order(cluster: Cluster, open_store: Open) -> None:
    done = 0

    async def trouble(traffic: Traffic) -> None:
        nonlocal done
        for story in traffic.stories[:3]:
            await traffic.grow(500)
            old = cluster.primary_of(_key(story.partition, story.run.id))
            new = await asyncio.to_thread(_replica_of, cluster, old)
            await asyncio.to_thread(new.call, "CLUSTER", "FAILOVER")
            await wait_until(lambda at=story, to=new: cluster.primary_of(_key(at.partition, at.run.id)) is to, 20)  # type: ignore[misc]
            done += 1

    traffic = await _traffic(open_store, with_options(cluster.url, timeout=10), runs=12, events=140, watchers=4, seed=3)
    await traffic.go(trouble)
    await traffic.verify()
    assert done >= 1


async def test_readers_miss_nothing_when_a_primary_of_a_cluster_is_killed(cluster: Cluster, open_store: Open) -> None:
    async def trouble(traffic: Traffic) -> None:
        await traffic.grow(1_000)
        story = traffic.stories[0]
        key = _key(story.partition, story.run.id)
        old = cluster.primary_of(key)
        await asyncio.to_thread(old.kill)
        await wait_until(lambda: cluster.primary_of(key, besides=old) is not old, 20)
        await asyncio.to_thread(old.restart)
        failed_over.set()

    failed_over = asyncio.Event()
    url = with_options(cluster.url, replicas=1, timeout=1)
    traffic = await _traffic(open_store, url, runs=12, events=140, watchers=4, seed=5, forgets=True)
    await traffic.go(trouble)
    await traffic.verify()
    assert failed_over.is_set()


async def test_a_line_to_a_server_that_says_nothing_is_left(
    own_server: Callable[..., Server], open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "PING_S", 0.3)
    server = own_server()
    traffic = await _traffic(open_store, with_options(server.url, timeout=20), runs=3, events=80, watchers=4)

    async def trouble(traffic: Traffic) -> None:
        await traffic.grow(200)
        server.pause()
        try:
            lines = [line for backend in traffic.readers for line in _lines(backend)]
            assert len(lines) == 2
            await wait_until(lambda: all(line._connection is None for line in lines))
        finally:
            server.resume()
        left.set()

    left = asyncio.Event()
    await traffic.go(trouble)
    await traffic.verify()
    assert left.is_set()


def _lines(backend: RunningBackend) -> list[hub.Line]:
    hubs = cast("dict[object, hub.Hub]", getattr(backend, "_hubs", {}))
    return [line for found in hubs.values() for line in found._lines.values()]


def _replica_of(cluster: Cluster, primary: Server) -> Server:
    """Return the replica that is in sync with this primary."""
    for node in cluster.nodes:
        role = node.info("replication")
        if role["role"] == "slave" and role["master_port"] == primary.port:
            return node
    raise AssertionError("it has no replica")
