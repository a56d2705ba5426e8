"""Values that grow on SQLite: what is added stands in small rows, which go with their value, and an older file gets them."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from clew.backends.sqlite import SqliteBackend
from clew.backends.sqlite.migrating import known_migrations, migrate
from clew.backends.sqlite.splicing import PART_BYTES
from clew.schemes import open_backend

from ...support import wait_until

END = b"]=0000"


def look(path: Path, question: str) -> list[tuple[object, ...]]:
    """Return the rows that another program sees."""
    db = sqlite3.connect(path)
    try:
        return db.execute(question).fetchall()
    finally:
        db.close()


async def test_a_long_value_is_not_written_again_for_what_is_added(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    backend = await open_backend(f"sqlite:///{path}")
    assert isinstance(backend, SqliteBackend)
    try:
        await backend.put_value("k", b"x" * 4_000_000 + END)
        before = (path.parent / "s.db-wal").stat().st_size
        for _ in range(50):
            assert (await backend.splice_value("k", b"y" * 1_000 + END, mark=b"]=", tail=6))[0]
        grown = (path.parent / "s.db-wal").stat().st_size - before
        assert grown < 4_000_000, "fifty turns write less than the value once"
        sizes = [size for (size,) in look(path, "SELECT length(data) FROM value_part ORDER BY starts")]
        assert 3 <= len(sizes) <= 5
        assert all(isinstance(size, int) and size <= PART_BYTES for size in sizes)
        assert await backend.get_value("k") == b"x" * 4_000_000 + b"y" * 50_000 + END
    finally:
        await backend.aclose()


async def test_the_rows_of_what_was_added_go_with_their_value(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    backend = await open_backend(f"sqlite:///{path}")
    assert isinstance(backend, SqliteBackend)
    try:
        for key in ("deleted", "dropped", "put", "swapped", "whole", "expired"):
            await backend.put_value(key, END)
            await backend.splice_value(key, b"more" + END, mark=b"]=", tail=6, ttl_ms=1 if key == "expired" else None)
        await backend.put_value("deleted", None)
        await backend.delete_key("dropped")
        await backend.put_value("put", b"1")
        await backend.put_value("swapped", b"1", when=b"more" + END)
        await backend.splice_value("whole", b"whole" + END, mark=END, tail=6, whole=True)
        await asyncio.sleep(0.01)
        # What leaves debris behind is swept soon, and what has expired with it.
        await backend.push_elements("list", [b"1"])
        await backend.delete_key("list")
        await wait_until(lambda: look(path, "SELECT key FROM value_part") == [], 30)
        assert await backend.get_value("whole") == b"whole" + END
    finally:
        await backend.aclose()


async def test_a_file_of_the_schema_before_keeps_its_values_which_grow_from_now_on(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, "old.db", known_migrations()[:4])
    db.execute("INSERT INTO value (key, data) VALUES ('bytes', ?), ('text', ?)", (b"a" + END, "é" + END.decode()))
    db.close()
    backend = await open_backend(f"sqlite:///{path}")
    assert isinstance(backend, SqliteBackend)
    try:
        for key, start in (("bytes", b"a"), ("text", "é".encode())):
            assert await backend.splice_value(key, b"b]=0001", mark=b"]=", tail=6) == (True, END)
            assert await backend.get_value(key) == start + b"b]=0001"
    finally:
        await backend.aclose()
