"""The stores of the tutorial: in memory, in a file, and on a real Valkey. Every lesson holds on each of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import clew


@pytest.fixture(params=["memory", "sqlite", "valkey-9.1"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """Where the store is."""
    return url_of(request.param)


@pytest.fixture
async def thread(store: clew.Store) -> clew.Thread:
    """A thread of Ada's, with nothing in it yet."""
    return await store.threads.create("ada")
