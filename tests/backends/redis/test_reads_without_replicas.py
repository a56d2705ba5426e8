"""Where no replica confirms what is written, what is there can be read all the same: by whoever makes a backup, for one."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

import clew
from clew import NewItem, Ref


async def test_every_list_is_read_where_no_replica_confirms(url_of: Callable[..., str]) -> None:
    here = Ref(f"owner-{uuid4().hex}", "here")
    async with clew.connect(url_of("redis-8.2", replicas=1, replica_timeout=0.05)) as store:
        with pytest.raises(clew.NotReplicatedError):
            await store.items.append(here, NewItem(b"x"), create=True)
        for page in (await store.threads.list(here.owner), await store.threads.made(here.owner)):
            assert [thread.id for thread in page] == ["here"]
        assert [item.data for item in await store.items.page(here)] == [b"x"]
