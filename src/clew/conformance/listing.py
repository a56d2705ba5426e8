"""Listing: an owner's partitions, the newest write first, paged, without dangling lines."""

from __future__ import annotations

import asyncio

import pytest

from ..backend import Backend, Listing
from ..errors import InvalidError
from ..limits import MAX_PAGE
from ..records import Append, Listed, Partition
from .common import LOG, Topic, append, entry, forget, until


async def listed(backend: Backend, owner: str, *, limit: int = 20, before: Listed | None = None) -> list[Listed]:
    """Return a page of a listing."""
    assert isinstance(backend, Listing)
    return list(await backend.list(owner, limit=limit, before=before))


async def write(backend: Backend, owner: str, *names: str) -> None:
    """Write some partitions, one after the other."""
    for name in names:
        await backend.commit(Partition(owner, name), [], listed=True)


class ListingSuite(Topic):
    """Listing."""

    async def test_it_can_list(self, backend: Backend) -> None:
        assert isinstance(backend, Listing)

    async def test_an_owner_without_partitions_has_an_empty_listing(self, backend: Backend, owner: str) -> None:
        assert await listed(backend, owner) == []

    async def test_the_newest_write_comes_first(self, backend: Backend, owner: str) -> None:
        await write(backend, owner, "a", "b", "c")
        assert [line.name for line in await listed(backend, owner)] == ["c", "b", "a"]
        await backend.commit(Partition(owner, "a"), [Append(LOG, entry())], listed=True)
        lines = await listed(backend, owner)
        assert [line.name for line in lines] == ["a", "c", "b"]
        assert [line.updated_us for line in lines] == sorted((line.updated_us for line in lines), reverse=True)
        await forget(backend, *(Partition(owner, name) for name in "abc"))

    async def test_only_what_was_committed_as_listed_is_in_it(self, backend: Backend, owner: str) -> None:
        hidden = Partition(owner, "hidden")
        await append(backend, hidden, "a")
        assert await listed(backend, owner) == []
        await backend.commit(hidden, [], listed=True)
        assert [line.name for line in await listed(backend, owner)] == ["hidden"]
        await forget(backend, hidden)

    async def test_paging_meets_each_line_once(self, backend: Backend, owner: str) -> None:
        names = [f"p{n:03d}" for n in range(57)]
        await asyncio.gather(*(write(backend, owner, name) for name in names))
        walked: list[Listed] = []
        while page := await listed(backend, owner, limit=10, before=walked[-1] if walked else None):
            walked += page
        assert sorted(line.name for line in walked) == names
        assert walked == await listed(backend, owner, limit=100)
        await forget(backend, *(Partition(owner, name) for name in names))

    async def test_a_line_that_moves_up_while_paging_costs_no_other(self, backend: Backend, owner: str) -> None:
        await write(backend, owner, *"abcdef")
        first = await listed(backend, owner, limit=3)
        await write(backend, owner, "b", "f", "new")
        rest = await listed(backend, owner, limit=10, before=first[-1])
        assert [line.name for line in first] == ["f", "e", "d"]
        assert [line.name for line in rest] == ["c", "a"]
        await forget(backend, *(Partition(owner, name) for name in [*"abcdef", "new"]))

    async def test_a_dropped_partition_leaves_the_listing(self, backend: Backend, owner: str) -> None:
        await write(backend, owner, "a", "b")
        await backend.drop(Partition(owner, "a"), tombstone_ms=1000)
        assert [line.name for line in await listed(backend, owner)] == ["b"]
        await forget(backend, Partition(owner, "b"))

    async def test_an_expired_partition_leaves_the_listing(self, backend: Backend, owner: str) -> None:
        from ..backend import Expiry

        if not isinstance(backend, Expiry):
            return
        await write(backend, owner, "a", "b", "c")
        await backend.expire(Partition(owner, "b"), 30)

        async def is_gone() -> bool:
            return [line.name for line in await listed(backend, owner, limit=2)] == ["c", "a"]

        await until(is_gone)
        await forget(backend, Partition(owner, "a"), Partition(owner, "c"))

    @pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1])
    async def test_a_limit_out_of_bounds_is_refused(self, backend: Backend, owner: str, limit: int) -> None:
        with pytest.raises(InvalidError):
            await listed(backend, owner, limit=limit)

    @pytest.mark.parametrize("bad", ["", "x" * 513, "\ud800"])
    async def test_a_bad_owner_is_refused(self, backend: Backend, bad: str) -> None:
        with pytest.raises(InvalidError):
            await listed(backend, bad)
