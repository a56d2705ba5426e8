"""A page of 20 threads of an owner who has 100,000, against one of an owner who has 100."""

from __future__ import annotations

import asyncio
from typing import Final

from clew import Store

from ..measure import Work, interleave, tell
from ..report import Row, judge_cost
from ..topics import Plan, Topic
from .place import open_place

NAME: Final = "threads-20-of-100k"
OWNERS: Final = {"many": 100_000, "few": 100}


async def run(plan: Plan) -> list[Row]:
    """Measure `threads-20-of-100k`."""
    async with open_place() as place:
        for owner, count in OWNERS.items():
            tell(f"{NAME}: making {count:,} threads")
            for start in range(0, count, 1_000):
                made = (place.store.threads.create(owner, title=f"t{n}") for n in range(start, min(start + 1_000, count)))
                await asyncio.gather(*made)
        works = {"subject": _lister(place.store, "many"), "floor": _lister(place.store, "few")}
        times = await interleave(NAME, works, rounds=plan.rounds, count=50)
    return [judge_cost(NAME, times["subject"], times["floor"], note="floor: a page of an owner with 100 threads")]


def _lister(store: Store, owner: str) -> Work:
    async def work(count: int) -> None:
        for _ in range(count):
            assert len((await store.threads.list(owner, limit=20)).data) == 20

    return work


TOPIC: Final = Topic((NAME,), run)
