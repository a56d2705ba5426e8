"""What an item costs in the server's memory beyond its payload: the growth of `used_memory` while nobody is connected."""

from __future__ import annotations

import statistics
from typing import Final

import clew
from servers import MissingBinaryError, Server, find

from ..measure import tell
from ..report import Row, judge, miss
from ..topics import Plan, Topic
from .place import OWNER, PAYLOAD, fill

NAME: Final = "memory-per-item"
KINDS: Final = ("redis-8.2", "valkey-9.1")
SIZES: Final = {100: 50, 10_000: 2, 100_000: 1}
"""Items in a thread, and how many such threads are made at once: what a small one costs is too little to be seen alone."""


async def run(plan: Plan) -> list[Row]:
    """Measure `memory-per-item` on each kind of server: the worst of the three sizes."""
    rows: list[Row] = []
    for kind in KINDS:
        name = f"{NAME}/{kind}"
        if plan.wants(name):
            try:
                binary = find(kind)
            except MissingBinaryError as error:
                rows.append(miss(name, str(error)))
                continue
            with Server(binary) as server:
                rows.append(await _measure(server, name, plan.rounds))
    return rows


async def _measure(server: Server, name: str, rounds: int) -> Row:
    await _fill(server, "warm", 1, 100)
    worst, said = 0.0, []
    rounds = min(rounds, 5)
    for size, threads in SIZES.items():
        tell(f"{name}: {rounds} x {threads} threads of {size:,} items")
        figures = []
        for n in range(rounds):
            server.call("FLUSHALL", "SYNC")  # memory that is freed later would be taken for an item
            before = _used(server)
            await _fill(server, f"m{n}", threads, size)
            figures.append((_used(server) - before) / (size * threads))
        cost = statistics.median(figures) - len(PAYLOAD)
        said.append(f"{cost:.0f} in threads of {size:,}")
        worst = max(worst, cost)
    note = f"bytes beyond the 500 of a payload, the worst of: {', '.join(said)}"
    return judge(name, worst, worst + len(PAYLOAD), len(PAYLOAD), rounds, note=note)


async def _fill(server: Server, prefix: str, threads: int, size: int) -> None:
    async with clew.connect(server.url) as store:
        for n in range(threads):
            await fill(store, f"{prefix}-{n}", size)
            await store.threads.expire(clew.Ref(OWNER, f"{prefix}-{n}"), 3600)


def _used(server: Server) -> int:
    # The garbage of the scripts' interpreter counts as used memory on some servers, and is not the items'.
    server.call("SCRIPT", "FLUSH", "SYNC")
    return int(server.info("memory")["used_memory"])


TOPIC: Final = Topic(tuple(f"{NAME}/{kind}" for kind in KINDS), run)
