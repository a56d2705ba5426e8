"""A service in processes of its own, on SQLite or on a Redis server: one for all tests that leave it up, or one for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from .running import Service

Start = Callable[..., Awaitable[Service]]


@pytest.fixture
async def start_service(tmp_path: Path) -> AsyncIterator[Start]:
    """`await start_service(url=None, workers=1, **env)`: a running service; on an SQLite file of the test's own for None."""
    made: list[Service] = []

    async def start(url: str | None = None, *, workers: int = 1, **env: str) -> Service:
        service = Service(url or f"sqlite:///{tmp_path}/clew.db", tmp_path, workers=workers)
        made.append(service)
        await service.start(**env)
        return service

    yield start
    for service in made:
        await service.http.aclose()
        service.close()


@pytest.fixture
async def own_service(start_service: Start) -> Service:
    """A running service on an SQLite file, to be killed."""
    return await start_service()


@pytest.fixture(scope="session")
def shared_service(_nothing_left_behind: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all the tests that leave it up: it takes seconds to start."""
    folder = tmp_path_factory.mktemp("service")
    service = Service(f"sqlite:///{folder}/clew.db", folder)
    service.spawn()
    yield service
    service.close()


@pytest.fixture
async def service(shared_service: Service) -> AsyncIterator[Service]:
    """The shared service. Other tests' threads are in it."""
    mine = shared_service.client()
    await mine.wait_ready()
    yield mine
    await mine.http.aclose()
