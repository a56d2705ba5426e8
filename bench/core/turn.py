"""A turn of an Agent Framework agent: its round trips, and its time at 5,000 stored messages against agent-framework-redis.

Each provider runs in a process of its own that times its own turns, on the same server, in alternate rounds.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, cast

from servers import Server, find

from ..environments import NoPeerError
from ..measure import tell
from ..programs import Program, start_program
from ..report import Row, judge, judge_cost, miss
from ..topics import Plan, Topic
from .peer import PEER, find_peer_python

TRIPS: Final = "agent-framework-turn/round-trips"
TIME: Final = "agent-framework-turn/time"
STORED: Final = 5_000
TURNS: Final = 3
"""In a round."""


def start_worker(python: str, kind: str, url: str) -> AbstractAsyncContextManager[Program]:
    """Start `turn_worker.py` with this Python."""
    return start_program(python, str(Path(__file__).with_name("turn_worker.py")), kind, url)


async def run(plan: Plan) -> list[Row]:
    """Measure `agent-framework-turn`."""
    rows: list[Row] = []
    try:
        peer = await asyncio.to_thread(find_peer_python)
        why = ""
    except NoPeerError as error:
        peer, why = None, str(error)
    if plan.wants(TRIPS):
        rows.append(await _count_trips(peer, why, plan.rounds))
    if plan.wants(TIME):
        rows.append(miss(TIME, why) if peer is None else await _time_turns(peer, plan.rounds))
    return rows


async def _count_trips(peer: str | None, why: str, rounds: int) -> Row:
    tell(f"{TRIPS}: {rounds} rounds")
    mine, commands = await _trips_of(sys.executable, "clew", rounds)
    if peer is None:
        return judge(TRIPS, mine, mine, 0, rounds, note=f"commands of a turn: {commands}; the peer was not counted: {why}")
    theirs, others = await _trips_of(peer, "peer", rounds)
    note = f"reads of the socket for a turn, by the server's own count: {commands}; the peer: {others}"
    return judge(TRIPS, mine, mine, theirs, rounds, note=note)


async def _trips_of(python: str, kind: str, rounds: int) -> tuple[float, str]:
    """Return what the server read from its sockets for one turn, and the commands that came, with the provider alone on it."""
    with Server(find("redis-8.2")) as server:
        async with start_worker(python, kind, server.url) as worker:
            await worker.ask("turns", 3)
            start, _ = await asyncio.to_thread(_look, server)
            before, ran_before = await asyncio.to_thread(_look, server)
            await worker.ask("turns", rounds)
            after, ran = await asyncio.to_thread(_look, server)
    # To look takes reads of its own, the same each time.
    trips = (after - before - (before - start)) / rounds
    counts = {name: (ran[name] - ran_before.get(name, 0)) / rounds for name in ran if name not in ("info", "client|setinfo")}
    return trips, ", ".join(f"{count:g} {name.upper()}" for name, count in sorted(counts.items()) if count >= 1)


def _look(server: Server) -> tuple[int, dict[str, int]]:
    reads = int(server.info("stats")["total_reads_processed"])
    stats = cast(dict[str, dict[str, int]], server.info("commandstats"))
    return reads, {name.removeprefix("cmdstat_"): int(line["calls"]) for name, line in stats.items()}


async def _time_turns(peer: str, rounds: int) -> Row:
    tell(f"{TIME}: {rounds} rounds of {TURNS} turns at {STORED:,} stored messages")
    took: dict[str, list[float]] = {"clew": [], "peer": []}
    with Server(find("redis-8.2")) as server:
        async with start_worker(sys.executable, "clew", server.url) as mine, start_worker(peer, "peer", server.url) as theirs:
            workers = {"clew": mine, "peer": theirs}
            for worker in workers.values():
                await worker.ask("fill", STORED)
                answer = await worker.ask("turns", 2)
                if answer["received"] < STORED:
                    raise RuntimeError(f"the model got {answer['received']} messages of {STORED}: this is no fair turn")
            for _ in range(rounds):
                for name, worker in workers.items():
                    took[name].append((await worker.ask("turns", TURNS))["seconds"] / TURNS)
    note = f"floor: {PEER}, in an environment of its own; both with the framework's agent and a model that answers at once"
    return judge_cost(TIME, took["clew"], took["peer"], note=note)


TOPIC: Final = Topic((TRIPS, TIME), run)
