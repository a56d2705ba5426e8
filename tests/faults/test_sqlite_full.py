"""A full disk, a file that may not grow, one that cannot be written, one that is damaged or locked: each is a clear error,
nothing is half done, and work goes on when the cause is gone."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

import pytest

from clew.backends.sqlite import SqliteBackend, open_backend
from clew.codec import make_entry
from clew.errors import DeniedError, FullError, UnavailableError, UnsupportedError
from clew.records import Append, Commit, Partition, PutDocument

PLACE = Partition("owner", "thread")
BIG = b"x" * 20_000


def add(id: str, data: bytes = BIG) -> Append:
    return Append("items", make_entry(id, data))


async def fill(store: SqliteBackend, name: str = "ballast") -> int:
    """Append until the store refuses; return how many appends were acknowledged."""
    for count in range(10_000):
        try:
            await store.commit(Partition("owner", name), [add(f"id-{count}")])
        except FullError:
            return count
    pytest.fail("nothing ever filled")


async def check_full_then_freed(store: SqliteBackend, free: Callable[[], object] | None) -> None:
    """Fill the store, see that it refuses cleanly, give it room, and see that it works again."""
    await store.commit(PLACE, [add("before", b"small")])
    count = await fill(store)
    with pytest.raises(FullError, match="nothing was written: free some space"):
        await store.commit(Partition("owner", "ballast"), [add("more", BIG * 20)])
    assert await store.revision(Partition("owner", "ballast")) == count
    page = await store.read(Partition("owner", "ballast"), "items", limit=1000)
    assert [entry.id for entry in page.entries] == [f"id-{n}" for n in range(count)]
    done = await asyncio.gather(
        *(store.commit(PLACE, [PutDocument("d", b"1"), add("half-1"), add(f"half-{n}", BIG * 20)]) for n in range(2, 6)),
        return_exceptions=True,
    )
    assert {type(each) for each in done} == {FullError}
    assert (await store.fetch(PLACE)).documents == {}
    assert [entry.id for entry in (await store.read(PLACE, "items")).entries] == ["before"]

    if free is None:
        assert await store.drop(Partition("owner", "ballast"), tombstone_ms=0)
    else:
        free()
    done = await asyncio.gather(*(store.commit(PLACE, [add(f"after-{n}")]) for n in range(5)), return_exceptions=True)
    assert [type(each) for each in done] == [Commit] * 5
    assert await store.revision(PLACE) == 6


async def test_a_file_at_its_max_bytes_refuses_and_goes_on_after_a_drop(tmp_path: Path) -> None:
    store = await open_backend(f"sqlite:///{tmp_path}/clew.db?max_bytes=2000000")
    await check_full_then_freed(store, None)
    await store.aclose()
    assert (tmp_path / "clew.db").stat().st_size <= 2_000_000


async def test_a_store_in_memory_at_its_max_bytes_refuses_and_goes_on_after_a_drop() -> None:
    store = await open_backend("memory://?max_bytes=2000000")
    await check_full_then_freed(store, None)
    await store.aclose()


async def test_a_full_disk_refuses_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    store = await open_backend(f"sqlite:///{small_disk}/clew.db")
    other = small_disk / "other"
    other.write_bytes(b"x" * 1_500_000)
    await check_full_then_freed(store, other.unlink)
    await store.aclose()
    db = sqlite3.connect(small_disk / "clew.db")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


async def test_a_disk_without_room_for_a_new_store_is_a_full_disk(small_disk: Path) -> None:
    (small_disk / "other").write_bytes(b"x" * (4 * 1024 * 1024 - 8192))
    with pytest.raises(FullError):
        await open_backend(f"sqlite:///{small_disk}/clew.db")


UNPRIVILEGED = """
import asyncio, os, sys
from clew.backends.sqlite import open_backend
from clew.codec import make_entry
from clew.records import Append, Partition
from clew.backends.sqlite.migrating import known_migrations

known_migrations()  # read while there is the right to
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)

async def main():
    place = Partition("owner", "thread")
    try:
        store = await open_backend(sys.argv[1])
    except Exception as e:
        print("open", type(e).__name__, e)
        return
    print("read", [entry.id for entry in (await store.read(place, "items")).entries])
    for n in range(2):
        try:
            await store.commit(place, [Append("items", make_entry("late", b"1"))])
        except Exception as e:
            print("write", type(e).__name__, e)
    print("read", [entry.id for entry in (await store.read(place, "items")).entries])
    await store.aclose()

asyncio.run(main())
"""


def run_unprivileged(path: Path) -> list[str]:
    """Use the store as a user who owns nothing; return what happened."""
    for folder in path.parents:
        if folder.stat().st_uid == os.geteuid() and folder.is_relative_to(gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o055)
    done = subprocess.run([sys.executable, "-c", UNPRIVILEGED, f"sqlite:///{path}"], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture
async def filled(tmp_path: Path) -> Path:
    """A closed file with one item."""
    folder = tmp_path / "folder"
    folder.mkdir()
    store = await open_backend(f"sqlite:///{folder}/clew.db")
    await store.commit(PLACE, [add("early", b"1")])
    await store.aclose()
    return folder / "clew.db"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no such rights on this system")
async def test_a_file_that_may_not_be_written_is_read_and_refuses_writes(filled: Path) -> None:
    filled.chmod(0o444)
    filled.parent.chmod(0o777)
    said = run_unprivileged(filled)
    assert said[0] == said[-1] == "read ['early']"
    assert len(said) == 4
    assert all(line.startswith("write FullError") and "cannot be written: make" in line for line in said[1:3])


async def test_a_folder_that_may_not_be_written_is_a_clear_error(filled: Path) -> None:
    filled.chmod(0o444)
    filled.parent.chmod(0o555)
    (said,) = run_unprivileged(filled)
    assert said.startswith("open FullError")
    assert "writable" in said


async def test_a_file_that_may_not_be_read_is_denied(filled: Path) -> None:
    filled.chmod(0o000)
    (said,) = run_unprivileged(filled)
    assert said.startswith("open DeniedError")


async def test_a_new_file_in_a_folder_that_may_not_be_written_is_denied(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o555)
    (said,) = run_unprivileged(tmp_path / "folder" / "new.db")
    assert said.startswith(f"open {DeniedError.__name__}")


async def test_a_damaged_file_is_named_and_what_is_whole_still_reads(filled: Path) -> None:
    store = await open_backend(f"sqlite:///{filled}")
    await store.commit(Partition("owner", "long"), [add(f"id-{n}", b"y" * 700) for n in range(500)])
    await store.aclose()
    content = filled.read_bytes()
    page = content.index(b"y" * 700, len(content) // 2) // 4096
    with filled.open("r+b") as file:
        file.seek(page * 4096)
        file.write(b"\xff" * 4096)
    store = await open_backend(f"sqlite:///{filled}")
    with pytest.raises(UnsupportedError, match="is damaged: restore a backup"):
        await store.read(Partition("owner", "long"), "items", limit=1000)
    assert [entry.id for entry in (await store.read(PLACE, "items")).entries] == ["early"]
    await store.aclose()


async def test_a_file_that_is_locked_for_long_is_unavailable_in_time_and_works_again(tmp_path: Path) -> None:
    store = await open_backend(f"sqlite:///{tmp_path}/clew.db?timeout=0.3")
    await store.commit(PLACE, [add("before", b"1")])
    other = sqlite3.connect(tmp_path / "clew.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    start = time.monotonic()
    done = await asyncio.gather(*(store.commit(PLACE, [add(f"id-{n}", b"1")]) for n in range(20)), return_exceptions=True)
    assert {type(each) for each in done} == {UnavailableError}
    assert 0.2 < time.monotonic() - start < 3
    # A reader is not held up by a writer.
    assert [entry.id for entry in (await store.read(PLACE, "items")).entries] == ["before"]
    other.execute("ROLLBACK")
    other.close()
    assert (await store.commit(PLACE, [add("id-3", b"1")])).outcomes == (2,)
    await store.aclose()


async def test_opening_a_locked_new_file_is_unavailable_in_time(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "clew.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UnavailableError, match=r"locked by another process for 0\.2 s"):
        await open_backend(f"sqlite:///{tmp_path}/clew.db?timeout=0.2")
    other.execute("ROLLBACK")
    other.close()
    store = await open_backend(f"sqlite:///{tmp_path}/clew.db?timeout=0.2")
    await store.aclose()
