"""One store of each engine for the adapter's tests, open for the length of a test, and ChatKit's store on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clew import Store
from clew.adapters.chatkit import ChatKitStore

from .driver import Context, Server


@pytest.fixture(params=["memory", "sqlite", "redis-8.2"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """A URL that is this test's own, on each engine in turn."""
    return url_of(request.param)


@pytest.fixture
def kit(store: Store) -> ChatKitStore[Context]:
    """ChatKit's store: the owner is what the context says."""
    return ChatKitStore(store)


@pytest.fixture
def server(kit: ChatKitStore[Context]) -> Server:
    """A server of the SDK whose answers a test scripts."""
    return Server(kit)
