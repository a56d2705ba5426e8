"""Where a request is measured: a Redis server, and on it the service and the floor, each in a process of its own."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

SECRET: Final = "a secret of the benchmark, which is long enough for HS256"
"""What tokens are signed with."""
FLOOR: Final = "/messages"
"""The floor's endpoint."""
LEAD_NS: Final = 100_000_000
"""Between a line that tells several processes of a moment, and that moment: all have read it by then."""


def now_ns() -> int:
    """Return the time of the machine's monotonic clock, which processes share."""
    return time.monotonic_ns()


@dataclass(frozen=True, slots=True)
class Running:
    """A program that serves.

    Attributes:
        port: on this machine.
        pid: of its process.
    """

    port: int
    pid: int


def read_cpu(pid: int) -> float:
    """Return the seconds that a process has had a processor for, all its threads; it needs Linux's /proc."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


@asynccontextmanager
async def start(*words: str) -> AsyncGenerator[Running]:
    """Start `bench.service.program` with these words; it ends with the block."""
    command = (sys.executable, "-m", "bench.service.program", *words)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None, "it was started with a pipe"
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
        addresses = [word for word in line.split() if word.startswith("http://")]
        if not addresses:
            raise RuntimeError("the program ended: its error stands above")
        port = urlsplit(addresses[0]).port
        assert port is not None
        yield Running(port, process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
