"""`round-trips` and `bytes-per-put`: what a server reads from its sockets for one call, by its own count, at 200 messages."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple

from servers import Server

from ..measure import tell
from ..programs import Program
from ..report import Row, judge
from ..topics import Plan, Topic
from .field import Field, open_field

TRIPS: Final = "round-trips"
BYTES: Final = "bytes-per-put"
SIZE: Final = 200
PEERS: Final = ("plainredis", "checkpoint-redis")


class Traffic(NamedTuple):
    """What a server had read from its sockets: how often, and how many bytes."""

    reads: int
    bytes: int


async def run(plan: Plan) -> list[Row]:
    """Measure `round-trips` and `bytes-per-put`."""
    rows: list[Row] = []
    async with open_field() as field:
        if plan.wants(TRIPS):
            rows += await _count_trips(field, plan)
        if plan.wants(BYTES):
            tell(f"{BYTES}: {plan.rounds} rounds")
            ours = await _measure_puts(field, "clew-redis", plan.rounds)
            peers, missing = await field.find_all(PEERS)
            theirs = {name: statistics.median(await _measure_puts(field, name, 5)) for name in peers}
            note = ", ".join(f"{name} {size:,.0f}" for name, size in theirs.items())
            note = f"bytes of one aput at about {SIZE} messages, which adds one of 690; {note or missing}"
            middle = statistics.median(ours)
            rows.append(judge(BYTES, middle, middle, min(theirs.values(), default=0), plan.rounds, note=note, unit="bytes"))
    return rows


async def _count_trips(field: Field, plan: Plan) -> list[Row]:
    """Count what one worker does in a thread, and another who has seen nothing of it; the most of all is judged."""
    tell(f"{TRIPS}: {plan.rounds} rounds")
    first, second = await field.find("clew-redis"), await field.open("clew-redis")
    server = await field.find_server("clew-redis")
    # What a connection does once is no part of a call: it is opened, and the scripts are loaded, by these.
    for name, program in (("warm-1", first), ("warm-2", second)):
        await program.ask("fill", name, 3)
        await program.ask("get", name, 1)
    await first.ask("fill", "trips", SIZE)
    counts: dict[str, dict[str, int]] = {"put": {}, "get_tuple": {}, "put_writes": {}}
    for number in range(plan.rounds):
        found = {
            ("put", "the next"): await _count(server, first, "step trips"),
            ("put", "the first of a thread"): await _count(server, first, f"begin fresh-{number} 1"),
            ("get_tuple", "by its writer"): await _count(server, first, "get trips 1"),
            ("get_tuple", "by another worker"): await _count(server, second, "take trips"),
            ("put", "by another worker"): await _count(server, second, "step trips"),
            ("put_writes", "the next"): await _count(server, second, "write trips"),
        }
        await first.ask("take", "trips")
        for (call, how), traffic in found.items():
            counts[call][how] = max(counts[call].get(how, 0), traffic.reads)
    rows = []
    for call, most in counts.items():
        note = "reads of the socket, the most of all rounds: " + ", ".join(f"{how} {count}" for how, count in most.items())
        worst = max(most.values())
        rows.append(judge(f"{TRIPS}/{call}", worst, worst, 1, plan.rounds, note=note, unit="trips"))
    return [row for row in rows if plan.wants(row.name)]


async def _measure_puts(field: Field, name: str, rounds: int) -> Sequence[int]:
    program = await field.find(name)
    server = await field.find_server(name)
    await program.ask("fill", "bytes", SIZE - rounds // 2)
    return [(await _count(server, program, "step bytes")).bytes for _ in range(rounds)]


async def _count(server: Server, program: Program, order: str) -> Traffic:
    """Return what the server read for an order, with nobody else on it."""
    start = await asyncio.to_thread(_look, server)
    before = await asyncio.to_thread(_look, server)
    await program.ask(order)
    after = await asyncio.to_thread(_look, server)
    # To look costs something of its own, the same each time.
    return Traffic(*(end - middle - (middle - first) for first, middle, end in zip(start, before, after, strict=True)))


def _look(server: Server) -> Traffic:
    stats = server.info("stats")
    return Traffic(int(stats["total_reads_processed"]), int(stats["total_net_input_bytes"]))


TOPIC: Final = Topic((TRIPS, BYTES), run)
