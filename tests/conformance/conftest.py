"""The stores that the suite judges here: one fixture, opened for a test and closed after it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from clew.backend import Backend
from clew.schemes import open_backend


@pytest.fixture
async def backend(url: str) -> AsyncIterator[Backend]:
    """The store at `url`, open."""
    opened = await open_backend(url)
    yield opened
    await opened.aclose()
