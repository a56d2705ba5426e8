"""Managers on every kind of store, under a key prefix of the test's own, closed and emptied after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

import clew
from clew.adapters.flywheel import BackendType, RedisExecutionCache, RedisSessionManager, UniversalSession
from clew.ids import new_id
from clew.settings import KNOWN, OF_REDIS
from clew.testing import memory_store

Managers = Callable[..., RedisSessionManager]
OF_FLYWHEEL = (
    *("REDIS_ENABLED", "REDIS_STATE_ENABLED", "REDIS_TTL_SECONDS", "REDIS_SESSION_TTL_SECONDS"),
    *("REDIS_EXECUTION_TTL_SECONDS", "REDIS_KEY_PREFIX", "REDIS_KEY_ENVIRONMENT"),
)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests."""
    for name in (*KNOWN, *OF_REDIS, *OF_FLYWHEEL):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["sqlite", "redis-6.2", "valkey-9.1", "cluster-1"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the store is; several managers may open it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/flywheel.db"
    url_of: Callable[[str], str] = request.getfixturevalue("url_of")
    return url_of(request.param)


@pytest.fixture
def prefix() -> str:
    """A key prefix that nobody else uses."""
    return f"flywheel-{new_id()}"


@pytest.fixture
async def store(url: str, prefix: str) -> AsyncIterator[clew.Store]:
    """The store itself, as another tool sees it. What stands under the prefix is deleted after the test."""
    async with clew.connect(url) as opened:
        yield opened
        values = opened.values(f"{prefix}:")
        cursor: str | None = None
        while True:
            page = await values.list(limit=1000, cursor=cursor)
            for key in page:
                await values.delete(key)
            cursor = page.cursor
            if cursor is None:
                break


@pytest.fixture
async def managers(url: str, prefix: str, store: clew.Store) -> AsyncIterator[Managers]:
    """`managers(**options)`: a manager with connections of its own, as another process has them."""
    async with AsyncExitStack() as stack:

        def make(**options: Any) -> RedisSessionManager:  # passed through
            made = RedisSessionManager(url=url, key_prefix=prefix, **options)
            stack.push_async_callback(made.close)
            return made

        yield make


@pytest.fixture
async def manager(managers: Managers) -> RedisSessionManager:
    """One manager."""
    return managers()


@pytest.fixture
async def cache(url: str, prefix: str, store: clew.Store) -> AsyncIterator[RedisExecutionCache]:
    """A cache of executions."""
    async with RedisExecutionCache(url=url, key_prefix=prefix) as made:
        yield made


@pytest.fixture
async def memory() -> AsyncIterator[clew.Store]:
    """A store in memory, for what no kind of store does differently."""
    async with memory_store() as opened:
        yield opened


def make_session(id: str = "s1", **fields: Any) -> UniversalSession:  # passed through to UniversalSession
    """Return a session with an entry in its history."""
    fields = {"history": [{"role": "user", "content": "Hello"}], "context": {"topic": "plans"}, **fields}
    return UniversalSession(id, BackendType.FLOWISE, "flowise-1", **fields)
