"""How the file is laid out: what is gone gives its space back, a page costs the page, and any id is only an id."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clew.backends.sqlite import SqliteBackend, gathering, heads, reading
from clew.backends.sqlite.address import Address
from clew.backends.sqlite.connection import open_writer
from clew.backends.sqlite.globs import Glob
from clew.codec import make_entry
from clew.records import Append, Partition, PutDocument
from tests.support import wait_until

from .conftest import Opener

PLACE = Partition("owner", "thread")
Inspect = Callable[..., list[tuple[Any, ...]]]
COUNT = """
SELECT (SELECT count(*) FROM partition), (SELECT count(*) FROM entry), (SELECT count(*) FROM document),
       (SELECT count(*) FROM log), (SELECT count(*) FROM once), (SELECT count(*) FROM removed), (SELECT count(*) FROM debris)"""


def add(id: str) -> Append:
    return Append("items", make_entry(id, b"data"))


async def test_a_dropped_partition_gives_its_space_back_a_little_at_a_time(store: SqliteBackend, inspect: Inspect) -> None:
    for start in range(0, 6000, 2000):
        changes = [add(f"id-{n}") for n in range(start, start + 2000)]
        await store.commit(PLACE, [*changes, PutDocument(f"d{start}", b"1")], once=f"token-{start}")
    await store.commit(Partition("owner", "other"), [add("stays")])
    assert await store.drop(PLACE)
    assert inspect("SELECT count(*) FROM entry")[0][0] > 1, "the drop waited until all of it was deleted"
    await wait_until(lambda: inspect(COUNT) == [(2, 1, 0, 1, 0, 0, 0)])


async def test_a_small_partition_is_gone_from_the_file_with_its_drop(store: SqliteBackend, inspect: Inspect) -> None:
    await store.commit(PLACE, [PutDocument("d", b"1"), *(add(f"id-{n}") for n in range(100))], once="token", listed=True)
    assert await store.drop(PLACE, tombstone_ms=0)
    assert inspect(COUNT) == [(0, 0, 0, 0, 0, 0, 0)]


async def test_what_expired_is_swept_when_the_file_is_opened(open_store: Opener, inspect: Inspect) -> None:
    store = await open_store()
    await store.commit(PLACE, [add("a"), PutDocument("d", b"1")], listed=True)
    await store.expire(PLACE, 1)
    await store.put_value("key", b"1", ttl_ms=1)
    await store.claim(PLACE, "name", "holder", ttl_ms=1)
    await store.put_value("stays", b"1")
    await store.aclose()
    await asyncio.sleep(0.005)  # for the clock of the store to pass it
    await open_store()
    await wait_until(lambda: inspect(COUNT) == [(0, 0, 0, 0, 0, 0, 0)])
    await wait_until(lambda: inspect("SELECT (SELECT count(*) FROM lease), (SELECT count(*) FROM value)") == [(0, 1)])


async def test_a_new_partition_in_an_expired_ones_place_starts_afresh(path: Path) -> None:
    now = 1_000_000_000
    store = SqliteBackend(Address(str(path)), clock=lambda: now)
    await store.open()
    await store.commit(PLACE, [add("a"), add("b"), PutDocument("d", b"1")], once="t", listed=True)
    await store.expire(PLACE, 1_000, kind="fixed")
    now += 1_000_000
    assert await store.revision(PLACE) == 0
    assert await store.list("owner") == []
    done = await store.commit(PLACE, [add("b")], expect=0, once="t")
    assert (done.revision, done.outcomes, done.replayed) == (1, (1,), False)
    assert (await store.fetch(PLACE)).documents == {}
    assert (await store.fetch(PLACE)).expires_ms is None
    await store.aclose()


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        (reading._OLDEST_FIRST, 3),
        (reading._NEWEST_FIRST, 3),
        (reading._LIST, 5),
        (heads._FIND, 3),
        (gathering._update(1, True, True), 5),
        (gathering._update(16, True, True), 80),
    ],
)
def test_a_statement_that_must_not_cost_the_whole_file_uses_its_index(sql: str, count: int, tmp_path: Path) -> None:
    db = open_writer(Address(str(tmp_path / "clew.db")))
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * count)]
    db.close()
    assert any("SEARCH" in step for step in plan)
    whole = [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step]
    assert [step for step in whole if "new" not in step and "CONSTANT ROW" not in step] == []


STRANGE = [
    "a\0b",
    "a",
    "a\0",
    "\0",
    "é",
    "e\u0301",
    "%",
    "a/b",
    "{x}",
    "a:b",
    "*",
    "' OR 1=1 --",
    "😀" * 128,
    "\u200b",
    "A",
    "\U0010ffff",
]


async def test_strange_ids_are_only_ids(store: SqliteBackend) -> None:
    for owner in STRANGE:
        for name in STRANGE[:6]:
            await store.commit(Partition(owner, name), [PutDocument(owner, name.encode()), add(owner)], once=name, listed=True)
    for owner in STRANGE:
        assert {line.name for line in await store.list(owner)} == set(STRANGE[:6])
        for name in STRANGE[:6]:
            found = await store.fetch(Partition(owner, name))
            assert (found.revision, found.documents) == (1, {owner: name.encode()})
            page = await store.read(Partition(owner, name), "items", before=owner, inclusive=True)
            assert [entry.id for entry in page.entries] == [owner]
    for key in STRANGE:
        assert await store.put_value(key, key.encode(), when=None) == (True, None)
    assert sorted((await store.scan_values("*"))[0]) == sorted(STRANGE)


async def test_a_scan_takes_what_matches_part_by_part(store: SqliteBackend) -> None:
    for n in range(50):
        await store.put_value(f"app:{n:02}", b"")
        await store.put_value(f"bpp:{n:02}", b"")
    found, cursor = [], None
    while True:
        keys, cursor = await store.scan_values("app:*[05]", limit=3, cursor=cursor)
        found += keys
        if cursor is None:
            break
    assert found == [f"app:{n:02}" for n in range(0, 50, 5)]


async def test_a_scan_that_matches_nothing_comes_in_bounded_parts(store: SqliteBackend, path: Path) -> None:
    db = sqlite3.connect(path)
    db.executemany("INSERT INTO value (key, data) VALUES (?, x'')", [(f"key-{n:05}",) for n in range(5000)])
    db.commit()
    db.close()
    parts, cursor = 0, None
    while True:
        keys, cursor = await store.scan_values("*nothing", cursor=cursor)
        assert keys == []
        parts += 1
        if cursor is None:
            break
    assert parts == 3


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("*", "", True),
        ("a*", "abc", True),
        ("a*", "ba", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("[ab]x", "bx", True),
        ("[ab]x", "cx", False),
        ("[^ab]x", "cx", True),
        ("[a-c]x", "bx", True),
        ("[c-a]x", "bx", True),
        (r"\*x", "*x", True),
        (r"\*x", "ax", False),
        (r"[\]]", "]", True),
        (r"[\\]", "\\", True),
        ("[.]", "a", False),
        ("a.c", "abc", False),
        ("*a*b*", "xaxbx", True),
        ("*ab", "aab", True),
        ("ab*ba", "aba", False),
        ("a*b*a", "abba", True),
        ("*\n*", "a\nb", True),
        ("[ab", "b", True),
        ("x[", "x", False),
        ("A*", "abc", False),
        ("é?", "éé", True),
        ("*" * 50 + "b", "a" * 4000, False),
        ("*a" * 40 + "*b", "a" * 4000, False),
    ],
)
def test_a_glob_means_what_it_means_in_redis(pattern: str, key: str, matches: bool) -> None:
    glob = Glob(pattern)
    assert glob.matches(key) is matches
    assert not matches or key.startswith(glob.prefix)
