"""A page of 20 at the start, in the middle and at the end of 100,000 items, against the same page of 100 items."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import clew
from clew import Ref, Store

from ..measure import Work, interleave, tell
from ..report import Row, judge_cost
from ..topics import Plan, Topic
from .place import OWNER, fill, open_place

NAME: Final = "page-20-of-100k"
LARGE: Final = 100_000
SMALL: Final = 100
PARTS: Final = ("start", "middle", "end")


async def run(plan: Plan) -> list[Row]:
    """Measure a page on Redis and, as `page-20-of-100k/sqlite/...`, in a file."""
    rows: list[Row] = []
    if any(plan.wants(f"{NAME}/{part}") for part in PARTS):
        async with open_place() as place:
            rows += await _measure(place.store, NAME, plan)
    if plan.wants(f"{NAME}/sqlite"):
        async with _open_file() as store:
            rows += await _measure(store, f"{NAME}/sqlite", plan)
    return rows


@asynccontextmanager
async def _open_file() -> AsyncGenerator[Store]:
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        async with clew.connect(f"sqlite:///{folder}/clew.db?synchronous=normal") as store:
            yield store


async def _measure(store: Store, title: str, plan: Plan) -> list[Row]:
    tell(f"{title}: filling {LARGE:,} items")
    large, small = Ref(OWNER, "large"), Ref(OWNER, "small")
    ids = {thread: await fill(store, thread.id, count) for thread, count in ((large, LARGE), (small, SMALL))}
    rows: list[Row] = []
    for part in PARTS:
        name = f"{title}/{part}"
        if plan.wants(name):
            works = {"subject": _pager(store, large, ids[large], part), "floor": _pager(store, small, ids[small], part)}
            times = await interleave(name, works, rounds=plan.rounds, count=200)
            note = "floor: the same page of a thread of 100 items; by the id of the item before it" if part == "middle" else ""
            rows.append(judge_cost(name, times["subject"], times["floor"], note=note))
    return rows


def _pager(store: Store, thread: Ref, ids: Sequence[str], part: str) -> Work:
    after = ids[len(ids) // 2] if part == "middle" else None

    async def work(count: int) -> None:
        for _ in range(count):
            page = await store.items.page(thread, after=after, limit=20, newest_first=part == "end")
            assert len(page.data) == 20

    return work


TOPIC: Final = Topic((*(f"{NAME}/{part}" for part in PARTS), f"{NAME}/sqlite"), run)
