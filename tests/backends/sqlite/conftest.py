"""A fresh file for each test, stores on it that are closed after the test, and nothing left: no thread, no open file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from clew.backends.sqlite import SqliteBackend, open_backend
from tests.support import threads_of_stores

Opener = Callable[..., Awaitable[SqliteBackend]]


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Where the test's file is to be. Afterwards no thread of a store is left, and no store has the file open."""
    path = tmp_path / "clew.db"
    yield path
    assert threads_of_stores() == []
    assert [name for name in _open_files() if name.startswith(str(tmp_path))] == []


@pytest.fixture
async def open_store(path: Path) -> AsyncIterator[Opener]:
    """`await open_store(**options)` opens the test's file, as often as wanted."""
    opened: list[SqliteBackend] = []

    async def open_one(**options: object) -> SqliteBackend:
        query = "&".join(f"{name}={value}" for name, value in options.items())
        store = await open_backend(f"sqlite:///{path}?{query}")
        opened.append(store)
        return store

    yield open_one
    await asyncio.gather(*(store.aclose() for store in opened))


@pytest.fixture
async def store(open_store: Opener) -> SqliteBackend:
    """A store on the test's file."""
    return await open_store()


@pytest.fixture
def inspect(path: Path) -> Callable[..., list[tuple[object, ...]]]:
    """`inspect(sql, *values)`: the rows of a query, by a connection of the test's own."""

    def query(sql: str, *values: object) -> list[tuple[object, ...]]:
        db = sqlite3.connect(path, timeout=10)
        try:
            rows: list[tuple[object, ...]] = db.execute(sql, values).fetchall()
            return rows
        finally:
            db.close()

    return query


def _open_files() -> list[str]:
    """Return the paths of this process's open files (where there is a /proc)."""
    found = []
    for link in Path("/proc/self/fd").glob("*"):
        try:
            found.append(os.readlink(link))
        except FileNotFoundError:
            continue
    return found
