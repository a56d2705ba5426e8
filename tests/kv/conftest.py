"""Clients on every kind of store, closed after the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from clew.kv import KeyValue, get_redis
from clew.settings import KNOWN, OF_REDIS


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests, and a folder without a `.env`."""
    for name in (*KNOWN, *OF_REDIS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["memory", "sqlite", "redis-6.2", "redis-8.2", "valkey-9.1", "cluster-1"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """Where the store is."""
    return url_of(request.param)


@pytest.fixture
async def redis(url: str) -> AsyncIterator[KeyValue]:
    """A client, empty."""
    client = get_redis(url)
    yield client
    await client.close()
