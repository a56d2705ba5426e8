"""Listings: an owner's partitions, the newest write first, in pages that miss and double nothing."""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from ..backend import Backend, Listing
from ..errors import InvalidError
from ..limits import MAX_PAGE
from ..records import Listed, PutDocument
from .support import TOMBSTONE_MS, Fresh, Suite, add
from .tenants import ODD


class ListingBackend(Backend, Listing, Protocol):
    """A backend with a listing."""


class ListingSuite(Suite):
    """`list`, and `commit` with `listed`."""

    async def test_the_newest_write_comes_first(self, backend: ListingBackend, fresh: Fresh) -> None:
        for name in "abc":
            await backend.commit(fresh(name), add("x"), listed=True)
        lines = await backend.list(fresh.owner)
        assert [line.name for line in lines] == ["c", "b", "a"]
        moments = [line.updated_us for line in lines]
        assert moments == sorted(moments, reverse=True)
        assert all(moment > 1_600_000_000_000_000 for moment in moments)

    async def test_a_write_moves_its_line_to_the_top(self, backend: ListingBackend, fresh: Fresh) -> None:
        for name in "abc":
            await backend.commit(fresh(name), [PutDocument("x", b"1")], listed=True)
        await backend.commit(fresh("a"), add("x"), listed=True)
        assert await _names(backend, fresh.owner) == ["a", "c", "b"]
        await backend.commit(fresh("b"), [PutDocument("x", b"2"), *add("x")], listed=True)
        assert await _names(backend, fresh.owner) == ["b", "a", "c"]

    async def test_a_write_that_is_not_listed_is_not_noted(self, backend: ListingBackend, fresh: Fresh) -> None:
        await backend.commit(fresh("a"), add("x"), listed=True)
        await backend.commit(fresh("b"), add("x"), listed=True)
        before = await backend.list(fresh.owner)
        await backend.commit(fresh("a"), add("y"))
        await backend.commit(fresh("c"), add("x"))
        assert await backend.list(fresh.owner) == before

    async def test_one_owner_sees_its_own_only(self, backend: ListingBackend, fresh: Fresh) -> None:
        for owner in ("", "a", "a/b", "a:threads", "{"):
            await backend.commit(fresh(f"of-{owner}", owner=owner), add("x"), listed=True)
        for owner in ("", "a", "a/b", "a:threads", "{"):
            assert await _names(backend, fresh.owner + owner) == [f"of-{owner}"]
        assert list(await backend.list(fresh.owner + "nobody")) == []

    async def test_pages_miss_and_double_nothing(self, backend: ListingBackend, fresh: Fresh) -> None:
        names = [f"t{n:02}" for n in range(25)]
        for name in names:
            await backend.commit(fresh(name), add("x"), listed=True)
        for limit in (1, 7, 25, 100):
            assert await _page_through(backend, fresh.owner, limit) == names[::-1]

    async def test_lines_of_one_moment_are_paged_too(self, backend: ListingBackend, fresh: Fresh) -> None:
        names = [f"t{n:02}" for n in range(30)]
        await asyncio.gather(*(backend.commit(fresh(name), add("x"), listed=True) for name in names))
        for limit in (1, 4, 30):
            found = await _page_through(backend, fresh.owner, limit)
            assert sorted(found) == names

    async def test_one_that_is_written_meanwhile_moves_and_no_other_is_missed(
        self, backend: ListingBackend, fresh: Fresh
    ) -> None:
        for name in "abcdef":
            await backend.commit(fresh(name), add("x"), listed=True)
        first = await backend.list(fresh.owner, limit=2)
        await backend.commit(fresh("a"), add("y"), listed=True)
        rest = await backend.list(fresh.owner, limit=10, before=first[-1])
        assert [line.name for line in first] == ["f", "e"]
        assert [line.name for line in rest] == ["d", "c", "b"]
        assert (await _names(backend, fresh.owner))[0] == "a"

    async def test_a_dropped_partition_leaves_the_listing(self, backend: ListingBackend, fresh: Fresh) -> None:
        for name in "abc":
            await backend.commit(fresh(name), add("x"), listed=True)
        line = (await backend.list(fresh.owner, limit=2))[-1]
        await backend.drop(fresh("b"), tombstone_ms=TOMBSTONE_MS)
        await backend.drop(fresh("c"), tombstone_ms=0)
        assert await _names(backend, fresh.owner) == ["a"]
        assert [each.name for each in await backend.list(fresh.owner, before=line)] == ["a"]
        assert [each.name for each in await backend.list(fresh.owner, limit=1)] == ["a"]
        await backend.commit(fresh("c"), add("x"))
        assert await _names(backend, fresh.owner) == ["a"]

    async def test_a_refused_commit_is_not_seen(self, backend: ListingBackend, fresh: Fresh) -> None:
        with pytest.raises(Exception):  # noqa: B017, PT011 - which error it is, is judged elsewhere
            await backend.commit(fresh("a"), add("x"), expect=5, listed=True)
        assert await _names(backend, fresh.owner) == []

    async def test_names_of_all_spellings_are_listed(self, backend: ListingBackend, fresh: Fresh) -> None:
        for name in ODD:
            await backend.commit(fresh(name), add("x"), listed=True)
        assert await _names(backend, fresh.owner) == ODD[::-1]
        assert await _page_through(backend, fresh.owner, 4) == ODD[::-1]

    @pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1, True])
    async def test_a_bad_limit_is_refused(self, backend: ListingBackend, fresh: Fresh, limit: int) -> None:
        with pytest.raises(InvalidError):
            await backend.list(fresh.owner, limit=limit)

    async def test_a_bad_owner_is_refused(self, backend: ListingBackend) -> None:
        for owner in ("", "x" * 513):
            with pytest.raises(InvalidError):
                await backend.list(owner)


async def _names(backend: Listing, owner: str) -> list[str]:
    return [line.name for line in await backend.list(owner, limit=100)]


async def _page_through(backend: Listing, owner: str, limit: int) -> list[str]:
    found: list[str] = []
    last: Listed | None = None
    while lines := await backend.list(owner, limit=limit, before=last):
        assert len(lines) <= limit
        found += [line.name for line in lines]
        last = lines[-1]
        assert len(found) <= 1000
    return found
