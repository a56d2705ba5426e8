"""Sets and lists on SQLite: what is gone gives its rows back, and a file of an older schema gets them."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from clew.backend import Collecting, Values
from clew.backends.sqlite import SqliteBackend
from clew.backends.sqlite.migrating import known_migrations, migrate
from clew.errors import InvalidError
from clew.schemes import open_backend

from ...support import wait_until

TABLES = ("collection", "member", "element", "collection_debris")


def count(path: Path) -> dict[str, int]:
    """Return the rows of each table, as another program sees them."""
    db = sqlite3.connect(path)
    try:
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    finally:
        db.close()


async def test_what_was_deleted_or_has_expired_gives_its_rows_back(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    backend = await open_backend(f"sqlite:///{path}")
    assert isinstance(backend, SqliteBackend)
    try:
        for key in ("deleted", "expired", "replaced"):
            await backend.push_elements(f"{key} list", [b"%d" % n for n in range(1_500)])
            await backend.add_members(f"{key} set", [b"%d" % n for n in range(1_500)])
        for kind in ("list", "set"):
            await backend.delete_key(f"deleted {kind}")
            await backend.expire_key(f"expired {kind}", 1)
            await backend.expire_key(f"replaced {kind}", 1)
        await asyncio.sleep(0.01)
        await backend.add_members("replaced list", [b"1"])
        await backend.push_elements("replaced set", [b"1"])
        await wait_until(lambda: count(path) == {"collection": 2, "member": 1, "element": 1, "collection_debris": 0}, 30)
        assert list(await backend.get_elements("replaced set")) == [b"1"]
    finally:
        await backend.aclose()


async def test_a_file_of_the_schema_before_keeps_its_values_and_gets_collections(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, "old.db", known_migrations()[:3])
    db.execute("INSERT INTO value (key, data) VALUES ('k', x'31')")
    db.close()
    backend = await open_backend(f"sqlite:///{path}")
    try:
        assert isinstance(backend, Values)
        assert isinstance(backend, Collecting)
        assert await backend.get_value("k") == b"1"
        assert await backend.add_members("s", [b"1"]) == 1
        with pytest.raises(InvalidError):
            await backend.add_members("k", [b"1"])
    finally:
        await backend.aclose()


async def test_two_stores_of_one_file_push_to_one_list(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    first, second = await open_backend(url), await open_backend(url)
    try:
        assert isinstance(first, Collecting)
        assert isinstance(second, Collecting)
        lengths = await asyncio.gather(*(each.push_elements("l", [b"1", b"2"]) for each in [first, second] * 30))
        assert sorted(lengths) == list(range(2, 121, 2))
        assert list(await first.get_elements("l")) == [b"1", b"2"] * 60
    finally:
        await first.aclose()
        await second.aclose()
