"""Stores for the verbs' own tests: in memory, in a file, on a real Valkey; and one that tells which calls it made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

import clew
from clew.testing import FixedClock, Recorder, WholeBackend, memory_store


@pytest.fixture(params=["memory", "sqlite", "valkey-9.1"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """Where the store is."""
    return url_of(request.param)


@pytest.fixture
async def thread(store: clew.Store) -> clew.Thread:
    """An empty thread."""
    return await store.threads.create("ada")


@pytest.fixture
def clock() -> FixedClock:
    """The time of `plain`."""
    return FixedClock()


@pytest.fixture
async def plain(clock: FixedClock) -> AsyncIterator[clew.Store]:
    """A store in memory with a clock of its own: for what does not depend on the engine."""
    async with memory_store(clock=clock) as opened:
        yield opened


@pytest.fixture
def recorder(plain: clew.Store) -> Recorder:
    """What `plain` is asked by `recorded`."""
    return Recorder(cast(WholeBackend, plain.backend))


@pytest.fixture
def recorded(recorder: Recorder) -> clew.Store:
    """`plain`, with every call of its backend recorded."""
    return clew.Store(recorder)
