"""A store that can be taken away, and stores with a journal in front of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

import clew
from clew.wrappers.journal import JournalBackend, Options, open_journal

from .faulty import Faulty

Open = Callable[..., Awaitable[clew.Store]]


@pytest.fixture
async def server() -> AsyncIterator[Faulty]:
    """What is behind the journals of a test."""
    faulty = Faulty()
    await faulty.open()
    yield faulty
    await faulty.end()


@pytest.fixture
async def instance(server: Faulty, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens an instance with a journal of its own, in the test's folder; it is closed after the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_instance(max_bytes: int = 1 << 24) -> clew.Store:
            backend = await open_journal(server, "memory://", Options(tmp_path / "journal", max_bytes))
            return await stack.enter_async_context(clew.Store(backend))

        yield open_instance


def journal_of(store: clew.Store) -> JournalBackend:
    """Return the journal of an instance."""
    assert isinstance(store.backend, JournalBackend)
    return store.backend
