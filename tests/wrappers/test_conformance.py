"""The whole suite on a store in memory that is encrypted, compressed and seen, and that of values where these are encrypted."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from clew.backend import Backend
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
from clew.schemes import open_backend

SECRET = "encryption_secret=" + quote(f"new:{base64.b64encode(bytes(range(32))).decode()}", safe="")
ALL = f"memory://?{SECRET}&compress=1&encryption_plain=refuse&metrics=on&tracing=on"


@pytest.fixture
def url() -> str:
    """A store in memory, around which all wrappers stand but the journal: whatever one of them breaks is broken here."""
    return ALL


@pytest.fixture
async def backend(url: str) -> AsyncIterator[Backend]:
    """The store at `url`, open."""
    opened = await open_backend(url)
    yield opened
    await opened.aclose()


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


class TestCollecting(CollectingSuite):
    """Sets and lists."""


class TestRuns(RunsSuite):
    """Runs."""


class TestSplicing(SplicingSuite):
    """Values that are changed at their end."""


class TestCheckpointing(CheckpointingSuite):
    """Checkpoints."""


class TestValues(ValuesSuite):
    """Plain values, and encrypted ones."""

    @pytest.fixture(params=["plain", "encrypted"])
    def url(self, request: pytest.FixtureRequest) -> str:
        """The same, and a store whose literal values are encrypted too."""
        return ALL if request.param == "plain" else f"{ALL}&encryption_values=yes"
