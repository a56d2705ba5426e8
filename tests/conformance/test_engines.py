"""The whole suite on SQLite, in a file and in memory, and on every kind of Redis and Valkey server and every topology."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import servers
from clew.conformance import (
    BackendSuite,
    CataloguingSuite,
    CheckpointingSuite,
    CollectingSuite,
    ExpirySuite,
    LeasingSuite,
    ListingSuite,
    RunsSuite,
    SplicingSuite,
    ValuesSuite,
)


@pytest.fixture(params=["sqlite", "memory", *servers.KINDS])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """Where the store is: each engine in turn, and each kind of server."""
    return url_of(request.param)


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


class TestCheckpointing(CheckpointingSuite):
    """Checkpoints."""
