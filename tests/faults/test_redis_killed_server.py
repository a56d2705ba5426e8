"""A durable server killed and restarted among concurrent appends: nothing acknowledged is gone, and the same client goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from clew.backend import Backend
from servers import Server
from tests.support import fresh_partition, wait_until, with_options

from .ledger import Ledger, read_all, write_through

Open = Callable[[str], Awaitable[Backend]]


@pytest.mark.parametrize("program", ["redis-6.2", "redis-8.2", "valkey-9.1"])
async def test_a_killed_and_restarted_server_keeps_what_it_acknowledged(
    program: str, own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server(program, durable=True)
    backend, partition = await open_store(with_options(server.url, timeout=0.5)), fresh_partition()

    async def trouble(ledger: Ledger) -> None:
        for _ in range(3):
            await ledger.grow(300)
            troubles = len(ledger.troubles)
            await asyncio.to_thread(server.kill)
            await _more_troubles(ledger, troubles)
            await asyncio.to_thread(server.restart)
        await ledger.grow(300)

    ledger = await write_through(backend, partition, 50, trouble)
    assert ledger.verify(await read_all(backend, partition)).clean


async def _more_troubles(ledger: Ledger, than: int) -> None:
    await wait_until(lambda: len(ledger.troubles) > than)
