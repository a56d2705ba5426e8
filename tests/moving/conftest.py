"""A Redis that other programs have written to, and a store to move into."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from redis import Redis

import clew
from clew.moving import Report, move
from servers import Server

from ..conftest import Pool
from ..support import with_options

DB = 5

Bring = Callable[..., Awaitable[Report]]


@pytest.fixture
def foreign(pool: Pool) -> Iterator[Redis]:
    """A client of an empty database; `foreign_url` is its URL."""
    server = pool.get("redis-6.2")
    assert isinstance(server, Server)
    with Redis.from_url(url_in(server)) as client:
        yield client
        client.flushdb()


@pytest.fixture
def foreign_url(pool: Pool) -> str:
    """The URL of the database of `foreign`."""
    server = pool.get("redis-6.2")
    assert isinstance(server, Server)
    return url_in(server)


def url_in(server: Server) -> str:
    """Return the URL of the database that layouts are built in."""
    return f"{server.url.rpartition('/')[0]}/{DB}" if server.url.count("/") > 2 else f"{server.url}/{DB}"


@pytest.fixture
async def store() -> AsyncIterator[clew.Store]:
    """A store to move into."""
    async with clew.connect(with_options("memory://")) as opened:
        yield opened


@pytest.fixture
def bring(store: clew.Store, foreign_url: str) -> Bring:
    """`bring(layout, **options)`: move all of a layout into the store, for "ada" where nobody else is named."""

    async def run(layout: str, *, dry: bool = False, **options: str) -> Report:
        return await move(layout, foreign_url, None if dry else store, "ada", lambda done, total: None, **options)

    return run
