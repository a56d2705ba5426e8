"""A service for a test, in processes of its own, on SQLite or on a Redis server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from .running import Service

Start = Callable[..., Awaitable[Service]]


@pytest.fixture
async def start_service(tmp_path: Path) -> AsyncIterator[Start]:
    """`await start_service(url=None, workers=1)`: a running service; on an SQLite file of the test's own for None."""
    made: list[Service] = []

    async def start(url: str | None = None, *, workers: int = 1, **env: str) -> Service:
        service = Service(url or f"sqlite:///{tmp_path}/clew.db", tmp_path, workers=workers)
        made.append(service)
        await service.start(**env)
        return service

    yield start
    for service in made:
        await service.aclose()


@pytest.fixture
async def service(start_service: Start) -> Service:
    """A running service on an SQLite file."""
    return await start_service()
