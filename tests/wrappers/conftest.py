"""The backend that wrappers stand around here."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from clew.backend import Backend

from .support import memory


@pytest.fixture
async def raw() -> AsyncIterator[Backend]:
    """An empty backend in memory, without a wrapper."""
    async with memory() as backend:
        yield backend
