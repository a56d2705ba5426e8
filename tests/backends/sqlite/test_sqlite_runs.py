"""Runs in the file: what is gone gives its space back, and a file of the first schema is brought up to date."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AsyncExitStack
from pathlib import Path

import clew
from clew.backends.sqlite.migrating import known_migrations, migrate
from clew.backends.sqlite.sweeping import Sweeper
from clew.runs import Retention
from tests.support import wait_until


def count(path: Path, table: str) -> int:
    """Return how many rows a table has."""
    db = sqlite3.connect(path)
    try:
        found: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return found
    finally:
        db.close()


def sweep(path: Path, now_ms: int) -> None:
    """Sweep the file as its writer would at this time, until nothing is left to do."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        sweeper = Sweeper()
        for _ in range(50):
            sweeper.sweep(db, now_ms)
    finally:
        db.close()


async def make_run(store: clew.Store, thread: clew.Thread, events: int, retention: Retention | None = None) -> clew.Run:
    """Return a finished run with so many events of its own."""
    async with await store.runs.start(thread, retention=retention) as producer:
        for at in range(0, events, 500):
            await producer.extend([("event", b"x" * 100)] * min(500, events - at))
    return producer.run


async def test_a_deleted_threads_runs_leave_nothing_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"
    async with clew.connect(f"sqlite:///{path}") as store:
        kept, dropped = await store.threads.create("ada"), await store.threads.create("ada")
        await make_run(store, kept, 10)
        for _ in range(3):
            await make_run(store, dropped, 700)
        assert (count(path, "run"), count(path, "run_event")) == (4, 12 + 3 * 702)
        await store.threads.delete(dropped)
        assert count(path, "run") == 1
        await wait_until(lambda: (count(path, "run_event"), count(path, "run_debris")) == (12, 0))


async def test_a_log_goes_before_its_record(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"
    async with clew.connect(f"sqlite:///{path}") as store:
        thread = await store.threads.create("ada")
        run = await make_run(store, thread, 1200, Retention(ended_ms=10_000, record_ms=10_000))
        assert run.ended_ms is not None
        sweep(path, run.ended_ms + 9_000)
        assert (count(path, "run"), count(path, "run_event")) == (1, 1202)
        sweep(path, run.ended_ms + 11_000)
        assert (count(path, "run"), count(path, "run_event"), count(path, "run_debris")) == (1, 0, 0)
        assert [event.kind async for event in store.runs.follow(thread, run.id)] == ["resync", "done"]
        sweep(path, run.ended_ms + 21_000)
        assert (count(path, "run"), count(path, "run_debris")) == (0, 0)


async def test_a_file_without_runs_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, "clew.db", known_migrations()[:1])
    db.execute("INSERT INTO partition (owner, name, revision, created_us, updated_us) VALUES ('ada', 'old', 1, 1, 1)")
    db.close()
    async with clew.connect(f"sqlite:///{path}") as store:
        async with await store.runs.start(clew.Ref("ada", "old")) as producer:
            await producer.append(b"x")
        assert len((await store.runs.events(clew.Ref("ada", "old"), producer.id)).events) == 3


async def test_many_stores_of_one_file_agree_on_the_turn_and_the_end(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{tmp_path}/clew.db"
        stores = [await stack.enter_async_context(clew.connect(url)) for _ in range(4)]
        thread = await stores[0].threads.create("ada")
        calls = (store.runs.start(thread, lease=0.2) for store in stores for _ in range(5))
        done = await asyncio.gather(*calls, return_exceptions=True)
        (winner,) = (each for each in done if isinstance(each, clew.Producer))
        assert {each.actual for each in done if isinstance(each, clew.ConflictError)} == {winner.id}
        readers = [asyncio.create_task(_read(store, thread, winner.id)) for store in stores for _ in range(3)]
        await winner.append(b"x")
        await winner.aclose()
        seen = await asyncio.gather(*readers)
        assert [each[-1] for each in seen] == ["2-0"] * len(readers), "it is not interrupted once for all"
        assert seen == [seen[0]] * len(readers)


async def test_a_request_to_stop_is_heard_in_another_store_of_the_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/clew.db"
    async with clew.connect(url) as here, clew.connect(url) as there:
        thread = await here.threads.create("ada")
        async with await here.runs.start(thread, lease=600) as producer:
            await there.runs.cancel(thread, producer.id)
            async with asyncio.timeout(5):
                assert await producer.wait_stop() == "cancelled"
            await producer.cancelled()
        assert await _read(there, thread, producer.id) == ["1-0", "1-1"]


async def _read(store: clew.Store, thread: clew.Thread, run: str) -> list[str | None]:
    async with asyncio.timeout(20):
        return [event.id async for event in store.runs.follow(thread, run)]
