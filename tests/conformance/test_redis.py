"""The whole suite on every kind of Redis and Valkey server, and on every topology."""

from __future__ import annotations

import pytest

from clew.conformance import (
    BackendSuite,
    CataloguingSuite,
    CollectingSuite,
    ExpirySuite,
    LeasingSuite,
    ListingSuite,
    RunsSuite,
    SplicingSuite,
    ValuesSuite,
)


@pytest.fixture
def url(redis_url: str) -> str:
    """Where the store is: each kind of server in turn."""
    return redis_url


class TestBackend(BackendSuite):
    """The core."""


class TestListing(ListingSuite):
    """An owner's listing."""


class TestCataloguing(CataloguingSuite):
    """An owner's catalogue."""


class TestLeasing(LeasingSuite):
    """Leases."""


class TestExpiry(ExpirySuite):
    """A time to live."""


class TestValues(ValuesSuite):
    """Plain values."""


class TestCollecting(CollectingSuite):
    """Sets and lists."""


class TestRuns(RunsSuite):
    """Runs."""


class TestSplicing(SplicingSuite):
    """Values that are changed at their end."""
