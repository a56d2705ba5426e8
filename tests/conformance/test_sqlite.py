"""The embedded engine, as a file and in memory, judged by the whole suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clew.backend import Backend
from clew.conformance import EverySuite
from clew.schemes import open_backend


class TestSqliteFile(EverySuite):
    @pytest.fixture
    async def backend(self, tmp_path: Path) -> AsyncIterator[Backend]:
        backend = await open_backend(f"sqlite:///{tmp_path}/clew.db")
        yield backend
        await backend.aclose()


class TestMemory(EverySuite):
    @pytest.fixture
    async def backend(self) -> AsyncIterator[Backend]:
        backend = await open_backend("memory://")
        yield backend
        await backend.aclose()
