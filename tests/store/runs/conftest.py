"""Stores with runs, of each kind; and one in memory whose calls fail as a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

import clew
from clew.backends.sqlite.address import parse_address

from .faulty import FaultyBackend


@pytest.fixture(params=["memory", "sqlite", "valkey-9.1"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """Where the store is."""
    return url_of(request.param)


@pytest.fixture
async def faulty() -> AsyncIterator[FaultyBackend]:
    """A backend in memory that fails where it is told to."""
    backend = FaultyBackend(parse_address("memory://"))
    await backend.open()
    yield backend
    await backend.aclose()


@pytest.fixture
def unsure(faulty: FaultyBackend) -> clew.Store:
    """A store on `faulty`."""
    return clew.Store(faulty)
