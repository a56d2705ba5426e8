"""Servers to break, each for one test, and stores that are closed after it."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from clew.backend import Backend
from clew.schemes import open_backend
from servers import Server, find

from .ledger import VERDICTS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was verified, in every run."""
    if VERDICTS:
        terminalreporter.section("acknowledged items after faults")
        for line in VERDICTS:
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def _nothing_goes_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No task is destroyed while it waits, and no failure goes unread: asyncio would only log it."""
    yield
    gc.collect()
    records = [*caplog.get_records("call"), *caplog.records]
    said = [record.getMessage() for record in records if record.name == "asyncio" and record.levelno >= logging.ERROR]
    assert said == []


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """`serve(name="redis-8.2", **arguments)`: a server of this test's own, to be broken at will."""
    with ExitStack() as stack:

        def start(name: str = "redis-8.2", **arguments: Any) -> Server:  # passed through to Server
            return stack.enter_context(Server(find(name), **arguments))

        yield start


@pytest.fixture
async def open_store() -> AsyncIterator[Callable[[str], Awaitable[Backend]]]:
    """`await open_store(url)`: a backend that is closed after the test."""
    async with AsyncExitStack() as stack:

        async def open_one(url: str) -> Backend:
            backend = await open_backend(url)
            stack.push_async_callback(backend.aclose)
            return backend

        yield open_one
