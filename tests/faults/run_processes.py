"""Runs made and read by processes of their own: producers that are killed and taken over, readers that come and go."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import clew
from clew.runs import RunEvent, new_run_id

from .ledger import VERDICTS
from .run_producer import FENCED
from .run_reader import read

FOLDER = Path(__file__).parent


@asynccontextmanager
async def running(script: str, *arguments: object) -> AsyncIterator[Process]:
    """Run one of the processes beside this file, and leave none behind."""
    command = [str(FOLDER / script), *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdin=PIPE, stdout=PIPE, limit=1 << 26)
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def produce(url: str, thread: clew.Thread, run: str, count: int, lease: float) -> tuple[list[list[str]], int]:
    """Have a run made by one process after the other, each but the last killed; return what was acknowledged, and the kills."""
    acknowledged: list[list[str]] = []
    kills = 0
    while True:
        patience = random.randint(10, 90) if kills < 3 else count * 4
        async with running("run_producer.py", url, thread.owner, thread.id, run, count, lease) as producer:
            assert producer.stdout is not None
            async for line in producer.stdout:
                # One that was cut off by the kill was not acknowledged to anybody.
                if line.endswith(b"\n"):
                    acknowledged.append(line.decode().split())
                patience -= 1
                if patience == 0:
                    producer.send_signal(signal.SIGKILL)
            await producer.wait()
        if producer.returncode == 0:
            state = acknowledged.pop()
            assert state[0] == "end"
            return acknowledged, kills
        assert producer.returncode in (-signal.SIGKILL, FENCED)
        kills += producer.returncode != FENCED


async def have_read(readers: list[Process], count: int) -> list[dict[str, Any]]:
    """Return what `count` readers saw, and see their processes end."""
    for process in readers:
        assert process.stdin is not None
        process.stdin.close()
    said = [line for output, _ in await asyncio.gather(*(each.communicate() for each in readers)) for line in output.splitlines()]
    assert [process.returncode for process in readers] == [0] * len(readers)
    assert len(said) == count
    return [json.loads(line) for line in said]


async def kill_and_read(url: str, *, lease: float = 1.0) -> None:
    """Make runs whose producers are killed, read them in three processes meanwhile, and verify what each reader saw.

    The lease is in seconds: a successor that takes longer to start finds the run `interrupted`.
    It needs a hundred seconds or so where the machine is busy.
    """
    runs, readers_each, here = [new_run_id() for _ in range(8)], 9, 3
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(clew.connect(url))
        thread = await store.threads.create("ada")
        ref = clew.Ref(thread.owner, thread.id)
        command = ("run_reader.py", url, thread.owner, thread.id, readers_each)
        processes = [await stack.enter_async_context(running(*command)) for _ in range(2)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("".join(f"{run}\n" for run in runs).encode())
            await process.stdin.drain()
        mine = [asyncio.create_task(read(store, ref, run)) for run in runs for _ in range(here)]
        told: list[tuple[list[list[str]], int]] = []
        for some in (runs[:3], runs[3:6], runs[6:]):
            told += await asyncio.gather(*(produce(url, thread, run, 320, lease) for run in some))
        found = [*(await asyncio.gather(*mine)), *(await have_read(processes, 2 * readers_each * len(runs)))]
        logs = {run: [event async for event in store.runs.follow(ref, run)] for run in runs}

    for log in logs.values():
        assert all(event.before == before.at for before, event in pairwise(log))
        assert [event.is_end for event in log] == [False] * (len(log) - 1) + [True]
    as_seen = {run: [[event.id, event.kind, event.data.decode()] for event in log] for run, log in logs.items()}
    differing = sum(reader["seen"] != as_seen[reader["run"]] for reader in found)
    lost = sum(
        [id, data] not in [[event.id, event.data.decode()] for event in logs[run]]
        for run, (acknowledged, _) in zip(runs, told, strict=True)
        for id, data in acknowledged
    )
    doubled = sum(count > 1 for log in logs.values() for count in Counter(_own(log)).values())
    deliveries = sum(len(reader["seen"]) for reader in found)
    kills = sum(count for _, count in told)
    verdict = (
        f"killed processes: {sum(len(log) for log in logs.values())} events of {len(runs)} runs, {kills} producers killed, "
        f"{sum(event.kind == 'takeover' for log in logs.values() for event in log)} takeovers, {deliveries} delivered to "
        f"{len(found)} readers in 3 processes that came back {sum(reader['returns'] for reader in found)} times, lost {lost}, "
        f"doubled {doubled}, readers that differ {differing}"
    )
    print(verdict)
    VERDICTS.append(verdict)
    assert (lost, doubled, differing) == (0, 0, 0), verdict
    assert kills > 4
    assert deliveries > 2_000


def _own(log: list[RunEvent]) -> list[bytes]:
    return [event.data for event in log if event.kind == "event"]
