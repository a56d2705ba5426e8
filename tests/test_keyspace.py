"""The leak checker finds what a test left on a shared server, and only that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clew.backend import Expiry
from clew.codec import make_entry
from clew.records import Append, Partition, PutDocument
from clew.schemes import open_backend
from servers import Cluster
from tests.conftest import Pool

from .keyspace import data_servers, list_keys, sweep
from .support import fresh_partition, wait_until, with_options

KINDS = ("redis-6.2", "cluster-3")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_clew_can_drop_is_no_leak(kind: str, pool: Pool) -> None:
    server = pool.get(kind)
    url = with_options(server.url, namespace="swept")
    backend = await open_backend(url)
    assert isinstance(backend, Expiry)
    try:
        kept, short, deleted = fresh_partition(), fresh_partition(), Partition("a/b {c}", "d:e")
        for partition in (kept, short, deleted):
            await backend.commit(partition, [PutDocument("a", b"1"), Append("x", make_entry("a", b"1"))], listed=True, once="t")
        await backend.expire(short, 20)
        await backend.drop(deleted)
    finally:
        await backend.aclose()
    await wait_until(lambda: not [key for key in list_keys(server, "swept:*") if short.name in key and ":threads" not in key])
    assert sweep(server, url, "swept") == []
    assert list_keys(server) == {}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_clew_does_not_know_of_is_a_leak(kind: str, url_of: Callable[..., str], pool: Pool) -> None:
    server = pool.get(kind)
    key = "swept:{o/n}:stray"
    (server.primary_of(key) if isinstance(server, Cluster) else data_servers(server)[0]).call("SET", key, "1")
    assert sweep(server, url_of(kind, sweep=False), "swept") == [key]
