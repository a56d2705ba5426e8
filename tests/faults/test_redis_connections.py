"""How many connections a store holds: few under load, and none when it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from clew.backend import Backend
from clew.codec import make_entry
from clew.records import Append, Partition
from clew.schemes import open_backend
from servers import Server
from tests.conftest import Pool
from tests.keyspace import data_servers
from tests.support import fresh_partition, wait_until

from .ledger import LOG

MOST = 8
"""Connections to one server that one store may hold, whatever it is asked."""


def _connections(servers: list[Server]) -> int:
    """Return how many connections of others these servers have."""
    return sum(int(server.info("clients")["connected_clients"]) - 1 for server in servers)


@pytest.mark.parametrize("kind", ["redis-6.2", "valkey-9.1", "cluster-3", "sentinel"])
async def test_a_store_under_load_holds_few_connections_and_none_when_closed(
    kind: str, pool: Pool, url_of: Callable[..., str]
) -> None:
    servers = data_servers(pool.get(kind))
    before = _connections(servers)
    backend = await open_backend(url_of(kind))
    most = 0
    try:
        partitions = [fresh_partition() for _ in range(20)]
        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(_append(backend, partitions[n % 20], n)) for n in range(200)]
            followers = [group.create_task(_follow(backend, partition)) for partition in partitions]
            while not all(task.done() for task in (*writers, *followers)):
                most = max(most, _connections(servers) - before)
                await asyncio.sleep(0.005)
    finally:
        await backend.aclose()
    assert 0 < most <= MOST * len(servers)
    await wait_until(lambda: _connections(servers) <= before)


async def _append(backend: Backend, partition: Partition, writer: int) -> None:
    for number in range(10):
        await backend.commit(partition, [Append(LOG, make_entry(f"{writer}.{number}", b"{}"))])


async def _follow(backend: Backend, partition: Partition) -> None:
    seen = 0
    async for _ in backend.follow(partition, LOG):
        seen += 1
        if seen == 100:
            return


async def test_a_store_closed_in_the_middle_of_traffic_leaves_no_connection(own_server: Callable[..., Server]) -> None:
    server = own_server()
    for _ in range(5):
        backend, partition = await open_backend(server.url), fresh_partition()
        tasks = [asyncio.create_task(_append(backend, partition, n)) for n in range(50)]
        tasks.append(asyncio.create_task(_follow(backend, partition)))
        await _begun(backend, partition)
        await backend.aclose()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}
    await wait_until(lambda: _connections([server]) == 0)


async def _begun(backend: Backend, partition: Partition) -> None:
    await wait_until(lambda: backend.revision(partition))


async def test_a_failed_open_leaves_no_connection(own_server: Callable[..., Server]) -> None:
    server = own_server(password="right")
    for _ in range(5):
        with pytest.raises(Exception, match="refused this user"):
            await open_backend(server.url_for("", "wrong"))
    await wait_until(lambda: _connections([server]) == 0)
