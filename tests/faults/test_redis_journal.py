"""Redis killed and started again under two instances with a journal each, one of which is killed with entries pending.

CLEW_TEST_JOURNAL_ROUNDS=10 CLEW_TEST_JOURNAL_SECONDS=30 CLEW_TEST_JOURNAL_CLIENTS=32 makes it long; by default it is short.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import clew
from clew.wrappers.journal import find_journals
from servers import Server
from tests.support import wait_until, with_options

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("CLEW_TEST_JOURNAL_ROUNDS", "1"))
SECONDS = float(os.environ.get("CLEW_TEST_JOURNAL_SECONDS", "0.3"))
CLIENTS = int(os.environ.get("CLEW_TEST_JOURNAL_CLIENTS", "8"))


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


@pytest.mark.timeout(120 + ROUNDS * SECONDS * 3)
async def test_every_accepted_message_is_there_once_and_in_order_after_kills(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = own_server(durable=True)
    journal = tmp_path / "journal"
    url = with_options(server.url, timeout=0.5, on_outage="journal", journal=str(journal))
    one, two = Instance(url, "one"), Instance(url, "two")
    try:
        await asyncio.gather(one.start(), two.start())
        await wait_until(lambda: min(one.numbers + two.numbers) > 2, 30)
        for _ in range(ROUNDS):
            server.kill()
            before = one.pending, two.pending
            await wait_until(lambda before=before: one.pending > before[0] + CLIENTS and two.pending > before[1] + CLIENTS, 30)  # type: ignore[misc]
            await asyncio.sleep(SECONDS * random.random())
            await two.end(kill=True)
            # It starts while the store is away, and accepts.
            await two.start()
            was = sum(two.numbers)
            await wait_until(lambda was=was: sum(two.numbers) > was + CLIENTS, 30)  # type: ignore[misc]
            server.restart()
            await asyncio.sleep(SECONDS)
        await asyncio.gather(one.end(kill=False), two.end(kill=True))
    finally:
        await asyncio.gather(one.end(kill=True), two.end(kill=True))
    async with clew.connect(url) as first, clew.connect(url) as second:
        await wait_until(lambda: not any(found.depth for found in find_journals(journal)), 60)
        assert [found.aside for found in find_journals(journal)] == [[], []]
        for store, instance in ((first, one), (second, two)):
            for client in range(CLIENTS):
                found = await read_numbers(store, clew.Ref(instance.name, str(client)))
                # The last one may have been accepted, and its process killed before it said so.
                assert found == list(range(1, len(found) + 1))
                assert len(found) - instance.numbers[client] in (0, 1)


async def read_numbers(store: clew.Store, thread: clew.Ref) -> list[object]:
    """Return what all items of a thread hold."""
    found: list[object] = []
    after: str | None = None
    while True:
        page = await store.items.page(thread, limit=500, after=after)
        found += [item.json() for item in page]
        if not page.has_more:
            return found
        after = page.data[-1].id
