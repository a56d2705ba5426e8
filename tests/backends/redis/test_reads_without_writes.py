"""Where nothing can be written, what is there can be read all the same: by whoever makes a backup, for one."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

import clew
from clew import NewItem, Ref
from servers import Server

from ...support import wait_until


async def test_every_list_is_read_where_no_replica_confirms(url_of: Callable[..., str]) -> None:
    here = Ref(f"owner-{uuid4().hex}", "here")
    async with clew.connect(url_of("redis-8.2", replicas=1, replica_timeout=0.05)) as store:
        with pytest.raises(clew.NotReplicatedError):
            await store.items.append(here, NewItem(b"x"), create=True)
        for page in (await store.threads.list(here.owner), await store.threads.made(here.owner)):
            assert [thread.id for thread in page] == ["here"]
        assert [item.data for item in await store.items.page(here)] == [b"x"]


async def test_every_list_is_read_where_the_server_cannot_save_its_file(own_server: Callable[..., Server]) -> None:
    server = own_server(options={"save": "3600 1"})
    async with clew.connect(server.url) as store:
        refs = [Ref("ada", f"t{number}") for number in range(3)]
        for ref in refs:
            await store.threads.create(ref.owner, id=ref.id)
        # What is no file cannot be replaced by one.
        (server.process.folder / "dump.rdb").mkdir()
        server.call("BGSAVE")
        await wait_until(lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err")
        with pytest.raises(clew.FullError):
            await store.items.append(refs[0], NewItem(b"x"))
        made = await store.threads.made("ada", limit=2)
        assert [thread.id for thread in made] == ["t2", "t1"]
        assert [thread.id for thread in await store.threads.made("ada", after=made.cursor)] == ["t0"]
        assert [thread.id for thread in await store.threads.list("ada")] == ["t2", "t1", "t0"]
