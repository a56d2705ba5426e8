"""`put` and `get`: one `aput` that adds a message to a conversation, one `aget_tuple` of it, against the floor and the peers.

Every contender runs in a process of its own that times itself, with the same messages; the rounds take turns. The floor dumps
the same checkpoint once and sets it, or gets and loads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..programs import Program
from ..report import Row, judge_cost, miss
from ..topics import Plan, Topic
from .field import PEERS, Field, describe, open_field, take_turns

SIZES: Final = (20, 200)
"""Messages: 13.9 and 135.5 kB."""
VERBS: Final = ("put", "get")
PEERS_NAME: Final = "against-peers"
ENGINES: Final = {
    "checkpoint-redis": ("redis",),
    "plainredis": ("redis",),
    "checkpoint-sqlite": ("sqlite",),
    "checkpoint-postgres": ("redis", "sqlite"),
}
"""The engines of clew that a peer is measured against."""
THREADS: Final = {20: 2, 200: 1}
"""New threads in a turn of `put`, ten puts each."""
GETS: Final = {20: 16, 200: 4}
"""How many in a turn."""
GOT: Final = 4
"""Threads that are read in turn."""


async def run(plan: Plan) -> list[Row]:
    """Measure `put`, `get` and `against-peers`."""
    rows: list[Row] = []
    beside: list[Row] = []
    async with open_field() as field:
        for verb in VERBS:
            for size in SIZES:
                own = f"{verb}/{size}"
                pairs = [(peer, engine) for peer, engines in ENGINES.items() for engine in engines]
                pairs = [(peer, engine) for peer, engine in pairs if plan.wants(_name(peer, engine, own))]
                names = [f"clew-{engine}" for _, engine in pairs] + [peer for peer, _ in pairs]
                if plan.wants(own):
                    names = ["floor", "memory", "clew-redis", *names]
                if not names:
                    continue
                times, missing = await _measure(field, list(dict.fromkeys(names)), verb, size, plan.rounds)
                if plan.wants(own):
                    others = describe(times, [name for name in times if name not in ("floor", "clew-redis")], "floor")
                    rows.append(judge_cost(own, times["clew-redis"], times["floor"], note=f"of the same floor: {others}"))
                for peer, engine in pairs:
                    name = _name(peer, engine, own)
                    if peer in missing:
                        beside.append(miss(name, missing[peer]))
                    else:
                        note = f"floor: {PEERS[peer]}" if size == SIZES[0] and verb == VERBS[0] else ""
                        beside.append(judge_cost(name, times[f"clew-{engine}"], times[peer], note=note))
    return rows + sorted(beside, key=lambda row: row.name)


def _name(peer: str, engine: str, own: str) -> str:
    return f"{PEERS_NAME}/{peer}/{engine}/{own}"


async def _measure(
    field: Field, names: Sequence[str], verb: str, size: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, str]]:
    programs, missing = await field.find_all(names)
    if verb == "put":
        order = f"put {size} {THREADS[size]}"
    else:
        threads = [f"got-{size}-{number}" for number in range(GOT)]
        for program in programs.values():
            await _fill(program, threads, size)
        order = f"get {','.join(threads)} {GETS[size]}"
    return await take_turns(f"{verb}/{size}", programs, order, rounds), missing


async def _fill(program: Program, threads: Sequence[str], size: int) -> None:
    for thread in threads:
        count = await program.ask("fill", thread, size)
        if count != size:
            raise RuntimeError(f"{count} messages were read of {size}: this is no fair reading")


TOPIC: Final = Topic((*(f"{verb}/{size}" for verb in VERBS for size in SIZES), PEERS_NAME), run)
