"""One store of each engine for the adapter's tests, open for the length of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import clew
from clew import Store


@pytest.fixture(params=["memory", "sqlite", "valkey"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A URL that is this test's own, on each engine in turn."""
    if request.param == "memory":
        return "memory://"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/clew.db"
    url_of: Callable[..., str] = request.getfixturevalue("url_of")
    return url_of("valkey-9.1")


@pytest.fixture(params=["sqlite", "valkey"])
def lasting_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same, on the engines that outlive a process."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/clew.db"
    url_of: Callable[..., str] = request.getfixturevalue("url_of")
    return url_of("valkey-9.1")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store."""
    async with clew.connect(url) as opened:
        yield opened
