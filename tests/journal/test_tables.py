"""The file of a journal: one of a format before is taken over, and what the store has is marked, and deleted many at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

import clew
from clew import NewItem
from clew.codec import make_entry
from clew.ids import new_key
from clew.records import PRESENT, Append, Once, Partition, PutDocument
from clew.wrappers.journal import Options, draining, find_journals, open_journal
from clew.wrappers.journal.records import Write, decode_write, encode_write
from clew.wrappers.journal.tables import delete_done, mark_done

from ..support import wait_until
from .conftest import Open, journal_of
from .faulty import Faulty
from .test_accepting import said

FORMAT_1 = """
CREATE TABLE meta (id TEXT NOT NULL, store TEXT NOT NULL);
CREATE TABLE entry (seq INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE flight (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL);
CREATE TABLE aside (seq INTEGER PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, reason TEXT NOT NULL,
                    refused_ms INTEGER NOT NULL);
INSERT INTO meta VALUES ('of-before', 'memory://');
PRAGMA application_id = 1131177322;
PRAGMA user_version = 1;
"""


FORMAT_2 = f"""{FORMAT_1}
CREATE TABLE done (owner TEXT NOT NULL, name TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (owner, name)) WITHOUT ROWID;
PRAGMA user_version = 2;
"""


def body_1(number: int) -> bytes:
    """Return the record of an append as format 1 has it."""
    entry = [1, new_key(), 0, b"%d" % number, "message", "json", None, None, None, [], 0, None]
    return msgspec.msgpack.encode([-1, True, None, None, [[0, "items", entry]], []])


def body_2(number: int) -> bytes:
    """Return the record of an append as format 2 has it."""
    entry = [1, new_key(), 0, b"%d" % number, "message", "json", None, None, None, [], 0, None]
    return msgspec.msgpack.encode([-1, True, "items", [entry]])


async def make_thread_without_journal(instance: Open, folder: Path) -> tuple[clew.Thread, Path]:
    """Return a thread that the store has, and where the journal of the next instance is to be."""
    store = await instance()
    thread = await store.threads.create("ada")
    await store.aclose()
    (path,) = folder.glob("*.db")
    for each in folder.glob(f"{path.name}*"):
        each.unlink()
    return thread, path


async def test_a_journal_of_format_1_is_taken_over(instance: Open, server: Faulty, tmp_path: Path) -> None:
    thread, path = await make_thread_without_journal(instance, tmp_path / "journal")
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FORMAT_1)
        db.executemany("INSERT INTO entry (owner, name, body) VALUES ('ada', ?, ?)", [(thread.id, body_1(n)) for n in range(5)])
        # A flight that was on its way: the same ones go together again.
        db.execute("INSERT INTO flight VALUES (1, 3, 'ada', ?)", (thread.id,))
        db.commit()
    assert [found.depth for found in find_journals(path.parent)] == [5]
    server.is_away = True
    store = await instance()
    assert journal_of(store)._book.id == "of-before"
    assert (await store.items.append(thread, NewItem.json(5))).pending
    server.is_away = False
    await journal_of(store).drained()
    assert said(await store.items.page(thread)) == list(range(6))
    assert "clew-journal/of-before/1-3" in server.tokens


async def test_a_journal_of_format_2_keeps_its_marks_and_goes_on_with_its_numbers(
    instance: Open, server: Faulty, tmp_path: Path
) -> None:
    thread, path = await make_thread_without_journal(instance, tmp_path / "journal")
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FORMAT_2)
        db.executemany("INSERT INTO entry (owner, name, body) VALUES ('ada', ?, ?)", [(thread.id, body_2(n)) for n in range(9)])
        # The store has the first four, and the newest was written and deleted.
        db.execute("INSERT INTO done VALUES ('ada', ?, 4)", (thread.id,))
        db.execute("DELETE FROM entry WHERE seq = 9")
        db.commit()
    assert [found.depth for found in find_journals(path.parent)] == [4]
    server.is_away = True
    store = await instance()
    drainer = journal_of(store)._drainer
    assert (await store.items.append(thread, NewItem.json(9))).pending
    assert list(drainer.queues[Partition("ada", thread.id)]) == [5, 6, 7, 8, 10]
    server.is_away = False
    await journal_of(store).drained()
    assert said(await store.items.page(thread)) == [4, 5, 6, 7, 9]


@pytest.mark.parametrize(
    "write",
    [
        Write([Append("items", make_entry("a", b"1"))], PRESENT, None, True),
        Write([Append("items", make_entry("a", b"1", kind="event", status="done", links=["b"]))], PRESENT, None, True),
        Write([Append("items", make_entry("a", b"1")), Append("items", make_entry("b", b"2"))], PRESENT, None, True),
        Write([Append("items", make_entry("a", b"1"))], None, None, False),
        Write([Append("other", make_entry("a", b"1"))], PRESENT, None, True),
        Write([Append("items", make_entry("a", b"1"))], PRESENT, "token", True),
        Write([Append("items", make_entry("a", b"1"))], PRESENT, Once("token", b"digest"), True, (PutDocument("k", b"v"),)),
        Write([Append("items", replace(make_entry("a", b"\xc1"), unreadable="it is torn"))], PRESENT, None, True),
    ],
)
def test_a_record_says_all_of_its_write(write: Write) -> None:
    found = decode_write(encode_write(write))
    assert found._replace(header=tuple(found.header)) == write


async def test_a_place_goes_with_the_last_write_to_it(instance: Open, server: Faulty, tmp_path: Path) -> None:
    store = await instance()
    thread = await store.threads.create("ada")
    server.is_away = True
    await store.items.append(thread, NewItem.json(1))

    async def places() -> list[tuple[str]]:
        return await journal_of(store)._book.do(lambda db: db.execute("SELECT name FROM place").fetchall())

    assert await places() == [(thread.id,)]
    server.is_away = False
    await journal_of(store).drained()
    assert await places() == []


async def test_what_is_marked_is_neither_sent_again_nor_counted(server: Faulty, tmp_path: Path) -> None:
    options = Options(tmp_path, 1 << 24)
    store = clew.Store(await open_journal(server, "memory://", options))
    thread = await store.threads.create("ada", id="t")
    server.is_away = True
    for number in range(6):
        await store.items.append(thread, NewItem.json(number))
    # The store has the first four, and the process dies before they are deleted.
    await journal_of(store)._book.do(lambda db: mark_done(db, {Partition("ada", "t"): 4}))
    await store.aclose()
    assert [found.depth for found in find_journals(tmp_path)] == [2]
    server.is_away = False
    async with clew.Store(await open_journal(server, "memory://", options)) as store:
        await journal_of(store).drained()
        assert said(await store.items.page(thread)) == [4, 5]
        assert await journal_of(store)._book.do(lambda db: db.execute("SELECT count(*) FROM entry").fetchone()) == (0,)


@pytest.mark.parametrize("most", [0, 1 << 30])
async def test_what_the_store_has_is_deleted_while_other_writes_still_wait(
    most: int, server: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "MOST_LITTER", most)
    plain, stuck = server.commit, asyncio.Event()

    async def commit(partition: Partition, *arguments: object, **named: object) -> object:
        if partition.name == "stuck" and stuck.is_set():
            raise OSError("this one does not work")
        return await plain(partition, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(server, "commit", commit)
    async with clew.Store(await open_journal(server, "memory://", Options(tmp_path))) as store:
        threads = [await store.threads.create("ada", id=name) for name in ("stuck", "a", "b")]
        server.is_away = True
        for number in range(30):
            await store.items.append(threads[number % 3], NewItem.json(number))
        stuck.set()
        server.is_away = False
        book = journal_of(store)._book

        async def count() -> int:
            return await book.do(lambda db: int(db.execute("SELECT count(*) FROM entry").fetchone()[0]))

        async def is_deleted() -> bool:
            return await count() == 10

        await wait_until(is_deleted)
        await wait_until(lambda: journal_of(store)._drainer.depth == 10)
        stuck.clear()
        await journal_of(store).drained()
        for index, thread in enumerate(threads):
            assert said(await store.items.page(thread, limit=100)) == list(range(index, 30, 3))
        assert await count() == 0


async def test_nothing_that_waits_is_deleted_with_what_is_done(instance: Open, server: Faulty) -> None:
    store = await instance()
    threads = [await store.threads.create("ada", id=name) for name in ("a", "b")]
    server.is_away = True
    for number in range(6):
        await store.items.append(threads[number % 2], NewItem.json(number))

    def delete(db: sqlite3.Connection) -> list[tuple[int]]:
        mark_done(db, {Partition("ada", "a"): 3})
        # As many as are done, or wrongly more: what is not marked stays.
        delete_done(db, 6, 2)
        return db.execute("SELECT seq FROM entry ORDER BY seq").fetchall()

    assert await journal_of(store)._book.do(delete) == [(2,), (4,), (5,), (6,)]
