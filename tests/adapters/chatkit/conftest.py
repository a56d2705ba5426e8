"""One store of each engine for the adapter's tests, open for the length of a test, and ChatKit's store on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import clew
from clew import Store
from clew.adapters.chatkit import ChatKitStore

from .driver import Context, Server


@pytest.fixture(params=["memory", "sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A URL that is this test's own, on each engine in turn."""
    if request.param == "memory":
        return "memory://"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/clew.db"
    url_of: Callable[..., str] = request.getfixturevalue("url_of")
    return url_of("redis-8.2")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store."""
    async with clew.connect(url) as opened:
        yield opened


@pytest.fixture
def kit(store: Store) -> ChatKitStore[Context]:
    """ChatKit's store: the owner is what the context says."""
    return ChatKitStore(store)


@pytest.fixture
def server(kit: ChatKitStore[Context]) -> Server:
    """A server of the SDK whose answers a test scripts."""
    return Server(kit)
