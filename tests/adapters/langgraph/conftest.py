"""A saver on both engines, and what a test of it stands on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

import clew
from clew.adapters.langgraph import ClewSaver

ENGINES = ("sqlite", "redis-8.2")


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """A store of the test's own, on each engine in turn."""
    return url_of(request.param)


@pytest.fixture
async def saver(store: clew.Store) -> AsyncIterator[ClewSaver]:
    """A saver for the owner "ada"."""
    async with ClewSaver(store, owner="ada") as made:
        yield made
