"""An owner is erased by walks: all that is theirs is found and goes, tombstones too, and nothing of anybody else's."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Protocol

import pytest
import pytest_asyncio

from ..backend import Backend, Collecting, Listing, Values
from ..erasing import Erased, Erasing
from ..errors import GoneError, InvalidError
from ..records import Change, Partition, PutDocument
from .support import LOG, Fresh, Suite, add, read_ids, take
from .tenants import ODD
from .values import Keys


class All(Erasing, Values, Collecting, Listing, Backend, Protocol):
    """A backend that erases owners, with what the tests write by."""


async def walk_owner(backend: Erasing, owner: str, *, dry: bool = False) -> dict[str, int]:
    """Go through all of an owner's, and return what was found; but for what the store has yet to purge, whosever it was."""
    total: Counter[str] = Counter()
    done = Erased(cursor=None)
    while True:
        done = await backend.erase_owner(owner, cursor=done.cursor, dry=dry)
        total.update(done.found)
        if done.cursor is None:
            return {kind: count for kind, count in total.items() if kind != "debris"}


async def find_owners(backend: Erasing) -> set[str]:
    """Return every owner who has partitions that are listed."""
    found: set[str] = set()
    cursor: str | None = None
    while True:
        names, cursor = await backend.list_owners(cursor=cursor)
        found.update(names)
        if cursor is None:
            return found


async def walk_keys(backend: Erasing, prefix: str, *, member: bytes | None = None, dry: bool = False) -> int:
    """Go through the literal keys that begin so, and return how many were found."""
    total, done = 0, Erased(cursor=None)
    while True:
        done = await backend.erase_keys(prefix, member=member, cursor=done.cursor, dry=dry)
        total += sum(done.found.values())
        if done.cursor is None:
            return total


class ErasingSuite(Suite):
    """`list_owners`, `erase_owner`, `erase_keys` and `scrub`; it needs `Values`, `Collecting` and `Listing` too."""

    @pytest_asyncio.fixture
    async def keys(self, backend: All) -> AsyncIterator[Keys]:
        """`keys(name)`: a key that nobody else uses."""
        keys = Keys()
        yield keys
        for made in set(keys.made):
            await backend.delete_key(made)

    async def test_all_of_an_owner_goes_and_a_look_before_takes_nothing(self, backend: All, fresh: Fresh) -> None:
        partitions = [fresh() for _ in range(60)]
        for number, partition in enumerate(partitions):
            changes: list[Change] = [PutDocument("d", b"1"), *add(*(f"i{n}" for n in range(3)))]
            await backend.commit(partition, changes, listed=number % 2 == 0, once="o")
        await backend.drop(partitions[0])
        counted = await walk_owner(backend, fresh.owner, dry=True)
        assert counted["partitions"] == 60
        assert await read_ids(backend, partitions[1]) == ["i0", "i1", "i2"]
        await walk_owner(backend, fresh.owner)
        assert await walk_owner(backend, fresh.owner, dry=True) == {}
        assert list(await backend.list(fresh.owner)) == []
        for partition in partitions:
            assert await backend.revision(partition) == 0

    async def test_no_tombstone_stays_so_that_a_name_is_free(self, backend: All, fresh: Fresh) -> None:
        partition = fresh()
        await backend.commit(partition, add("a"))
        await backend.drop(partition)
        with pytest.raises(GoneError):
            await backend.revision(partition)
        await walk_owner(backend, fresh.owner)
        assert (await backend.commit(partition, add("b"), expect=0)).revision == 1
        assert await read_ids(backend, partition) == ["b"]

    async def test_owners_of_all_spellings_are_told_apart(self, backend: All, fresh: Fresh) -> None:
        partitions = [fresh("t", owner=odd) for odd in ODD if len(odd) < 100] + [fresh("t")]
        for partition in partitions:
            await backend.commit(partition, [PutDocument("d", b"1")], listed=True)
        for number, partition in enumerate(partitions):
            assert (await walk_owner(backend, partition.owner))["partitions"] == 1
            assert [await backend.revision(each) for each in partitions[number:]] == [0] + [1] * (len(partitions) - number - 1)

    async def test_owners_with_listed_partitions_are_found(self, backend: All, fresh: Fresh) -> None:
        owners = {fresh("t", owner=each).owner for each in ("", "/x", "é", "%")}
        for owner in owners:
            await backend.commit(Partition(owner, "t"), [PutDocument("d", b"1")], listed=True)
        assert owners <= await find_owners(backend)
        for owner in owners:
            # Their lines go too, which a look at what they lead to would not show.
            await walk_owner(backend, owner)
        assert not owners & await find_owners(backend)

    async def test_a_follower_is_told(self, backend: All, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        entries = backend.follow(partition, LOG)
        await take(entries, 1)
        await walk_owner(backend, partition.owner)
        with pytest.raises(GoneError):
            await take(entries, 1)

    async def test_keys_of_every_kind_go_by_how_they_begin(self, backend: All, keys: Keys) -> None:
        for name in ("a*:1", "a*:2", "ab:1", "a"):
            await backend.put_value(keys(name), b"1")
        await backend.add_members(keys("a*:set"), [b"1"])
        await backend.push_elements(keys("a*:list"), [b"1"])
        prefix = keys("a*:")
        assert await walk_keys(backend, prefix, dry=True) == 4
        assert await walk_keys(backend, prefix) == 4
        assert await walk_keys(backend, prefix) == 0
        assert [await backend.get_value(keys(name)) for name in ("ab:1", "a")] == [b"1", b"1"]

    async def test_members_go_by_how_they_begin_and_the_others_stay(self, backend: All, keys: Keys) -> None:
        await backend.add_members(keys("s:1"), [b"a*/1", b"a*/2", b"ab/1", b"a"])
        await backend.add_members(keys("s:2"), [b"a*/1"])
        await backend.push_elements(keys("s:3"), [b"a*/1"])
        await backend.put_value(keys("s:4"), b"a*/1")
        assert await walk_keys(backend, keys("s:"), member=b"a*/", dry=True) == 3
        assert await walk_keys(backend, keys("s:"), member=b"a*/") == 3
        assert sorted(await backend.get_members(keys("s:1"))) == [b"a", b"ab/1"]
        assert await backend.value_ttl(keys("s:2")) is None
        assert (await backend.count_elements(keys("s:3")), await backend.get_value(keys("s:4"))) == (1, b"a*/1")

    async def test_what_is_no_cursor_is_refused(self, backend: All, fresh: Fresh) -> None:
        for cursor in ("", "nonsense", "1:2:3:4"):
            with pytest.raises(InvalidError):
                await backend.erase_owner(fresh.owner, cursor=cursor or "x", dry=True)
        with pytest.raises(InvalidError):
            await backend.erase_owner("")
        with pytest.raises(InvalidError):
            await backend.erase_keys("")
