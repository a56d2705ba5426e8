"""What a journal costs: while Redis is there, while it is away, and when what was accepted is written to it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import clew
from clew import NewItem, Ref
from clew.schemes import open_backend
from clew.wrappers.journal import Options, drain
from servers import Server, find

from ..core.place import OWNER, PAYLOAD
from ..core.sqlite import Bare
from ..measure import interleave, tell
from ..report import Row, judge_cost
from ..topics import Plan, Topic

OVERHEAD: Final = "journal-overhead"
ACCEPT: Final = "journal-accept"
REPLAY: Final = "journal-replay"
WRITES: Final = 100_000
THREADS: Final = 100
AT_ONCE: Final = 16
BATCH: Final = 500
REPLAYS: Final = 7
"""Rounds of the replay, each of WRITES."""


@asynccontextmanager
async def _server(folder: str) -> AsyncGenerator[tuple[Server, str]]:
    with Server(find("redis-8.2")) as server:
        yield server, f"{server.url}?timeout=1&on_outage=journal&journal={folder}"


async def run(plan: Plan) -> list[Row]:
    """Measure the rows that are wanted."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        if plan.wants(OVERHEAD):
            rows.append(await _overhead(plan, folder))
        if plan.wants(ACCEPT):
            rows.append(await _accept(plan, folder))
        if plan.wants(REPLAY):
            rows.append(await _replay(folder))
    return rows


async def _overhead(plan: Plan, folder: str) -> Row:
    async with _server(folder) as (server, url), clew.connect(url) as on, clew.connect(server.url) as off:
        thread, other = await on.threads.create(OWNER), await off.threads.create(OWNER)

        async def subject(count: int) -> None:
            for _ in range(count):
                await on.items.append(thread, NewItem(PAYLOAD))

        async def floor(count: int) -> None:
            for _ in range(count):
                await off.items.append(other, NewItem(PAYLOAD))

        times = await interleave(OVERHEAD, {"subject": subject, "floor": floor}, rounds=plan.rounds, count=2_000)
    return judge_cost(OVERHEAD, times["subject"], times["floor"], note="floor: the same store without a journal")


async def _accept(plan: Plan, folder: str) -> Row:
    with closing(Bare(f"{folder}/bare.db")) as bare, ThreadPoolExecutor(1) as pool:
        async with _server(folder) as (server, url), clew.connect(url) as store:
            thread = await store.threads.create(OWNER)
            server.kill()
            loop = asyncio.get_running_loop()

            async def subject(count: int) -> None:
                for _ in range(count):
                    assert (await store.items.append(thread, NewItem(PAYLOAD))).pending

            async def floor(count: int) -> None:
                for _ in range(count):
                    await loop.run_in_executor(pool, bare.append)

            times = await interleave(ACCEPT, {"subject": subject, "floor": floor}, rounds=plan.rounds, count=300)
    return judge_cost(ACCEPT, times["subject"], times["floor"], note="floor: insert and commit in a thread, as the row of SQLite")


async def _replay(folder: str) -> Row:
    tell(f"{REPLAY}: {REPLAYS} rounds of {WRITES:,}")
    subject, floor = [], []
    for number in range(REPLAYS):
        journal = f"{folder}/replay-{number}"
        async with _server(journal) as (server, url):
            async with clew.connect(url) as store:
                await _make(store, "replayed")
                server.kill()
                await asyncio.gather(*(_fill(store, part) for part in range(THREADS)))
            server.restart()
            backend = await open_backend(server.url)
            async with clew.Store(backend) as plain:
                await _make(plain, "replayed")
                await _make(plain, "direct")
                start = time.perf_counter()
                assert await drain(backend, url, Options(Path(journal)), seconds=600) == []
                subject.append((time.perf_counter() - start) / WRITES)
                start = time.perf_counter()
                await asyncio.gather(*(_append(plain, first) for first in range(AT_ONCE)))
                floor.append((time.perf_counter() - start) / WRITES)
                found = await plain.items.tail(Ref(OWNER, f"replayed-{THREADS - 1}"), 1)
                assert found[0].position == WRITES // THREADS
    return judge_cost(REPLAY, subject, floor, note=f"floor: {BATCH} items a call, {AT_ONCE} calls at once")


async def _make(store: clew.Store, name: str) -> None:
    for part in range(THREADS):
        await store.threads.put(Ref(OWNER, f"{name}-{part}"), create=True)


async def _fill(store: clew.Store, part: int) -> None:
    for _ in range(WRITES // THREADS):
        assert (await store.items.append(Ref(OWNER, f"replayed-{part}"), NewItem(PAYLOAD))).pending


async def _append(store: clew.Store, first: int) -> None:
    for part in range(first, THREADS, AT_ONCE):
        for _ in range(WRITES // THREADS // BATCH):
            await store.items.append(Ref(OWNER, f"direct-{part}"), [NewItem(PAYLOAD)] * BATCH)


TOPIC: Final = Topic((OVERHEAD, ACCEPT, REPLAY), run)
