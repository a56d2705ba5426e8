"""The replay: in order and once each, whatever interrupts it, whatever the store refuses, however many instances there are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import clew
from clew import NewItem, Ref
from clew.backends.sqlite import SqliteBackend
from clew.codec import make_entry
from clew.errors import ConflictError, UnavailableError, UnsupportedError
from clew.records import PRESENT, Append, Change, Commit, Once, Partition
from clew.wrappers.journal import Options, draining, drop_aside, find_journals, open_book, open_journal
from clew.wrappers.journal.records import FORMAT, Write, encode_write
from clew.wrappers.journal.wrapper import JournalBackend

from ..support import wait_until
from .conftest import Open, journal_of
from .faulty import Faulty
from .test_accepting import said


async def accept(store: clew.Store, thread: clew.Thread, count: int, start: int = 0) -> None:
    """Append numbers, each of which has to be accepted."""
    for number in range(start, start + count):
        assert (await store.items.append(thread, NewItem.json(number))).pending


STEPS = ["before the plan", "after the plan", "before the commit", "after the commit", "before taking out", "after taking out"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_replay_that_is_cut_off_anywhere_goes_on_and_doubles_nothing(
    step: str, server: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Options(tmp_path, 1 << 24)
    first = clew.Store(await open_journal(server, "memory://", folder))
    threads = [await first.threads.create("ada", id=name) for name in ("a", "b")]
    server.is_away = True
    for number in range(30):
        await first.items.append(threads[number % 2], NewItem.json(number))
    reached = asyncio.Event()
    journal = journal_of(first)
    drainer, rounds = journal._drainer, 0
    plain_do, plain_commit = journal._book.do, server.commit

    async def stop() -> None:
        reached.set()
        await asyncio.Event().wait()

    async def do(work: object) -> object:
        nonlocal rounds
        rounds += not server.is_away
        at = "plan" if rounds == 1 else "taking out"
        if not server.is_away and step == f"before {'the ' if at == 'plan' else ''}{at}":
            await stop()
        done: object = await plain_do(work)  # type: ignore[arg-type]
        if not server.is_away and step == f"after {'the ' if at == 'plan' else ''}{at}":
            await stop()
        return done

    async def commit(*arguments: object, **named: object) -> object:
        if not server.is_away and step == "before the commit":
            await stop()
        done = await plain_commit(*arguments, **named)  # type: ignore[arg-type]
        if not server.is_away and step == "after the commit":
            await stop()
        return done

    monkeypatch.setattr(journal._book, "do", do)
    monkeypatch.setattr(server, "commit", commit)
    server.is_away = False
    await asyncio.wait_for(reached.wait(), 10)
    # As a process that is killed: nothing more is written, in the store or in the file.
    assert drainer._task is not None
    drainer._task.cancel()
    await asyncio.gather(drainer._task, return_exceptions=True)
    await journal._book.aclose()
    monkeypatch.undo()
    async with clew.Store(await open_journal(server, "memory://", folder)) as second:
        await journal_of(second).drained()
        for index, thread in enumerate(threads):
            assert said(await second.items.page(thread, limit=100)) == list(range(index, 30, 2))
    assert [(found.depth, found.aside) for found in find_journals(tmp_path)] == [(0, [])]


async def test_lost_answers_double_nothing_and_keep_the_order(instance: Open, server: Faulty) -> None:
    store = await instance()
    thread = await store.threads.create("ada")
    server.losing = 3
    for number in range(50):
        await store.items.append(thread, NewItem.json(number))
    await journal_of(store).drained()
    assert said(await store.items.page(thread, limit=100)) == list(range(50))
    # What an answer was lost to, somebody removed: a token is known though its item is not.
    server.is_away = True
    await accept(store, thread, 1, 50)
    server.losing, server.is_away = 1, False
    await wait_until(lambda: not server.losing)
    inside = await server.read(Partition("ada", thread.id), "items", newest_first=True, limit=1)
    await clew.Store(server).items.remove(thread, inside.entries[0].id)
    await journal_of(store).drained()
    assert said(await store.items.page(thread, limit=100)) == list(range(50))


async def test_what_the_store_refuses_is_kept_aside_and_holds_up_nothing(instance: Open, server: Faulty, tmp_path: Path) -> None:
    store, other = await instance(), clew.Store(server)
    kept, gone = await store.threads.create("ada", id="kept"), await store.threads.create("ada", id="gone")
    server.is_away = True
    await store.threads.create("ada", id="taken")
    await accept(store, gone, 3)
    await store.items.append(Ref("ada", "never"), NewItem.json("nobody made it"))
    await accept(store, kept, 3)
    await store.items.append(kept, NewItem.json("first"), once="same")
    await store.items.append(kept, NewItem.json("last"))
    server.is_away = False
    # Before the journal finds out that the store is back.
    await other.threads.delete(gone)
    await other.threads.create("ada", id="taken")
    await journal_of(store).drained()
    assert said(await store.items.page(kept)) == [0, 1, 2, "first", "last"]
    (found,) = find_journals(tmp_path / "journal")
    told = [(line.partition.name, line.reason.partition(":")[0]) for line in found.aside]
    assert sorted(told) == [("gone", "GoneError")] * 3 + [("never", "NotFoundError"), ("taken", "ConflictError")]
    assert (await journal_of(store).waiting())["aside"] == 5
    # As `clew journal drop` does beside the process that has the journal open.
    assert drop_aside(found.path, [line.seq for line in found.aside[:2]]) == 2
    assert (await journal_of(store).waiting())["aside"] == journal_of(store).meters().journal_aside == 3


async def test_one_of_several_that_go_together_is_refused_alone(instance: Open, server: Faulty) -> None:
    store = await instance()
    thread = await store.threads.create("ada")
    server.is_away = True
    await accept(store, thread, 5)
    backend, partition = journal_of(store), Partition("ada", thread.id)
    entry = (await store.items.append(thread, NewItem.json("x"))).ids

    def queue(seq: int) -> None:
        backend._drainer.add(partition, seq)

    # A log's name that the store will not have, and a record that nobody can read.
    bad = Append("b" * 600, make_entry(entry[0], b"1"))
    await backend._book.add(partition, encode_write(Write([bad], PRESENT, None, True)), queue)
    await backend._book.add(partition, b"\xc1 no record", queue)
    await accept(store, thread, 5, 5)
    server.is_away = False
    await backend.drained()
    assert said(await store.items.page(thread)) == [0, 1, 2, 3, 4, "x", 5, 6, 7, 8, 9]
    assert (await backend.waiting())["aside"] == 2


async def test_two_instances_drain_their_own_once_and_a_third_takes_up_what_one_left(
    instance: Open, server: Faulty, tmp_path: Path
) -> None:
    options = Options(tmp_path / "journal", 1 << 24)
    one, two = await instance(), clew.Store(await open_journal(server, "memory://", options))
    thread = await one.threads.create("ada")
    server.is_away = True
    await asyncio.gather(accept(one, thread, 20), accept(two, thread, 20, 100))
    left = journal_of(two)._book.path
    await two.aclose()
    three = await instance()
    assert journal_of(three)._book.path == left
    server.is_away = False
    await asyncio.gather(journal_of(one).drained(), journal_of(three).drained())
    found = said(await one.items.page(thread, limit=100))
    assert [number for number in found if number < 100] == list(range(20))  # type: ignore[operator]
    assert [number for number in found if number >= 100] == list(range(100, 120))  # type: ignore[operator]


async def test_a_journal_is_opened_by_one_and_a_newer_or_foreign_one_by_nobody(tmp_path: Path) -> None:
    path = str(tmp_path / "a-1.db")
    opened = await open_book(path, "memory://")
    with pytest.raises(ConflictError, match="open elsewhere"):
        await open_book(path, "memory://")
    await opened.do(lambda db: db.execute(f"PRAGMA user_version = {FORMAT + 1}"))
    await opened.aclose()
    with pytest.raises(UnsupportedError, match="upgrade clew"):
        await open_book(path, "memory://")
    with pytest.raises(UnsupportedError, match="upgrade clew"):
        find_journals(tmp_path)
    async with clew.connect(f"sqlite:///{tmp_path / 'b-1.db'}"):
        pass
    with pytest.raises(UnsupportedError, match="no journal"):
        await open_book(str(tmp_path / "b-1.db"), "memory://")


async def test_no_clock_orders_anything(instance: Open, server: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await instance()
    thread = await store.threads.create("ada")
    server.is_away = True
    for number, moment in enumerate([5e17, 4e17, 6e17, 1e17, 9e17]):
        monkeypatch.setattr(time, "time_ns", lambda moment=moment: int(moment))
        monkeypatch.setattr(time, "time", lambda moment=moment: moment / 1e9)
        await accept(store, thread, 1, number)
    server.is_away = False
    await journal_of(store).drained()
    assert said(await store.items.page(thread)) == list(range(5))


async def test_while_the_store_is_away_one_tries_and_with_pauses(
    instance: Open, server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "FIRST_S", 0.05)
    store = await instance()
    threads = [await store.threads.create("ada") for _ in range(20)]
    server.is_away = True
    tries = server.tries
    for number in range(10):
        await asyncio.gather(*(store.items.append(thread, NewItem.json(number)) for thread in threads))
    await asyncio.sleep(0.4)
    # The first round of calls, a first round of tries, then one at a time: 0.05, 0.1, 0.2, ...
    assert server.tries - tries <= len(threads) + draining.AT_ONCE + 8
    server.is_away = False
    await journal_of(store).drained()
    for thread in threads:
        assert said(await store.items.page(thread)) == list(range(10))


async def test_a_part_that_is_away_holds_up_no_other(tmp_path: Path) -> None:
    class InPart(Faulty):
        async def commit(
            self,
            partition: Partition,
            changes: Sequence[Change],
            *,
            expect: int | None = None,
            once: str | Once | None = None,
            listed: bool = False,
        ) -> Commit:
            verb = SqliteBackend.commit if partition.name == "there" else Faulty.commit
            return await verb(self, partition, changes, expect=expect, once=once, listed=listed)

        @property
        def fails_in_part(self) -> bool:
            return True

    server = InPart()
    await server.open()
    backend = await open_journal(server, "memory://", Options(tmp_path))
    async with clew.Store(backend) as store:
        away, there = await store.threads.create("ada", id="away"), await store.threads.create("ada", id="there")
        server.is_away = True
        await accept(store, away, 1)
        await asyncio.sleep(0.1)
        assert not (await store.items.append(there, NewItem.json(1))).pending
        with pytest.raises(UnavailableError):
            await store.items.append(away, NewItem.json(2), expect=2)
        server.is_away = False
        assert isinstance(backend, JournalBackend)
        await backend.drained()
        assert said(await store.items.page(away)) == [0]
    await server.end()


async def test_appends_that_make_their_thread_go_together(instance: Open, server: Faulty) -> None:
    store = await instance()
    server.is_away = True
    thread = Ref("ada", "made")
    for number in range(20):
        await store.items.append(thread, NewItem.json(number), create=True, title=f"{number}")
    server.is_away = False
    tries = server.tries
    await journal_of(store).drained()
    assert server.tries - tries <= 4
    assert said(await store.items.page(thread, limit=100)) == list(range(20))
    assert (await store.threads.get(thread)).title == "0"
