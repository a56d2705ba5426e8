"""What a SQLite URL may say, and which files are refused before anything is written to them."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from clew.backends.sqlite import open_backend
from clew.backends.sqlite.address import Address, parse_address
from clew.backends.sqlite.connection import open_writer
from clew.backends.sqlite.migrating import APPLICATION_ID, check_schema, known_migrations, migrate
from clew.codec import make_entry
from clew.errors import ClewError, InvalidError, UnsupportedError
from clew.records import Append, Partition
from clew.schemes import open_backend as open_by_scheme

from .conftest import Opener

PLACE = Partition("owner", "thread")


def test_three_slashes_are_a_relative_path_and_four_an_absolute_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_address("sqlite:///a/b.db").path == str(tmp_path / "a" / "b.db")
    assert parse_address("sqlite:////var/lib/c.db").path == "/var/lib/c.db"
    assert parse_address("sqlite:////a%20b%23%3F%25.db").path == "/a b#?%.db"
    assert parse_address("memory://").path is None


def test_options_are_read() -> None:
    url = "sqlite:////a.db?synchronous=NORMAL&timeout=0.25&max_bytes=1000000"
    assert parse_address(url) == Address("/a.db", "normal", 0.25, 1_000_000)
    assert parse_address("sqlite:////a.db") == Address("/a.db", "full", 5.0, None)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:////",
        "sqlite:////folder/",
        "sqlite://host/a.db",
        "sqlite:///:memory:",
        "sqlite:///a%00.db",
        "sqlite:///a.db#part",
        "sqlite:///a.db?journal=off",
        "sqlite:///a.db?synchronous=off",
        "sqlite:///a.db?synchronous=",
        "sqlite:///a.db?timeout=soon",
        "sqlite:///a.db?timeout=-1",
        "sqlite:///a.db?timeout=nan",
        "sqlite:///a.db?timeout=1e9",
        "sqlite:///a.db?timeout=1&timeout=2",
        "sqlite:///a.db?max_bytes=0",
        "sqlite:///a.db?max_bytes=many",
        "sqlite:///a.db?max_bytes=99999999999999999999",
        "memory://name",
        "memory:///file.db",
        "memory://?unknown=1",
        "redis://localhost",
        "sqlite://[broken",
    ],
)
async def test_a_url_that_makes_no_sense_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(InvalidError, match=r"\w+ \w+ \w+"):
        await open_backend(url)


async def test_the_table_of_schemes_opens_both(path: Path) -> None:
    for url in (f"sqlite:///{path}", "memory://"):
        backend = await open_by_scheme(url)
        assert await backend.revision(PLACE) == 0
        await backend.aclose()


async def test_a_missing_folder_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="does not exist: make it first"):
        await open_backend(f"sqlite:///{tmp_path}/no/where.db")
    assert list(tmp_path.iterdir()) == []


async def test_a_new_file_is_for_its_user_alone(open_store: Opener, path: Path) -> None:
    store = await open_store()
    await store.commit(PLACE, [Append("items", make_entry("a", b"1"))])
    modes = {stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()}
    assert modes == {0o600}


async def test_an_empty_file_becomes_a_store(open_store: Opener, path: Path) -> None:
    path.touch()
    assert (await (await open_store()).commit(PLACE, [])).revision == 1


async def test_a_folder_or_a_pipe_is_no_store(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (".", "pipe"):
        with pytest.raises(InvalidError, match="not a plain file"):
            await open_backend(f"sqlite:///{tmp_path}/{name}")


async def test_a_link_to_nowhere_or_a_name_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "clew.db")
    for name in ("link", "n" * 300):
        with pytest.raises(InvalidError, match="cannot be made"):
            await open_backend(f"sqlite:///{tmp_path}/{name}")


async def test_a_file_of_another_program_is_left_as_it_is(path: Path) -> None:
    for setup in ("CREATE TABLE theirs (a)", "PRAGMA application_id = 7", "PRAGMA user_version = 3"):
        path.unlink(missing_ok=True)
        db = sqlite3.connect(path)
        db.execute(setup)
        db.close()
        before = path.read_bytes()
        with pytest.raises(UnsupportedError, match="of another program"):
            await open_backend(f"sqlite:///{path}")
        assert path.read_bytes() == before


def test_a_file_that_another_process_prepares_at_this_moment_is_seen_as_it_was(path: Path) -> None:
    scripts = known_migrations()
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as db,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        db.execute("PRAGMA journal_mode = WAL")
        prepared: list[int] = []

        def meanwhile(statement: str) -> None:
            if statement == "PRAGMA user_version" and not prepared:
                prepared.append(migrate(other, "theirs", scripts))

        db.set_trace_callback(meanwhile)
        assert check_schema(db, "ours", len(scripts)) == 0
        assert prepared == [len(scripts)]
        assert check_schema(db, "ours", len(scripts)) == len(scripts)


async def test_a_file_that_is_no_database_is_left_as_it_is(path: Path) -> None:
    text = b"my notes\n" * 1000
    path.write_bytes(text)
    with pytest.raises(UnsupportedError, match="not a SQLite file"):
        await open_backend(f"sqlite:///{path}")
    assert path.read_bytes() == text
    assert [found.name for found in path.parent.iterdir()] == [path.name]


async def test_a_newer_schema_is_refused_and_both_versions_are_named(open_store: Opener, path: Path) -> None:
    await (await open_store()).aclose()
    newest = len(known_migrations())
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {newest + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(UnsupportedError, match=rf"schema {newest + 1}.* up to {newest}: upgrade clew"):
        await open_backend(f"sqlite:///{path}")
    assert path.read_bytes() == before


async def test_an_older_schema_is_migrated_and_keeps_what_is_in_it(
    open_store: Opener, path: Path, inspect: Callable[..., list[tuple[object, ...]]]
) -> None:
    store = await open_store()
    await store.commit(PLACE, [Append("items", make_entry("a", b"1"))])
    await store.aclose()
    further = (*known_migrations(), "-- adds a note; and its index\nCREATE TABLE note (a);\nCREATE INDEX note_a ON note (a);\n")
    open_writer(Address(str(path)), further).close()
    assert inspect("PRAGMA user_version") == [(len(further),)]
    assert inspect("PRAGMA application_id") == [(APPLICATION_ID,)]
    assert inspect("SELECT count(*) FROM entry, (SELECT count(*) FROM note)") == [(1,)]


async def test_a_migration_that_fails_changes_nothing(
    open_store: Opener, path: Path, inspect: Callable[..., list[tuple[object, ...]]]
) -> None:
    await (await open_store()).aclose()
    broken = (*known_migrations(), "CREATE TABLE note (a);\nCREATE TABLE entry (a);\n")
    with pytest.raises(ClewError, match="already exists"):
        open_writer(Address(str(path)), broken)
    assert inspect("PRAGMA user_version") == [(len(known_migrations()),)]
    assert inspect("SELECT name FROM sqlite_master WHERE name = 'note'") == []
    assert await (await open_store()).revision(PLACE) == 0


def test_each_migration_is_a_whole_script() -> None:
    scripts = known_migrations()
    assert scripts
    db = sqlite3.connect(":memory:")
    for script in scripts:
        db.executescript(script)
    db.close()


async def test_the_settings_that_durability_rests_on(path: Path, open_store: Opener) -> None:
    await open_store()
    db = open_writer(Address(str(path)))
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    db.close()
    db = open_writer(Address(str(path), "normal"))
    assert db.execute("PRAGMA synchronous").fetchone() == (1,)
    db.close()
