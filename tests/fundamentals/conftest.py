"""The stores of the tutorial: in memory, in a file, and on a real Valkey. Every lesson holds on each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import clew


@pytest.fixture(params=["memory", "sqlite", "valkey-9.1"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the store is."""
    if request.param == "memory":
        return "memory://"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/clew.db"
    url_of: Callable[[str], str] = request.getfixturevalue("url_of")
    return url_of(request.param)


@pytest.fixture
async def store(url: str) -> AsyncIterator[clew.Store]:
    """An open, empty store."""
    async with clew.connect(url) as opened:
        yield opened


@pytest.fixture
async def thread(store: clew.Store) -> clew.Thread:
    """A thread of Ada's, with nothing in it yet."""
    return await store.threads.create("ada")
