"""Where a case is measured: a server of its own, a store on it, and redis-py's own client with the options the store uses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

import clew
from clew import NewItem, Store
from servers import Server, find

OWNER: Final = "bench"
PAYLOAD: Final = (b'{"role":"user","text":"' + b"lorem ipsum dolor " * 30)[:498] + b'"}'
"""500 bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server, a store on it, and a bare client."""

    server: Server
    store: Store
    client: redis.Redis


@asynccontextmanager
async def open_place(kind: str = "redis-8.2") -> AsyncGenerator[Place]:
    """Start a server and open both ways to it; all is gone afterwards."""
    with Server(find(kind)) as server:
        async with clew.connect(server.url) as store, make_client(server) as client:
            yield Place(server, store, client)


def connection_options(server: Server) -> dict[str, Any]:
    """Return the arguments with which clew makes its own connections. No time-out: the floor pays for none."""
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "protocol": 2,
        "socket_timeout": None,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
    }


def make_client(server: Server, *, links: int | None = None) -> redis.Redis:
    """Return redis-py's client: one connection for one caller, or a pool of `links` that callers wait for."""
    options = connection_options(server)
    if links is None:
        return redis.Redis(**options)
    pool: redis.BlockingConnectionPool = redis.BlockingConnectionPool(max_connections=links, timeout=None, **options)
    client: redis.Redis = redis.Redis.from_pool(pool)
    return client


def make_items(count: int) -> Sequence[NewItem]:
    """Return new items, whose ids are made by the append."""
    return [NewItem(PAYLOAD) for _ in range(count)]


async def fill(store: Store, id: str, count: int) -> list[str]:
    """Make a thread with this many items, and return their ids."""
    thread = await store.threads.create(OWNER, id=id)
    ids: list[str] = []
    for start in range(0, count, 1_000):
        ids += (await store.items.append(thread, make_items(min(1_000, count - start)))).ids
    return ids
