"""A process killed among 100 concurrent appends, again and again: what it was told is there once, in order."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from clew.backend import Backend
from clew.records import Partition
from tests.support import fresh_partition

from .ledger import Ledger, read_all

ROOT = Path(__file__).parents[2]
Open = Callable[[str], Awaitable[Backend]]


async def test_a_writer_killed_among_100_appends_20_times_loses_doubles_and_moves_nothing(
    url_of: Callable[..., str], open_store: Open
) -> None:
    url = url_of("redis-8.2")
    backend, partition, ledger = await open_store(url), fresh_partition(), Ledger()
    async with _writers(url, partition) as (tell, hear):
        for round in range(20):
            enough = len(ledger.positions) + random.randint(1, 300)
            tell.write(f"r{round}w\n".encode())
            victim = 0
            while (line := (await asyncio.wait_for(hear.readline(), 20)).decode().strip()) != "end":
                word, number = line.split()
                if word == "pid":
                    victim = int(number)
                    continue
                ledger.note(word, int(number))
                if victim and len(ledger.positions) >= enough:
                    os.kill(victim, signal.SIGKILL)
                    victim = 0
    entries = await read_all(backend, partition)
    assert ledger.verify(entries).clean
    # Whole commits only: as many revisions as entries.
    assert [entry.position for entry in entries] == list(range(1, await backend.revision(partition) + 1))


@asynccontextmanager
async def _writers(url: str, partition: Partition) -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    arguments = ["-m", "tests.faults.writer", url, *partition, "100", str(os.getpid())]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdin, process.stdout
        process.stdin.close()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
