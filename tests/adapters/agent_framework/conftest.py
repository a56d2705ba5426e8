"""One store of each engine for the adapter's tests, open for the length of a test."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture(params=["memory", "sqlite", "valkey-9.1"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """A URL that is this test's own, on each engine in turn."""
    return url_of(request.param)


@pytest.fixture(params=["sqlite", "valkey-9.1"])
def lasting_url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """The same, on the engines that outlive a process."""
    return url_of(request.param)
