"""Group commit: what waits goes out together, and one that fails fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from clew.backends.sqlite import SqliteBackend, gathering
from clew.backends.sqlite.address import Address
from clew.backends.sqlite.unit import Unit
from clew.codec import make_entry
from clew.errors import ConflictError, InvalidError, NotFoundError, UnknownCursorError
from clew.ids import new_id
from clew.records import ANY, Append, Change, Commit, Lease, Listed, Partition, PutDocument, Remove, Replace, Trim, Truncate

from .conftest import Opener

PLACE = Partition("owner", "thread")
Inspect = Callable[..., list[tuple[Any, ...]]]


def add(id: str, log: str = "items") -> Append:
    return Append(log, make_entry(id, id.encode()))


def count_transactions(path: Path) -> int:
    """Return how many transactions SQLite's log holds: each ends in a frame that names the size of the file."""
    log = Path(f"{path}-wal").read_bytes()
    page_size = int.from_bytes(log[8:12], "big")
    frames = range(32, len(log), 24 + page_size)
    return sum(int.from_bytes(log[at + 4 : at + 8], "big") != 0 for at in frames)


async def test_a_hundred_callers_share_a_few_transactions(store: SqliteBackend, path: Path) -> None:
    await store.commit(PLACE, [])
    before = count_transactions(path)
    done = await asyncio.gather(*(store.commit(PLACE, [add(new_id())], listed=True) for _ in range(100)))
    assert sorted(commit.outcomes[0] for commit in done) == list(range(1, 101))
    assert sorted(commit.revision for commit in done) == list(range(2, 102))
    assert count_transactions(path) - before < 20


async def test_callers_are_served_in_the_order_they_asked(store: SqliteBackend) -> None:
    ids = [new_id() for _ in range(300)]
    done = await asyncio.gather(*(store.commit(PLACE, [add(id)]) for id in ids))
    assert [commit.outcomes for commit in done] == [(n,) for n in range(1, 301)]
    page = await store.read(PLACE, "items", limit=1000)
    assert [entry.id for entry in page.entries] == ids


async def test_a_refused_commit_leaves_no_trace_and_its_neighbours_stay(store: SqliteBackend) -> None:
    await store.commit(PLACE, [PutDocument("d", b"1")])
    done = await asyncio.gather(
        store.commit(PLACE, [add("a")]),
        store.commit(PLACE, [add("lost"), Replace("items", make_entry("unknown", b""))]),
        store.commit(PLACE, [add("b")], expect=77),
        store.commit(PLACE, [add("lost"), PutDocument("e", b"lost"), PutDocument("d", b"2", when=b"0")]),
        store.commit(PLACE, [PutDocument("d", b"2", when=b"1")]),
        store.commit(PLACE, [Truncate("items", "unknown")]),
        store.commit(PLACE, [add("c")]),
        return_exceptions=True,
    )
    kinds = [type(each) for each in done]
    assert kinds == [Commit, NotFoundError, ConflictError, ConflictError, Commit, UnknownCursorError, Commit]
    page = await store.read(PLACE, "items")
    assert [(entry.id, entry.position) for entry in page.entries] == [("a", 1), ("c", 2)]
    snapshot = await store.fetch(PLACE)
    assert (snapshot.revision, snapshot.documents) == (4, {"d": b"2"})


async def test_work_that_breaks_after_it_wrote_takes_nobody_with_it(store: SqliteBackend) -> None:
    def break_down(unit: Unit) -> NoReturn:
        unit.db.execute("INSERT INTO document (partition, key, data) VALUES (1, 'half', x'00')")
        raise RuntimeError("a fault of our own")

    await store.commit(PLACE, [])
    done = await asyncio.gather(
        store.commit(PLACE, [add("a")]),
        store._engine.write(break_down),
        store.commit(PLACE, [add("b"), PutDocument("d", b"1")]),
        return_exceptions=True,
    )
    assert isinstance(done[1], RuntimeError)
    assert isinstance(done[0], Commit)
    assert isinstance(done[2], Commit)
    assert (await store.fetch(PLACE)).documents == {"d": b"1"}
    assert [entry.id for entry in (await store.read(PLACE, "items")).entries] == ["a", "b"]


async def test_an_id_that_many_append_at_once_is_there_once(store: SqliteBackend) -> None:
    await store.commit(PLACE, [add("first")])
    done = await asyncio.gather(*(store.commit(PLACE, [add(f"id-{n % 10}")]) for n in range(100)))
    kept = [commit.outcomes[0] for commit in done if commit.outcomes[0] > 0]
    assert sorted(kept) == list(range(2, 12))
    by_id = {n % 10: abs(commit.outcomes[0]) for n, commit in enumerate(done)}
    assert all(abs(commit.outcomes[0]) == by_id[n % 10] for n, commit in enumerate(done))
    page = await store.read(PLACE, "items")
    assert [entry.position for entry in page.entries] == list(range(1, 12))
    assert await store.revision(PLACE) == 101


async def test_a_batch_of_old_and_new_ids_keeps_positions_dense(store: SqliteBackend) -> None:
    await store.commit(PLACE, [add(f"old-{n}") for n in range(3)])
    mixed = [add("new-0"), add("old-1"), add("new-1"), add("old-0"), add("new-2")]
    assert (await store.commit(PLACE, mixed)).outcomes == (4, -2, 5, -1, 6)
    assert (await store.commit(PLACE, mixed)).outcomes == (-4, -2, -5, -1, -6)


async def test_what_is_remembered_holds_after_every_kind_of_change(store: SqliteBackend, inspect: Inspect) -> None:
    await store.commit(PLACE, [add(f"id-{n}") for n in range(10)])
    assert (await store.commit(PLACE, [Truncate("items", 7)])).outcomes == (3,)
    assert (await store.commit(PLACE, [add("a")])).outcomes == (11,)
    assert (await store.commit(PLACE, [Remove("items", "a")])).outcomes == (11,)
    assert (await store.commit(PLACE, [add("a")])).outcomes == (12,)
    assert (await store.commit(PLACE, [Trim("items", 100)])).outcomes == (8,)
    assert (await store.commit(PLACE, [add("b", "other"), add("c")])).outcomes == (1, 13)
    assert await store.expire(PLACE, 60_000, kind="sliding")
    assert (await store.commit(PLACE, [add("d")])).outcomes == (14,)
    assert inspect("SELECT expires_ms - updated_us / 1000 FROM partition") == [(60_000,)]
    assert await store.drop(PLACE, tombstone_ms=0)
    assert (await store.commit(PLACE, [add("e")])).outcomes == (1,)
    assert await store.revision(PLACE) == 1


async def test_what_another_store_wrote_is_not_taken_from_memory(open_store: Opener) -> None:
    one, two = await open_store(), await open_store()
    for n in range(5):
        assert (await one.commit(PLACE, [add(f"one-{n}")], listed=True)).outcomes == (2 * n + 1,)
        assert (await two.commit(PLACE, [add(f"two-{n}")], listed=True)).outcomes == (2 * n + 2,)
    await two.drop(PLACE, tombstone_ms=0)
    assert (await one.commit(PLACE, [add("again")])).outcomes == (1,)


async def test_a_caller_that_is_cancelled_does_not_tear_its_commit(store: SqliteBackend) -> None:
    changes: list[Change] = [PutDocument("d", b"1"), *(add(f"id-{n}") for n in range(50))]
    tasks = [asyncio.create_task(store.commit(Partition("owner", f"t{n}"), changes)) for n in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for n in range(40):
        place = Partition("owner", f"t{n}")
        found = await store.fetch(place)
        page = await store.read(place, "items", limit=1000)
        assert (found.revision, len(found.documents), len(page.entries)) == (1, 1, 50)


async def test_listed_moments_grow_when_the_clock_steps_back(path: Path) -> None:
    now = 0
    store = SqliteBackend(Address(str(path)), clock=lambda: now)
    await store.open()
    try:
        for name, now in (("a", 5_000_000), ("b", 3_000_000), ("c", 3_000_000), ("a", 9_000_000), ("b", 1_000_000)):  # noqa: B007
            await store.commit(Partition("owner", name), [PutDocument("d", b"", when=ANY)], listed=True)
        lines = await store.list("owner")
        assert [line.name for line in lines] == ["b", "a", "c"]
        assert [line.name for line in await store.list("owner", before=lines[0])] == ["a", "c"]
    finally:
        await store.aclose()


async def test_gathered_appends_move_every_partition_as_plain_ones_would(store: SqliteBackend, inspect: Inspect) -> None:
    places = [Partition("owner", f"t{n:03}") for n in range(150)]
    for place in places:
        await store.commit(place, [add("first")], listed=place.name < "t100")
        if place.name.endswith(("3", "7")):
            await store.expire(place, 60_000, kind="sliding" if place.name.endswith("3") else "fixed")
    fixed: dict[str, int] = dict(
        inspect("SELECT name, expires_ms FROM partition WHERE sliding_ms IS NULL AND expires_ms IS NOT NULL")
    )
    lines = {line.name: line.updated_us for line in await store.list("owner", limit=1000)}
    assert len(lines) == 100

    calls = [(place, turn) for turn in range(3) for place in places]
    done = await asyncio.gather(*(store.commit(place, [add(f"id-{turn}")], listed=turn == 1) for place, turn in calls))
    for (_place, turn), commit in zip(calls, done, strict=True):
        assert (commit.revision, commit.outcomes) == (turn + 2, (turn + 2,))
    for place in places:
        page = await store.read(place, "items")
        assert [entry.id for entry in page.entries] == ["first", "id-0", "id-1", "id-2"]
        found = await store.fetch(place)
        last = max(commit.committed_ms for (each, _), commit in zip(calls, done, strict=True) if each == place)
        assert (found.revision, found.updated_ms) == (4, last)
        if place.name.endswith("3"):
            assert found.expires_ms is not None
            assert abs(found.expires_ms - last - 60_000) <= 2
        else:
            assert found.expires_ms == fixed.get(place.name)
    after = await store.list("owner", limit=1000)
    assert {line.name for line in after} == {place.name for place in places}
    assert len({line.updated_us for line in after}) == 150
    assert all(line.updated_us > lines.get(line.name, 0) for line in after)


async def test_without_update_from_appends_are_gathered_all_the_same(
    store: SqliteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "CHUNKS", (1,))
    places = [Partition("owner", f"t{n}") for n in range(50)]
    for n in range(3):
        done = await asyncio.gather(*(store.commit(place, [add(f"id-{n}")], listed=True) for place in places))
        assert [commit.outcomes for commit in done] == [(n + 1,)] * 50
    assert len(await store.list("owner", limit=100)) == 50


async def test_a_line_or_a_lease_that_nobody_gave_is_refused(store: SqliteBackend) -> None:
    for line in (Listed("a", 1 << 70), Listed("a", -1), Listed("", 1), Listed("\ud800", 1)):
        with pytest.raises(InvalidError):
            await store.list("owner", before=line)
    for lease in (Lease("", "holder", 1, 1), Lease("name", "\ud800", 1, 1)):
        with pytest.raises(InvalidError):
            await store.renew(lease, PLACE, ttl_ms=1000)
        with pytest.raises(InvalidError):
            await store.release(lease, PLACE)
    assert await store.release(Lease("name", "holder", 1 << 90, 1), PLACE) is False


async def test_what_was_remembered_wrongly_is_looked_up_again(store: SqliteBackend) -> None:
    await store.commit(PLACE, [add("a"), add("b")])

    def spoil(unit: Unit) -> bool:
        standing = unit.memo.get(PLACE, 0)
        log = None if standing is None else standing.logs["items"]
        if log is not None:
            log.last = 0
        return log is not None

    # The memo is emptied now and then, as by the sweeper: a commit that changes nothing fills it again.
    while not await store._engine.write(spoil):
        assert (await store.commit(PLACE, [add("b")])).outcomes == (-2,)
    assert (await store.commit(PLACE, [add("c")])).outcomes == (3,)
