"""A process killed among 100 concurrent appends, again and again: what it was told is there once, in order."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from clew.backend import Backend
from tests.support import fresh_partition

from .ledger import Ledger, read_all

ROOT = Path(__file__).parents[2]
Open = Callable[[str], Awaitable[Backend]]


@pytest.mark.timeout(120)
async def test_a_writer_killed_among_100_appends_20_times_loses_doubles_and_moves_nothing(
    url_of: Callable[..., str], open_store: Open
) -> None:
    url = url_of("redis-8.2")
    backend, partition, ledger = await open_store(url), fresh_partition(), Ledger()
    revision = 0
    for round in range(20):
        arguments = ["-m", "tests.faults.writer", url, *partition, f"r{round}w", "100"]
        writer = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        assert writer.stdout is not None
        first = await asyncio.wait_for(writer.stdout.readline(), 20)
        await asyncio.sleep(random.uniform(0, 0.06))
        writer.kill()
        for line in (first + await writer.stdout.read()).decode().splitlines():
            id, position = line.split()
            ledger.note(id, int(position))
        await writer.wait()
        # Whole commits only: as many revisions as entries.
        revision = await backend.revision(partition)
    entries = await read_all(backend, partition)
    assert ledger.verify(entries).clean
    assert len(ledger.positions) > 2000
    assert [entry.position for entry in entries] == list(range(1, revision + 1))
