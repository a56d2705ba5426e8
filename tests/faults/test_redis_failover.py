"""A primary killed behind Sentinel and in a cluster, where a replica must acknowledge: what the writers were told stays true."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from clew.backend import Backend
from clew.backends.redis.keys import partition_keys
from clew.records import Partition
from servers import Cluster, Sentinel, find
from tests.support import fresh_partition, wait_until, with_options

from .ledger import Ledger, read_all, write_through

Open = Callable[[str], Awaitable[Backend]]


@pytest.fixture
def sentinel() -> Iterator[Sentinel]:
    with Sentinel(find("redis-8.2"), down_after_ms=500) as running:
        yield running


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(find("valkey-9.1"), primaries=3, replicas=1, node_timeout_ms=1000) as running:
        yield running


async def test_a_primary_killed_behind_sentinel_takes_nothing_acknowledged_with_it(sentinel: Sentinel, open_store: Open) -> None:
    backend, partition = await open_store(with_options(sentinel.url, replicas=1, timeout=1)), fresh_partition()

    async def trouble(ledger: Ledger) -> None:
        await ledger.grow(300)
        old = sentinel.primary
        await asyncio.to_thread(old.kill)
        await wait_until(lambda: sentinel.primary is not old, 20)
        # The new primary stands alone: nothing can be acknowledged until a replica is back.
        old.follow(sentinel.primary)
        await asyncio.to_thread(old.restart)
        await ledger.grow(300)

    ledger = await write_through(backend, partition, 50, trouble)
    assert ledger.troubles
    assert ledger.verify(await read_all(backend, partition)).clean


async def test_a_primary_killed_in_a_cluster_takes_nothing_acknowledged_with_it(cluster: Cluster, open_store: Open) -> None:
    backend = await open_store(with_options(cluster.url, replicas=1, timeout=1))
    here, elsewhere = _partition_on(cluster, 0), _partition_on(cluster, 1)

    async def trouble(ledger: Ledger) -> None:
        await ledger.grow(300)
        old = cluster.primaries[0]
        await asyncio.to_thread(old.kill)
        await wait_until(lambda: _served_by_another(cluster, here, old.port), 20)
        await asyncio.to_thread(old.restart)
        await ledger.grow(300)

    async with asyncio.TaskGroup() as group:
        stop = asyncio.Event()

        async def go_on(_: Ledger) -> None:
            await stop.wait()

        other = group.create_task(write_through(backend, elsewhere, 10, go_on))
        ledger = await write_through(backend, here, 50, trouble)
        stop.set()
    assert ledger.troubles
    assert ledger.verify(await read_all(backend, here)).clean
    assert other.result().verify(await read_all(backend, elsewhere)).clean


def _partition_on(cluster: Cluster, index: int) -> Partition:
    """Return a fresh partition that this primary serves."""
    while True:
        partition = fresh_partition()
        if cluster.primary_of(partition_keys("clew", partition).meta.decode()) is cluster.primaries[index]:
            return partition


def _served_by_another(cluster: Cluster, partition: Partition, port: int) -> bool:
    return cluster.primary_of(partition_keys("clew", partition).meta.decode()).port != port
