"""Servers to break, each for one test, and stores that are closed after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from clew.backend import Backend
from clew.schemes import open_backend

from .ledger import VERDICTS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was verified, in every run."""
    if VERDICTS:
        terminalreporter.section("acknowledged items after faults")
        for line in VERDICTS:
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def _nothing_goes_unseen(nothing_goes_unseen: None) -> None:
    """No task of a test is lost in silence."""


@pytest.fixture
async def open_store() -> AsyncIterator[Callable[[str], Awaitable[Backend]]]:
    """`await open_store(url)`: a backend that is closed after the test."""
    async with AsyncExitStack() as stack:

        async def open_one(url: str) -> Backend:
            backend = await open_backend(url)
            stack.push_async_callback(backend.aclose)
            return backend

        yield open_one
