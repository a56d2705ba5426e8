"""Every suite on one store: what `run` has pytest collect. The fixture `store_url` is the judge's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ..backend import Backend, Cataloguing, Collecting, Expiry, Leasing, Listing, Running, Values
from ..checkpointing import Checkpointing
from ..erasing import Erasing
from ..schemes import open_backend
from ..splicing import Splicing
from .suites import (
    BackendSuite,
    CataloguingSuite,
    CheckpointingSuite,
    CollectingSuite,
    ErasingSuite,
    ExpirySuite,
    LeasingSuite,
    ListingSuite,
    RunsSuite,
    SplicingSuite,
    ValuesSuite,
)


@pytest_asyncio.fixture
async def backend(store_url: str) -> AsyncIterator[Backend]:
    """The store, open."""
    opened = await open_backend(store_url)
    yield opened
    await opened.aclose()


@pytest.fixture(autouse=True)
def _needs(request: pytest.FixtureRequest, backend: Backend) -> None:
    # A suite that names no power is what every backend has to pass.
    power = getattr(request.cls, "power", None)
    if power is not None and not isinstance(backend, power):
        pytest.skip(f"this backend has no {power.__name__}")


class TestBackend(BackendSuite):
    """The core."""


class TestListing(ListingSuite):
    """An owner's listing."""

    power = Listing


class TestCataloguing(CataloguingSuite):
    """An owner's catalogue."""

    power = Cataloguing


class TestLeasing(LeasingSuite):
    """Leases."""

    power = Leasing


class TestExpiry(ExpirySuite):
    """A time to live."""

    power = Expiry


class TestValues(ValuesSuite):
    """Plain values."""

    power = Values


class TestCollecting(CollectingSuite):
    """Sets and lists."""

    power = Collecting


class TestRuns(RunsSuite):
    """Runs."""

    power = Running


class TestSplicing(SplicingSuite):
    """Values that are changed at their end."""

    power = Splicing


class TestErasing(ErasingSuite):
    """Erasing an owner."""

    power = Erasing


class TestCheckpointing(CheckpointingSuite):
    """Checkpoints."""

    power = Checkpointing
