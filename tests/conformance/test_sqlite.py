"""The whole suite on SQLite, in a file and in memory."""

from __future__ import annotations

from pathlib import Path

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


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the store is."""
    return f"sqlite:///{tmp_path}/clew.db" if request.param == "file" else "memory://"


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
