"""Durable appends to a SQLite file, against a bare insert and commit of the same bytes, with the same `synchronous=FULL`."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from typing import Final

import clew
from clew import NewItem, Thread

from ..measure import interleave
from ..report import Row, judge_cost, judge_throughput
from ..topics import Plan, Topic
from .place import OWNER, PAYLOAD

ONE: Final = "sqlite-append-1"
TASKS: Final = "sqlite-append-100-tasks"
TASKS_AT_ONCE: Final = 100
OFF_LOOP: Final = "floor: insert and commit in a thread, as an asyncio program has to call it"
IN_LOOP: Final = "no limit: the floor is called in the event loop's own thread, which it blocks while the disk syncs"


class Bare:
    """A table, an insert, a commit: and nothing else."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # The same as clew's, so that both put their log back into the file as often.
        for line in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000"):
            self._connection.execute(f"PRAGMA {line}")
        self._connection.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, data BLOB)")

    def append(self) -> None:
        """Insert the payload; without a transaction around it, the statement commits by itself."""
        self._connection.execute("INSERT INTO log (data) VALUES (?)", (PAYLOAD,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@asynccontextmanager
async def _open() -> AsyncGenerator[tuple[clew.Store, Thread, Bare, ThreadPoolExecutor]]:
    with (
        tempfile.TemporaryDirectory(prefix="clew-bench-") as folder,
        closing(Bare(f"{folder}/bare.db")) as bare,
        ThreadPoolExecutor(1) as pool,
    ):
        async with clew.connect(f"sqlite:///{folder}/clew.db") as store:
            yield store, await store.threads.create(OWNER, ttl=3600), bare, pool


async def run(plan: Plan) -> list[Row]:
    """Measure `sqlite-append-1` and `sqlite-append-100-tasks`."""
    rows: list[Row] = []
    async with _open() as (store, thread, bare, pool):
        loop = asyncio.get_running_loop()

        async def subject(count: int) -> None:
            for _ in range(count):
                await store.items.append(thread, NewItem(PAYLOAD))

        async def off_loop(count: int) -> None:
            for _ in range(count):
                await loop.run_in_executor(pool, bare.append)

        async def in_loop(count: int) -> None:
            for _ in range(count):
                bare.append()

        async def subjects(count: int) -> None:
            await asyncio.gather(*(subject(count // TASKS_AT_ONCE) for _ in range(TASKS_AT_ONCE)))

        async def off_loops(count: int) -> None:
            await asyncio.gather(*(off_loop(count // TASKS_AT_ONCE) for _ in range(TASKS_AT_ONCE)))

        if plan.wants(ONE):
            works = {"subject": subject, "floor": off_loop, "direct": in_loop}
            times = await interleave(ONE, works, rounds=plan.rounds, count=300)
            rows.append(judge_cost(ONE, times["subject"], times["floor"], note=OFF_LOOP))
            rows.append(judge_cost(f"{ONE}/direct", times["subject"], times["direct"], free=True, note=IN_LOOP))
        if plan.wants(TASKS):
            works = {"subject": subjects, "floor": off_loops, "direct": in_loop}
            times = await interleave(TASKS, works, rounds=plan.rounds, count=2_000)
            rows.append(judge_throughput(TASKS, times["subject"], times["floor"], note=f"{OFF_LOOP}; all share one"))
            rows.append(judge_throughput(f"{TASKS}/direct", times["subject"], times["direct"], free=True, note=IN_LOOP))
    return rows


TOPIC: Final = Topic((ONE, TASKS), run)
