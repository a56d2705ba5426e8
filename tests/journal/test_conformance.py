"""A store with a journal in front of it means the same as one without: the suites judge it, on the engine in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clew.backend import Backend
from clew.conformance import (
    BackendSuite,
    ListingSuite,
)
from clew.schemes import open_backend


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    """The store with its journal, open."""
    opened = await open_backend(f"memory://?on_outage=journal&journal={tmp_path}")
    yield opened
    await opened.aclose()


class TestBackend(BackendSuite):
    """The core."""


class TestListing(ListingSuite):
    """An owner's listing."""
