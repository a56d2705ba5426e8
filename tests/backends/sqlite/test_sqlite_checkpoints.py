"""Checkpoints in the file: what is gone gives its rows back, older files get them, and no life of a name is taken for another."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clew.backends.sqlite import SqliteBackend, checkpoint_changes, checkpoint_reading, checkpoint_rows, leases
from clew.backends.sqlite.address import Address
from clew.backends.sqlite.connection import open_writer
from clew.backends.sqlite.migrating import known_migrations, migrate
from clew.backends.sqlite.sweeping import Sweeper
from clew.checkpoints import DropCheckpoints, Fenced, Part, PutCheckpoint, PutWrites, Revive, Span, Write
from clew.codec import make_entry
from clew.conformance.checkpoints_support import data_of
from clew.errors import ConflictError, FencedError, FullError
from clew.records import Append, Change, Commit, Partition, PutDocument
from tests.support import wait_until

from .conftest import Opener
from .test_sqlite_group_commit import count_transactions

PLACE = Partition("owner", "thread")
DAY_MS = 24 * 3600 * 1000
Inspect = Callable[..., list[tuple[Any, ...]]]
COUNT = """
SELECT (SELECT count(*) FROM checkpoint), (SELECT count(*) FROM part), (SELECT count(*) FROM task_write),
       (SELECT count(*) FROM debris)"""


def step(n: int, *, made_ms: int | None = None, data: bytes = b"data") -> list[Change]:
    """Return the changes of a program's step: an item, a checkpoint with it, and two writes."""
    name, before = f"messages\0{n}", f"messages\0{n - 1}"
    part = Part(after=before if n else None, spans=(Span(-1, 1),))
    put = PutCheckpoint("", f"{n:05}", f"{n - 1:05}" if n else None, b"head", (name,), {name: part}, made_ms)
    writes = tuple(Write("", "task", index, "messages", data) for index in range(2))
    return [Append("items", make_entry(f"i{n}", data)), put, PutWrites("", f"{n:05}", writes)]


def many(first: int, count: int) -> list[Change]:
    """Return checkpoints with a part and a write each."""
    changes: list[Change] = []
    for n in range(first, first + count):
        put = PutCheckpoint("b", f"{n:05}", None, b"", (f"a\0{n}",), {f"a\0{n}": Part(b"data")})
        changes += [put, PutWrites("b", f"{n:05}", (Write("", "t", 0, "a", b"data"),))]
    return changes


def sweep(path: Path, now_ms: int) -> None:
    """Sweep the file as its writer would at this time, until nothing is left to do."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        sweeper = Sweeper()
        for _ in range(20):
            sweeper.sweep(db, now_ms)
    finally:
        db.close()


async def read_ids(store: SqliteBackend) -> Sequence[str]:
    return [each.id for each in (await store.list_checkpoints(PLACE, limit=1000, bare=True)).checkpoints]


async def test_a_dropped_partition_gives_the_rows_of_its_checkpoints_back_a_little_at_a_time(
    store: SqliteBackend, inspect: Inspect
) -> None:
    await store.commit(Partition("owner", "other"), [*step(0), *step(1)])
    await store.commit(PLACE, many(0, 1000))
    assert inspect(COUNT) == [(1002, 1002, 1004, 0)]
    assert await store.drop(PLACE)
    assert inspect(COUNT)[0] > (2, 2, 4, 0), "the drop waited until all of it was deleted"
    await wait_until(lambda: inspect(COUNT) == [(2, 2, 4, 0)])


async def test_a_small_partition_goes_with_its_checkpoints_at_once(store: SqliteBackend, inspect: Inspect) -> None:
    await store.commit(PLACE, many(0, 100))
    assert await store.drop(PLACE, tombstone_ms=0)
    assert inspect(COUNT) == [(0, 0, 0, 0)]


async def test_what_expired_is_swept_with_its_checkpoints_and_its_leases(
    store: SqliteBackend, path: Path, inspect: Inspect
) -> None:
    done = await store.commit(PLACE, many(0, 400))
    lease = await store.claim(PLACE, "lock", "ada", ttl_ms=1000)
    await store.expire(PLACE, 60_000, kind="fixed")
    sweep(path, done.committed_ms + 50_000)
    assert inspect(COUNT) == [(400, 400, 400, 0)]
    assert lease is not None
    assert inspect("SELECT fence FROM lease") == [(lease.fence,)]
    sweep(path, done.committed_ms + 100_000)
    assert inspect(COUNT) == [(0, 0, 0, 0)]
    assert inspect("SELECT fence FROM lease") == []


async def test_what_is_dropped_and_replaced_leaves_no_rows(store: SqliteBackend, inspect: Inspect) -> None:
    for n in range(8):
        await store.commit(PLACE, step(n))
    await store.commit(PLACE, [DropCheckpoints(tuple(("", f"{n:05}") for n in range(7)))])
    assert inspect(COUNT) == [(1, 8, 2, 0)], "the last part goes on from all of them"
    whole = PutCheckpoint("", "00008", "00007", b"", ("messages\08",), {"messages\08": Part(spans=(Span(1, 8),))})
    await store.commit(PLACE, [whole, DropCheckpoints((("", "00007"),))])
    assert inspect(COUNT) == [(1, 1, 0, 0)]
    assert len((await store.get_checkpoint(PLACE, "")).entries) == 8


async def test_the_newest_fence_is_known_as_long_as_its_partition_is(path: Path, inspect: Inspect) -> None:
    now_ms = 1_000_000_000
    store = SqliteBackend(Address(str(path)), clock=lambda: now_ms * 1000)
    await store.open()
    nowhere = Partition("owner", "nowhere")
    await store.commit(PLACE, [])
    claims = [(PLACE, "released"), (PLACE, "ended"), (nowhere, "alone")]
    released, ended, alone = [await store.claim(place, name, "ada", ttl_ms=1000) for place, name in claims]
    assert released is not None
    assert ended is not None
    assert alone is not None
    await store.release(released, PLACE)
    await store.release(alone, nowhere)
    sweep(path, now_ms + DAY_MS // 2)
    assert len(inspect("SELECT fence FROM lease")) == 3
    for _ in range(2):
        now_ms += 2 * DAY_MS
        sweep(path, now_ms)
        assert inspect("SELECT name FROM lease ORDER BY name") == [("ended",), ("released",)]
    await store.commit(PLACE, [Fenced("released", released.fence), Fenced("ended", ended.fence)])
    with pytest.raises(FencedError):
        await store.commit(nowhere, [Fenced("alone", alone.fence)])
    taken = await store.claim(PLACE, "ended", "bob", ttl_ms=1000)
    assert taken is not None
    with pytest.raises(FencedError):
        await store.commit(PLACE, [Fenced("ended", ended.fence), *step(0)])
    await store.commit(PLACE, [Fenced("ended", taken.fence)])
    assert await read_ids(store) == []
    await store.aclose()


async def test_an_older_file_keeps_what_it_has_and_gets_checkpoints(path: Path, open_store: Opener) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, "clew.db", known_migrations()[:5])
    db.execute("INSERT INTO partition (owner, name, revision, created_us, updated_us) VALUES ('owner', 'thread', 1, 5000, 5000)")
    db.execute(
        "INSERT INTO lease (fence, owner, partition, name, holder, expires_ms) VALUES (7, 'owner', 'thread', 'lock', 'a', 9)"
    )
    db.close()
    store = await open_store()
    assert (await store.commit(PLACE, [*step(0, made_ms=5), Fenced("lock", 7)], expect=1)).outcomes == (1, 5, 2, 0)
    assert len((await store.get_checkpoint(PLACE, "")).entries) == 1
    assert len(known_migrations()) == (await store.describe())["schema version"]


async def test_checkpoints_of_an_older_file_are_all_there_under_their_keys(path: Path, open_store: Opener) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, "clew.db", known_migrations()[:7])
    db.execute("INSERT INTO partition (owner, name, revision, created_us, updated_us) VALUES ('owner', 'thread', 1, 5000, 5000)")
    uses = msgspec.msgpack.encode(["a\0002"])
    points = [(1, branch, id, None, b"head", uses) for branch in ("", "b") for id in ("2", "1")]
    db.executemany("INSERT INTO checkpoint (partition, branch, id, parent, head, uses) VALUES (?, ?, ?, ?, ?, ?)", points)
    parts = [(1, branch, f"a\0{n}", f"a\0{n - 1}" if n > 1 else None, b"%d" % n) for branch in ("", "b") for n in (2, 1)]
    db.executemany("INSERT INTO part (partition, branch, name, after, data) VALUES (?, ?, ?, ?, ?)", parts)
    db.close()
    store = await open_store()
    for branch in ("", "b"):
        page = await store.list_checkpoints(PLACE, branch=branch)
        assert [(found.id, found.head, found.uses) for found in page.checkpoints] == [(id, b"head", ("a\0002",)) for id in "21"]
        assert page.parts == {"a\0002": Part(b"2", "a\0001"), "a\0001": Part(b"1")}


@pytest.mark.parametrize("tombstone_ms", [0, 1000])
async def test_a_new_life_begins_in_a_later_millisecond_whatever_the_clock_says(path: Path, tombstone_ms: int) -> None:
    store = SqliteBackend(Address(str(path)), clock=lambda: 1_000_000_000)
    await store.open()
    lives = [(await store.commit(PLACE, step(0))).outcomes[1]]
    for _ in range(3):
        await store.drop(PLACE, tombstone_ms=tombstone_ms)
        with pytest.raises(ConflictError):
            await store.commit(PLACE, [Revive(), *step(0, made_ms=lives[-1])])
        done = await store.commit(PLACE, [Revive(), *step(0)], listed=True)
        assert done.outcomes[0] == bool(tombstone_ms)
        lives.append(done.outcomes[2])
        assert (await store.fetch(PLACE)).created_ms == lives[-1]
        with pytest.raises(ConflictError):
            await store.commit(PLACE, step(1, made_ms=lives[-2]))
    assert lives == sorted(set(lives))
    assert [line.name for line in await store.list("owner")] == ["thread"]
    await store.aclose()


async def test_another_process_tells_one_life_from_the_next(open_store: Opener) -> None:
    first, second = await open_store(), await open_store()
    made_ms = (await first.commit(PLACE, step(0))).outcomes[1]
    assert (await first.commit(PLACE, step(1, made_ms=made_ms))).outcomes == (2, made_ms, 2)
    await second.drop(PLACE)
    again = (await second.commit(PLACE, [Revive(), *step(0)])).outcomes[2]
    assert again > made_ms
    with pytest.raises(ConflictError) as caught:
        await first.commit(PLACE, step(2, made_ms=made_ms))
    assert (caught.value.expected, caught.value.actual) == (made_ms, again)
    with pytest.raises(ConflictError):
        await first.commit(PLACE, step(2))
    await first.commit(PLACE, step(1, made_ms=again))
    assert await read_ids(second) == ["00001", "00000"]


async def test_steps_of_many_share_a_transaction_and_a_refused_one_leaves_no_trace(store: SqliteBackend, path: Path) -> None:
    threads = [Partition("owner", f"thread-{n}") for n in range(50)]
    await asyncio.gather(*(store.commit(each, step(0)) for each in threads))
    before = count_transactions(path)
    calls = [step(2) if n % 10 == 0 else step(1) for n in range(50)]
    done = await asyncio.gather(*map(store.commit, threads, calls), return_exceptions=True)
    assert count_transactions(path) - before < 10
    for n, (each, result) in enumerate(zip(threads, done, strict=True)):
        page = await store.list_checkpoints(each)
        if n % 10 == 0:
            assert isinstance(result, ConflictError)
            assert ([found.id for found in page.checkpoints], len(page.entries)) == (["00000"], 1)
            assert await store.revision(each) == 1
        else:
            assert isinstance(result, Commit)
            assert ([found.id for found in page.checkpoints], len(page.entries)) == (["00001", "00000"], 2)


async def test_a_step_that_finds_no_room_leaves_nothing_behind(open_store: Opener) -> None:
    store = await open_store(max_bytes=500_000)
    await store.commit(PLACE, step(0))
    big = [*step(1, data=b"x" * 100_000), PutDocument("d", b"1"), DropCheckpoints((("", "00000"),))]
    with pytest.raises(FullError):
        await store.commit(PLACE, [*big, *(Append("items", make_entry(f"big-{n}", b"x" * 100_000)) for n in range(5))])
    page = await store.list_checkpoints(PLACE)
    assert [each.id for each in page.checkpoints] == ["00000"]
    assert data_of(page) == {1: ("json", b"data")}
    assert await store.revision(PLACE) == 1
    assert (await store.commit(PLACE, step(1))).outcomes[0] == 2


PAGE = checkpoint_reading._COLUMNS + "{} ORDER BY branch DESC, id DESC LIMIT ?"


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        (checkpoint_reading._ONE, 3),
        (checkpoint_reading._LATEST, 2),
        (checkpoint_reading._WRITES.format("?, ?, ?, ?"), 6),
        (checkpoint_reading._PARTS.format("?3, ?4"), 4),
        (checkpoint_reading._WAY, 3),
        (checkpoint_reading._ENTRIES, 2),
        (PAGE.format(" AND branch = ? AND id < ?"), 4),
        (PAGE.format(" AND id < ? AND (branch, id) < (?, ?)"), 5),
        (checkpoint_rows._HAS.format("?, ?"), 4),
        (checkpoint_rows._CHAINS, 2),
        (checkpoint_rows._USES, 2),
        (checkpoint_rows._DELETE, 3),
        (checkpoint_changes._DROP, 3),
        (checkpoint_changes._DROP_WRITES, 3),
        (leases._OLD, 2),
    ],
)
def test_a_statement_costs_what_it_finds(sql: str, count: int) -> None:
    db = open_writer(Address(None))
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * count)]
    db.close()
    assert any("SEARCH" in line for line in plan)
    assert [line for line in plan if "TEMP B-TREE" in line or ("SCAN" in line and line not in ("SCAN needed", "SCAN way"))] == []
