"""Records that this clew cannot read: kept byte for byte, reported, and never fatal to their page."""

from __future__ import annotations

import pytest

from ..backend import Backend
from ..codec import encode_entry, pack_id
from ..errors import UnreadableError
from ..records import FORMAT, Append, Entry, Partition, Remove, Replace
from .support import LOG, Suite, add, close, entry, ids, take

NEWER = Entry(FORMAT + 1, pack_id("newer"), 1, b"from the future", "kind", status="pending")  # type: ignore[arg-type]
GARBAGE = Entry(FORMAT, pack_id("garbage"), 0, b"\x94no envelope at all", "unreadable", "unreadable", unreadable="corrupt")


class Unreadable(Suite):
    """Entries of a newer format, and corrupt ones."""

    async def test_a_newer_record_is_kept_and_reported(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [*add("a"), Append(LOG, NEWER), *add("b")])
        for newest_first in (False, True):
            page = await backend.read(partition, LOG, newest_first=newest_first)
            assert sorted(ids(page)) == ["a", "b", "newer"]
            found = page.entries[1]
            assert (found.position, found.data) == (2, encode_entry(NEWER))
            assert found.unreadable is not None
            assert str(FORMAT + 1) in found.unreadable
            with pytest.raises(UnreadableError):
                found.json()
            assert [each.unreadable for each in (page.entries[0], page.entries[2])] == [None, None]

    async def test_a_corrupt_record_is_kept_and_reported(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [*add("a"), Append(LOG, GARBAGE), *add("b")])
        for newest_first in (False, True):
            page = await backend.read(partition, LOG, newest_first=newest_first)
            found = page.entries[1]
            assert (found.position, found.data) == (2, GARBAGE.data)
            assert found.unreadable
            assert [each.position for each in page.entries] == ([3, 2, 1] if newest_first else [1, 2, 3])

    async def test_a_newer_record_is_told_by_its_id(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [*add("a"), Append(LOG, NEWER), *add("b")])
        assert ids(await backend.read(partition, LOG, after="newer")) == ["b"]
        assert (await backend.commit(partition, [Append(LOG, NEWER)])).outcomes == (-2,)
        assert (await backend.commit(partition, add("newer"))).outcomes == (-2,)
        assert (await backend.commit(partition, [Remove(LOG, "newer")])).outcomes == (2,)
        assert ids(await backend.read(partition, LOG)) == ["a", "b"]

    async def test_a_newer_record_may_be_replaced_by_what_was_read(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [Append(LOG, NEWER)])
        found = (await backend.read(partition, LOG)).entries[0]
        await backend.commit(partition, [Replace(LOG, entry("newer", b"mended"), found)])
        mended = (await backend.read(partition, LOG)).entries[0]
        assert (mended.data, mended.unreadable, mended.position) == (b"mended", None, 1)

    async def test_a_follower_is_told_too(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [*add("a"), Append(LOG, NEWER), Append(LOG, GARBAGE), *add("b")])
        entries = backend.follow(partition, LOG)
        found = await take(entries, 4)
        assert [bool(each.unreadable) for each in found] == [False, True, True, False]
        await close(entries)
