"""Redis killed and started again under four instances with a journal each, two of which are killed with entries pending.

CLEW_TEST_JOURNAL_ROUNDS=10 CLEW_TEST_JOURNAL_SECONDS=18 CLEW_TEST_JOURNAL_CLIENTS=64 makes it about five minutes; by default it
is short.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import clew
from clew.wrappers.journal import find_journals
from servers import Server
from tests.support import wait_until, with_options

from .ledger import VERDICTS

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("CLEW_TEST_JOURNAL_ROUNDS", "1"))
SECONDS = float(os.environ.get("CLEW_TEST_JOURNAL_SECONDS", "0.3"))
INSTANCES = 4
CLIENTS = int(os.environ.get("CLEW_TEST_JOURNAL_CLIENTS", "16")) // INSTANCES
"""Of each instance; the variable says how many there are in all."""


class Instance:
    """A process, and what it acknowledged."""

    def __init__(self, url: str, name: str) -> None:
        self.name, self._url = name, url
        self.numbers = [0] * CLIENTS
        self.pending = 0
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        arguments = ["-m", "tests.faults.journal_writer", self._url, self.name, str(CLIENTS), str(os.getpid())]
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdin=pipe, stdout=pipe)
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, self.numbers)).encode() + b"\n")
        self._reading = asyncio.create_task(self._read())

    async def end(self, *, kill: bool) -> None:
        if self._process is None or self._reading is None:
            return
        if kill:
            self._process.kill()
        else:
            assert self._process.stdin is not None
            self._process.stdin.close()
        await self._reading
        await self._process.wait()
        self._process = None

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            client, number, pending = map(int, line.split())
            assert number == self.numbers[client] + 1
            self.numbers[client] = number
            self.pending += pending


@pytest.mark.timeout(120 + ROUNDS * SECONDS * 4)
async def test_every_accepted_message_is_there_once_and_in_order_after_kills(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = own_server(durable=True)
    # A folder each: whoever starts again takes up its own, so that what it wrote before and writes now stays in order.
    folders = [tmp_path / name for name in ("one", "two", "three", "four")]
    urls = [with_options(server.url, timeout=0.5, on_outage="journal", journal=str(folder)) for folder in folders]
    instances = [Instance(url, folder.name) for url, folder in zip(urls, folders, strict=True)]
    killed = 0
    try:
        await asyncio.gather(*(instance.start() for instance in instances))
        await grow(instances, 3 * CLIENTS)
        for number in range(ROUNDS):
            server.kill()
            await grow(instances, CLIENTS + 1, pending=True)
            await asyncio.sleep(SECONDS * random.random())
            # Another two each time; they start while the store is away, and accept.
            some = [instances[number % INSTANCES], instances[(number + 1) % INSTANCES]]
            await asyncio.gather(*(instance.end(kill=True) for instance in some))
            await asyncio.gather(*(instance.start() for instance in some))
            killed += len(some)
            await grow(some, CLIENTS, pending=True)
            server.restart()
            await asyncio.sleep(SECONDS)
            await grow(instances, CLIENTS)
        await asyncio.gather(*(instance.end(kill=number < 2) for number, instance in enumerate(instances)))
        killed += 2
    finally:
        await asyncio.gather(*(instance.end(kill=True) for instance in instances))
    async with contextlib.AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(clew.connect(url)) for url in urls]
        await wait_until(lambda: not any(found.depth for folder in folders for found in find_journals(folder)), 60)
        assert [[found.aside for found in find_journals(folder)] for folder in folders] == [[[]]] * INSTANCES
        wrong: Counter[str] = Counter()
        for store, instance in zip(stores, instances, strict=True):
            for client, said in enumerate(instance.numbers):
                found = await read_numbers(store, clew.Ref(instance.name, str(client)))
                # The last one may have been accepted, and its process killed before it said so.
                wrong["lost"] += len(set(range(1, said + 1)) - set(found))
                wrong["doubled"] += len(found) - len(set(found))
                wrong["out of order"] += found != sorted(found)
                wrong["never sent"] += max(found, default=0) > said + 1
    accepted, pending = sum(sum(each.numbers) for each in instances), sum(each.pending for each in instances)
    verdict = (
        f"journals: {INSTANCES} instances, {INSTANCES * CLIENTS} clients, killed: the store {ROUNDS} times, instances {killed}; "
        f"accepted {accepted}, of them {pending} in a journal; "
    ) + ", ".join(f"{what} {count}" for what, count in wrong.items())
    VERDICTS.append(verdict)
    assert not any(wrong.values()), verdict


async def grow(instances: list[Instance], more: int, *, pending: bool = False) -> None:
    """Wait until each instance had so many more writes accepted; `pending`: into its journal."""

    def counts() -> list[int]:
        return [each.pending if pending else sum(each.numbers) for each in instances]

    enough = [count + more for count in counts()]
    await wait_until(lambda: all(count >= least for count, least in zip(counts(), enough, strict=True)), 60)


async def read_numbers(store: clew.Store, thread: clew.Ref) -> list[int]:
    """Return what all items of a thread hold."""
    found: list[int] = []
    after: str | None = None
    while True:
        page = await store.items.page(thread, limit=500, after=after)
        found += [item.json() for item in page]
        if not page.has_more:
            return found
        after = page.data[-1].id
