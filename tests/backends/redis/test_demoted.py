"""A primary that is told to follow another one keeps its clients: they leave it, and find the new primary behind the address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import clew
from servers import Server
from tests.support import wait_until

from .porter import stand_before


async def test_writes_find_the_new_primary_behind_an_address_while_the_old_one_stays_open(
    own_server: Callable[..., Server],
) -> None:
    old, new = own_server("redis-8.2"), own_server("redis-8.2")
    async with stand_before(old.url) as (door, url), clew.connect(url) as store:
        async with asyncio.timeout(20):
            thread = await store.threads.create("ada")
            await asyncio.gather(*(store.items.append(thread, clew.NewItem.json({"n": n})) for n in range(300)))
            new.follow(old)
            await wait_until(lambda: new.info("replication")["master_link_status"] == "up")
            new.follow(None)
            old.follow(new)
            door.place = ("127.0.0.1", new.port)
            await asyncio.gather(*(store.items.append(thread, clew.NewItem.json({"n": n})) for n in range(300, 600)))
            items = await store.items.tail(thread, 1000)
    assert len(items) == 600
    assert new.info("replication")["role"] == "master"
