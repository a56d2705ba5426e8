"""A primary killed or replaced where a replica must acknowledge, behind Sentinel and in a cluster: nothing told is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from clew.backend import Backend
from clew.backends.redis.keys import partition_keys
from clew.records import Partition
from servers import Cluster, Sentinel, Server, find
from tests.support import fresh_partition, wait_until, with_options

from .ledger import Ledger, Verdict, read_all, write_through

Open = Callable[[str], Awaitable[Backend]]


@pytest.fixture(scope="module")
def sentinel() -> Iterator[Sentinel]:
    with Sentinel(find("redis-8.2"), down_after_ms=500) as running:
        yield running


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Cluster]:
    with Cluster(find("valkey-9.1"), primaries=3, replicas=1, node_timeout_ms=1000) as running:
        yield running


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    shared_cluster.await_whole()
    return shared_cluster


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


async def test_a_primary_that_hangs_and_comes_back_behind_sentinel_is_not_believed(sentinel: Sentinel, open_store: Open) -> None:
    backend, partition = await open_store(with_options(sentinel.url, replicas=1, timeout=1)), fresh_partition()

    async def trouble(ledger: Ledger) -> None:
        await ledger.grow(300)
        old = sentinel.primary
        old.pause()
        await wait_until(lambda: sentinel.primary is not old, 20)
        old.resume()
        # Two primaries for a moment: only the new one may get a replica.
        old.follow(sentinel.primary)
        await ledger.grow(300)

    ledger = await write_through(backend, partition, 50, trouble)
    assert ledger.verify(await read_all(backend, partition)).clean


async def test_a_primary_that_hangs_and_comes_back_in_a_cluster_is_not_believed(cluster: Cluster, open_store: Open) -> None:
    backend, here = await open_store(with_options(cluster.url, replicas=1, timeout=1)), fresh_partition()

    async def trouble(ledger: Ledger) -> None:
        await ledger.grow(300)
        old = _server_of(cluster, here)
        old.pause()
        await wait_until(lambda: cluster.primary_of(_key(here), besides=old) is not old, 20)
        old.resume()
        await ledger.grow(300)

    ledger, beside = await _write_here_and_beside(cluster, backend, here, trouble)
    assert ledger.verify(await read_all(backend, here)).clean
    assert beside.clean


async def test_a_primary_killed_in_a_cluster_takes_nothing_acknowledged_with_it(cluster: Cluster, open_store: Open) -> None:
    backend, here = await open_store(with_options(cluster.url, replicas=1, timeout=1)), fresh_partition()

    async def trouble(ledger: Ledger) -> None:
        await ledger.grow(300)
        old = _server_of(cluster, here)
        await asyncio.to_thread(old.kill)
        await wait_until(lambda: _server_of(cluster, here) is not old, 20)
        await asyncio.to_thread(old.restart)
        await ledger.grow(300)

    ledger, beside = await _write_here_and_beside(cluster, backend, here, trouble)
    assert ledger.troubles
    assert ledger.verify(await read_all(backend, here)).clean
    assert beside.clean


async def test_a_replica_that_takes_over_in_order_is_not_noticed(cluster: Cluster, open_store: Open) -> None:
    backend, here = await open_store(with_options(cluster.url, timeout=5)), fresh_partition()

    async def trouble(ledger: Ledger) -> None:
        await ledger.grow(300)
        old = _server_of(cluster, here)
        new = await asyncio.to_thread(_replica_of, cluster, old)
        await asyncio.to_thread(new.call, "CLUSTER", "FAILOVER")
        await wait_until(lambda: _server_of(cluster, here) is new, 20)
        await ledger.grow(300)

    ledger, beside = await _write_here_and_beside(cluster, backend, here, trouble)
    assert ledger.troubles == []
    assert ledger.verify(await read_all(backend, here)).clean
    assert beside.clean


async def test_a_slot_that_moves_to_another_server_is_not_noticed(cluster: Cluster, open_store: Open) -> None:
    backend, here = await open_store(with_options(cluster.url, timeout=5)), fresh_partition()

    async def trouble(ledger: Ledger) -> None:
        await ledger.grow(300)
        old = _server_of(cluster, here)
        new = next(node for node in cluster.nodes if node is not old and node.info("replication")["role"] == "master")
        await asyncio.to_thread(cluster.move_slot, _key(here), new)
        await wait_until(lambda: _server_of(cluster, here) is new)
        await ledger.grow(300)

    ledger, beside = await _write_here_and_beside(cluster, backend, here, trouble)
    assert ledger.troubles == []
    assert ledger.verify(await read_all(backend, here)).clean
    assert beside.clean


async def _write_here_and_beside(
    cluster: Cluster, backend: Backend, here: Partition, trouble: Callable[[Ledger], Awaitable[object]]
) -> tuple[Ledger, Verdict]:
    """Write to `here` in trouble, and to a partition on another server meanwhile; return the ledger and the other's verdict."""
    elsewhere = fresh_partition()
    while _server_of(cluster, elsewhere) is _server_of(cluster, here):
        elsewhere = fresh_partition()
    inner: list[Ledger] = []

    async def both(_: Ledger) -> None:
        inner.append(await write_through(backend, here, 50, trouble))

    beside = await write_through(backend, elsewhere, 5, both)
    assert len(beside.positions) > 100
    return inner[0], beside.verify(await read_all(backend, elsewhere))


def _key(partition: Partition) -> str:
    return partition_keys("clew", partition).meta.decode()


def _server_of(cluster: Cluster, partition: Partition) -> Server:
    return cluster.primary_of(_key(partition))


def _replica_of(cluster: Cluster, primary: Server) -> Server:
    """Return the replica that is in sync with this primary."""
    for node in cluster.nodes:
        role = node.info("replication")
        if role["role"] == "slave" and role["master_port"] == primary.port:
            return node
    raise AssertionError("it has no replica")
