"""Every suite on one store: what `run` has pytest collect. The fixture `store_url` is the judge's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ..backend import Backend, Cataloguing, Collecting, Expiry, Leasing, Listing, Running, Values
from ..schemes import open_backend
from ..splicing import Splicing
from .suites import (
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


@pytest_asyncio.fixture
async def backend(store_url: str) -> AsyncIterator[Backend]:
    """The store, open."""
    opened = await open_backend(store_url)
    yield opened
    await opened.aclose()


@pytest.fixture
def _needs(request: pytest.FixtureRequest, backend: Backend) -> None:
    power = request.cls.power
    if not isinstance(backend, power):
        pytest.skip(f"this backend has no {power.__name__}")


class TestBackend(BackendSuite):
    """The core."""


@pytest.mark.usefixtures("_needs")
class TestListing(ListingSuite):
    """An owner's listing."""

    power = Listing


@pytest.mark.usefixtures("_needs")
class TestCataloguing(CataloguingSuite):
    """An owner's catalogue."""

    power = Cataloguing


@pytest.mark.usefixtures("_needs")
class TestLeasing(LeasingSuite):
    """Leases."""

    power = Leasing


@pytest.mark.usefixtures("_needs")
class TestExpiry(ExpirySuite):
    """A time to live."""

    power = Expiry


@pytest.mark.usefixtures("_needs")
class TestValues(ValuesSuite):
    """Plain values."""

    power = Values


@pytest.mark.usefixtures("_needs")
class TestCollecting(CollectingSuite):
    """Sets and lists."""

    power = Collecting


@pytest.mark.usefixtures("_needs")
class TestRuns(RunsSuite):
    """Runs."""

    power = Running


@pytest.mark.usefixtures("_needs")
class TestSplicing(SplicingSuite):
    """Values that are changed at their end."""

    power = Splicing
