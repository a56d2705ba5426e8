"""A page of 20 items in a thread of 2,000 against one of 20, and a page of 20 threads of 100,000 against 100."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from chatkit.types import ThreadMetadata

import clew
from clew import Ref, Store
from clew.adapters.chatkit import ChatKitStore
from clew.adapters.chatkit.items import make_item
from servers import Server, find

from ..measure import Work, interleave, tell
from ..report import Row, judge_cost
from ..topics import Plan, Topic
from .methods import Kit, message

NAME: Final = "chatkit-page-20"
LARGE: Final = 2_000
SMALL: Final = 20
PARTS: Final = ("asc", "desc", "after")
THREADS_NAME: Final = "chatkit-threads-20-of-100k"
MANY: Final = 100_000
FEW: Final = 100


async def run(plan: Plan) -> list[Row]:
    """Measure a page of items on Redis and, as `chatkit-page-20/sqlite/...`, in a file."""
    rows: list[Row] = []
    for prefix in _places(plan, NAME):
        async with open_store(prefix.endswith("sqlite")) as store:
            rows += await _measure(store, prefix, plan)
    return rows


async def run_threads(plan: Plan) -> list[Row]:
    """Measure a page of threads likewise."""
    rows: list[Row] = []
    for prefix in _places(plan, THREADS_NAME):
        async with open_store(prefix.endswith("sqlite")) as store:
            rows += await _measure_threads(store, prefix, plan)
    return rows


def _places(plan: Plan, name: str) -> list[str]:
    return [prefix for prefix in (f"{name}/redis", f"{name}/sqlite") if plan.wants(prefix)]


@asynccontextmanager
async def open_store(in_file: bool) -> AsyncGenerator[Store]:
    """Open a store of its own, in a file or on a server, which is gone afterwards."""
    if in_file:
        with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
            async with clew.connect(f"sqlite:///{folder}/clew.db?synchronous=normal") as store:
                yield store
        return
    with Server(find("redis-8.2")) as server:
        async with clew.connect(server.url) as store:
            yield store


async def _measure(store: Store, title: str, plan: Plan) -> list[Row]:
    kit: Kit = ChatKitStore(store, owner="ada")
    # One more than a page, so that one can be read after the first item too.
    threads = {count: await _fill(kit, f"thr_{count}", count) for count in (LARGE, SMALL, SMALL + 1)}
    rows: list[Row] = []
    for part in PARTS:
        name = f"{title}/{part}"
        if not plan.wants(name):
            continue
        large, small = f"thr_{LARGE}", f"thr_{SMALL + 1 if part == 'after' else SMALL}"
        middle, first = (threads[LARGE][LARGE // 2], threads[SMALL + 1][0]) if part == "after" else (None, None)
        order = "asc" if part == "after" else part
        works = {"subject": _pager(kit, large, middle, order), "floor": _pager(kit, small, first, order)}
        times = await interleave(name, works, rounds=plan.rounds, count=100)
        rows.append(judge_cost(name, times["subject"], times["floor"], note=f"floor: the same page of a thread of {SMALL} items"))
    return rows


def _pager(kit: Kit, thread_id: str, after: str | None, order: str) -> Work:
    async def work(count: int) -> None:
        for _ in range(count):
            page = await kit.load_thread_items(thread_id, after, 20, order, None)
            assert len(page.data) == 20

    return work


async def _fill(kit: Kit, thread_id: str, count: int) -> Sequence[str]:
    await kit.save_thread(ThreadMetadata(id=thread_id, created_at=datetime.now()), None)
    items = [message(kit, thread_id, f"This is the answer of number {n}. " * 8) for n in range(count)]
    made = [new for item in items if (new := make_item(item, None)) is not None]
    await kit.clew.items.append(Ref("ada", thread_id), made)
    return [item.id for item in items]


async def _measure_threads(store: Store, title: str, plan: Plan) -> list[Row]:
    many, few = ChatKitStore[None](store, owner="many"), ChatKitStore[None](store, owner="few")
    tell(f"{title}: making {MANY:,} threads")
    ids = {kit: await _make_threads(kit, count) for kit, count in ((many, MANY), (few, FEW))}
    rows: list[Row] = []
    for part in ("first", "after"):
        name = f"{title}/{part}"
        if plan.wants(name):
            cursors = {kit: None if part == "first" else ids[kit][len(ids[kit]) // 2] for kit in ids}
            works = {role: _lister(kit, cursors[kit]) for role, kit in (("subject", many), ("floor", few))}
            times = await interleave(name, works, rounds=plan.rounds, count=50)
            rows.append(judge_cost(name, times["subject"], times["floor"], note=f"floor: the same page of {FEW} threads"))
    return rows


def _lister(kit: Kit, after: str | None) -> Work:
    async def work(count: int) -> None:
        for _ in range(count):
            page = await kit.load_threads(20, after, "desc", None)
            assert len(page.data) == 20

    return work


async def _make_threads(kit: Kit, count: int) -> Sequence[str]:
    made = [ThreadMetadata(id=kit.generate_thread_id(None), created_at=datetime.now(), title=f"Thread {n}") for n in range(count)]
    for start in range(0, count, 500):
        await asyncio.gather(*(kit.save_thread(thread, None) for thread in made[start : start + 500]))
    return [thread.id for thread in made]


TOPIC: Final = Topic((NAME,), run)
THREADS: Final = Topic((THREADS_NAME,), run_threads)
