"""Redis and Valkey, of every kind and topology, judged by the whole suite; after each test no key may be left."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from clew.backend import Backend
from clew.conformance import EverySuite
from clew.schemes import open_backend


class TestRedis(EverySuite):
    @pytest.fixture
    async def backend(self, redis_url: str) -> AsyncIterator[Backend]:
        backend = await open_backend(redis_url)
        yield backend
        await backend.aclose()
