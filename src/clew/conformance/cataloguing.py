"""Catalogues: an owner's partitions in the order they were made, each with its documents, in pages that nothing moves."""

from __future__ import annotations

from typing import Protocol

import pytest

from ..backend import Backend, Cataloguing, Expiry
from ..errors import InvalidError, UnknownCursorError
from ..limits import MAX_PAGE
from ..records import Partition, PutDocument
from .support import TOMBSTONE_MS, Fresh, Suite, add, wait_until
from .tenants import ODD


class CataloguingBackend(Backend, Cataloguing, Protocol):
    """What this suite needs."""


class CataloguingSuite(Suite):
    """`catalogue`."""

    async def test_the_order_is_that_of_making_and_no_write_changes_it(self, backend: CataloguingBackend, fresh: Fresh) -> None:
        for name in "abc":
            await backend.commit(fresh(name), [PutDocument("x", name.encode())], listed=True)
        await backend.commit(fresh("a"), add("i"), listed=True)
        assert await _names(backend, fresh.owner) == ["c", "b", "a"]
        assert await _names(backend, fresh.owner, newest_first=False) == ["a", "b", "c"]

    async def test_each_comes_with_its_documents_as_fetch_gives_them(self, backend: CataloguingBackend, fresh: Fresh) -> None:
        await backend.commit(fresh("full"), [PutDocument("x", b"1"), PutDocument("y", b"\x00\xff"), *add("i")], listed=True)
        await backend.commit(fresh("bare"), add("i"), listed=True)
        found = await backend.catalogue(fresh.owner)
        assert [(name, snapshot) for name, snapshot in found.partitions] == [
            (name, await backend.fetch(Partition(fresh.owner, name))) for name in ("bare", "full")
        ]
        assert found.has_more is False

    @pytest.mark.parametrize("newest_first", [True, False])
    async def test_pages_miss_and_double_nothing(self, backend: CataloguingBackend, fresh: Fresh, newest_first: bool) -> None:
        names = [f"t{n:02}" for n in range(25)]
        for name in names:
            await backend.commit(fresh(name), add("x"), listed=True)
        for limit in (1, 7, 25, 100):
            found: list[str] = []
            while True:
                after = found[-1] if found else None
                page = await backend.catalogue(fresh.owner, limit=limit, after=after, newest_first=newest_first)
                found += [name for name, _ in page.partitions]
                if not page.has_more:
                    break
                await backend.commit(fresh("t05"), [PutDocument("x", b"1")], listed=True)
            assert found == (names[::-1] if newest_first else names)

    async def test_one_that_is_not_listed_is_not_there(self, backend: CataloguingBackend, fresh: Fresh) -> None:
        await backend.commit(fresh("a"), add("x"), listed=True)
        await backend.commit(fresh("b"), add("x"))
        assert await _names(backend, fresh.owner) == ["a"]

    async def test_one_owner_sees_its_own_only(self, backend: CataloguingBackend, fresh: Fresh) -> None:
        for owner in ("", "a", "a/b", "a:made", "{"):
            await backend.commit(fresh(f"of-{owner}", owner=owner), add("x"), listed=True)
        for owner in ("", "a", "a/b", "a:made", "{"):
            assert await _names(backend, fresh.owner + owner) == [f"of-{owner}"]
        with pytest.raises(UnknownCursorError):
            await backend.catalogue(fresh.owner, after="of-a")
        assert await _names(backend, fresh.owner + "nobody") == []

    async def test_a_dropped_one_is_left_out_and_stays_a_cursor(self, backend: CataloguingBackend, fresh: Fresh) -> None:
        for name in "abcd":
            await backend.commit(fresh(name), add("x"), listed=True)
        await backend.drop(fresh("b"), tombstone_ms=TOMBSTONE_MS)
        await backend.drop(fresh("c"), tombstone_ms=TOMBSTONE_MS)
        assert await _names(backend, fresh.owner) == ["d", "a"]
        assert await _names(backend, fresh.owner, after="c") == ["a"]
        assert await _names(backend, fresh.owner, after="b", newest_first=False) == ["d"]

    async def test_one_made_again_is_the_newest(self, backend: CataloguingBackend, fresh: Fresh) -> None:
        for name in "ab":
            await backend.commit(fresh(name), add("x"), listed=True)
        await backend.drop(fresh("a"), tombstone_ms=0)
        with pytest.raises(UnknownCursorError):
            await backend.catalogue(fresh.owner, after="a")
        await backend.commit(fresh("a"), add("x"), listed=True)
        assert await _names(backend, fresh.owner) == ["a", "b"]

    async def test_one_that_expired_is_left_out(self, backend: CataloguingBackend, fresh: Fresh) -> None:
        if not isinstance(backend, Expiry):
            pytest.skip("this backend has no Expiry")
        for name in "abc":
            await backend.commit(fresh(name), add("x"), listed=True)
        await backend.expire(fresh("b"), 50)
        await wait_until(lambda: _is_gone(backend, fresh("b")), "b expires")
        assert await _names(backend, fresh.owner) == ["c", "a"]
        page = await backend.catalogue(fresh.owner, limit=2)
        assert ([name for name, _ in page.partitions], page.has_more) == (["c", "a"], False)
        assert await _names(backend, fresh.owner, after="c") == ["a"]

    async def test_names_of_all_spellings_are_in_it(self, backend: CataloguingBackend, fresh: Fresh) -> None:
        for name in ODD:
            await backend.commit(fresh(name), add("x"), listed=True)
        assert await _names(backend, fresh.owner, newest_first=False) == ODD
        assert await _names(backend, fresh.owner, after=ODD[2], newest_first=False) == ODD[3:]

    @pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1, True])
    async def test_a_bad_limit_is_refused(self, backend: CataloguingBackend, fresh: Fresh, limit: int) -> None:
        with pytest.raises(InvalidError):
            await backend.catalogue(fresh.owner, limit=limit)

    async def test_a_bad_owner_or_cursor_is_refused(self, backend: CataloguingBackend, fresh: Fresh) -> None:
        for name in ("", "x" * 513):
            with pytest.raises(InvalidError):
                await backend.catalogue(name)
            with pytest.raises(InvalidError):
                await backend.catalogue(fresh.owner, after=name)


async def _names(backend: Cataloguing, owner: str, *, after: str | None = None, newest_first: bool = True) -> list[str]:
    found = await backend.catalogue(owner, limit=100, after=after, newest_first=newest_first)
    return [name for name, _ in found.partitions]


async def _is_gone(backend: Backend, partition: Partition) -> bool:
    return await backend.revision(partition) == 0
