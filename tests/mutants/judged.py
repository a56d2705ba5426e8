"""The suites on a mutant, in a process of its own.

CLEW_MUTANT names it ("none" for the sound backend), and CLEW_MUTANT_URL its store.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from clew.backend import Backend
from clew.conformance import (
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
from clew.schemes import open_backend

from .mutants import MUTANTS

if os.environ["CLEW_MUTANT"] != "none":
    MUTANTS[os.environ["CLEW_MUTANT"]].plant()


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    """The mutant."""
    opened = await open_backend(os.environ["CLEW_MUTANT_URL"])
    yield opened
    await opened.aclose()


class TestBackend(BackendSuite):
    """The seven verbs."""


class TestListing(ListingSuite):
    """The listing."""


class TestCataloguing(CataloguingSuite):
    """The catalogue."""


class TestLeasing(LeasingSuite):
    """Leases."""


class TestExpiry(ExpirySuite):
    """Expiry."""


class TestRuns(RunsSuite):
    """Runs."""


class TestValues(ValuesSuite):
    """Values."""


class TestCollecting(CollectingSuite):
    """Sets and lists."""


class TestSplicing(SplicingSuite):
    """Values that are changed at their end."""


class TestCheckpointing(CheckpointingSuite):
    """Checkpoints."""


class TestErasing(ErasingSuite):
    """Erasing owners."""
