"""Removing, truncating and trimming: what goes, what stays a cursor, and positions that are never given again."""

from __future__ import annotations

import pytest

from ..backend import Backend
from ..errors import ConflictError, UnknownCursorError
from ..records import Change, Partition, Remove, Replace, Trim, Truncate
from .support import LOG, Suite, add, entry, ids, numbered, positions, read_ids


class Removing(Suite):
    """`Remove`, `Truncate` and `Trim`."""

    async def test_a_removed_entry_leaves_a_hole(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(5))
        done = await backend.commit(partition, [Remove(LOG, "i2"), Remove(LOG, "i4")])
        assert (done.revision, done.outcomes) == (2, (2, 4))
        page = await backend.read(partition, LOG)
        assert (ids(page), positions(page)) == (["i1", "i3", "i5"], [1, 3, 5])

    async def test_what_is_not_there_is_not_removed(self, backend: Backend, partition: Partition) -> None:
        assert (await backend.commit(partition, [Remove(LOG, "a")])).outcomes == (0,)
        await backend.commit(partition, add("a"))
        assert (await backend.commit(partition, [Remove(LOG, "a")])).outcomes == (1,)
        done = await backend.commit(partition, [Remove(LOG, "a"), Remove("other", "a")])
        assert (done.revision, done.outcomes) == (4, (0, 0))

    async def test_an_entry_is_removed_only_as_it_was_read(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(3))
        first, second, _ = (await backend.read(partition, LOG)).entries
        await backend.commit(partition, [Replace(LOG, entry("i1", b"other"))])
        with pytest.raises(ConflictError):
            await backend.commit(partition, [Remove(LOG, "i2", second), Remove(LOG, "i1", first)])
        assert await read_ids(backend, partition) == ["i1", "i2", "i3"]
        assert (await backend.commit(partition, [Remove(LOG, "i2", second)])).outcomes == (2,)
        # What is not there is not removed, and has not changed either.
        assert (await backend.commit(partition, [Remove(LOG, "i2", second)])).outcomes == (0,)
        assert await read_ids(backend, partition) == ["i1", "i3"]

    async def test_a_removed_id_stays_a_cursor(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(5))
        await backend.commit(partition, [Remove(LOG, "i3")])
        assert ids(await backend.read(partition, LOG, after="i3")) == ["i4", "i5"]
        assert ids(await backend.read(partition, LOG, before="i3")) == ["i1", "i2"]
        assert ids(await backend.read(partition, LOG, after="i3", inclusive=True)) == ["i4", "i5"]
        assert ids(await backend.read(partition, LOG, before="i3", newest_first=True)) == ["i2", "i1"]
        assert (await backend.commit(partition, [Truncate(LOG, "i3")])).outcomes == (2,)
        assert await read_ids(backend, partition) == ["i1", "i2"]

    @pytest.mark.parametrize("after", [2, "i2"])
    async def test_a_truncate_keeps_what_stands_up_to_its_cursor(
        self, backend: Backend, partition: Partition, after: int | str
    ) -> None:
        await backend.commit(partition, numbered(5))
        await backend.commit(partition, [Remove(LOG, "i4")])
        done = await backend.commit(partition, [Truncate(LOG, after)])
        assert (done.revision, done.outcomes) == (3, (2,))
        assert await read_ids(backend, partition) == ["i1", "i2"]

    async def test_a_truncate_after_nothing_removes_everything(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(3))
        assert (await backend.commit(partition, [Truncate(LOG, 0)])).outcomes == (3,)
        assert await backend.read(partition, LOG) == ([], False)
        assert (await backend.commit(partition, [Truncate(LOG, 0)])).outcomes == (0,)

    async def test_a_truncate_at_the_end_removes_nothing(self, backend: Backend, partition: Partition) -> None:
        assert (await backend.commit(partition, [Truncate(LOG, 0)])).outcomes == (0,)
        await backend.commit(partition, numbered(3))
        for after in (3, "i3", 4, 10**9, 10**18):
            assert (await backend.commit(partition, [Truncate(LOG, after)])).outcomes == (0,)
        assert await read_ids(backend, partition) == ["i1", "i2", "i3"]
        assert (await backend.commit(partition, add("i4"))).outcomes == (4,)

    async def test_a_truncate_needs_a_known_id(self, backend: Backend, partition: Partition) -> None:
        with pytest.raises(UnknownCursorError):
            await backend.commit(partition, [Truncate(LOG, "i1")])
        await backend.commit(partition, numbered(4))
        await backend.commit(partition, [Truncate(LOG, 3), Trim(LOG, 2)])
        for id in ("i1", "i4", "unknown"):
            with pytest.raises(UnknownCursorError):
                await backend.commit(partition, [Truncate(LOG, id)])
        assert await read_ids(backend, partition) == ["i2", "i3"]

    async def test_a_trim_removes_what_stands_before_its_position(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(6))
        await backend.commit(partition, [Remove(LOG, "i2")])
        assert (await backend.commit(partition, [Trim(LOG, 4)])).outcomes == (2,)
        page = await backend.read(partition, LOG)
        assert (ids(page), positions(page)) == (["i4", "i5", "i6"], [4, 5, 6])
        for before in (0, 1, 4):
            assert (await backend.commit(partition, [Trim(LOG, before)])).outcomes == (0,)
        assert (await backend.commit(partition, [Trim(LOG, 10**18)])).outcomes == (3,)
        assert await backend.read(partition, LOG) == ([], False)
        assert (await backend.commit(partition, [Trim("other", 5)])).outcomes == (0,)

    async def test_ids_that_were_cut_off_are_forgotten(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(6))
        await backend.commit(partition, [Trim(LOG, 3), Truncate(LOG, 4)])
        for id in ("i1", "i2", "i5", "i6"):
            with pytest.raises(UnknownCursorError):
                await backend.read(partition, LOG, after=id)
            with pytest.raises(UnknownCursorError):
                await backend.read(partition, LOG, before=id)
            assert (await backend.commit(partition, [Remove(LOG, id)])).outcomes == (0,)
        await backend.commit(partition, add("i7"))
        with pytest.raises(UnknownCursorError):
            await backend.read(partition, LOG, after="i6")

    async def test_ids_that_stay_after_a_cut_are_known_in_their_places(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(300))
        await backend.commit(partition, [Trim(LOG, 101), Truncate(LOG, 200)])
        assert ids(await backend.read(partition, LOG, after="i150", limit=2)) == ["i151", "i152"]
        assert (await backend.commit(partition, add("i101", "i200"))).outcomes == (-101, -200)
        assert (await backend.commit(partition, [Remove(LOG, "i120")])).outcomes == (120,)
        assert (await backend.commit(partition, [Trim(LOG, 151)])).outcomes == (49,)
        assert positions(await backend.read(partition, LOG, limit=1)) == [151]

    async def test_the_positions_of_what_was_cut_off_stay_cursors(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(6))
        await backend.commit(partition, [Trim(LOG, 3), Truncate(LOG, 4)])
        await backend.commit(partition, add("i7"))
        for after, expected in ((0, ["i3", "i4", "i7"]), (1, ["i3", "i4", "i7"]), (3, ["i4", "i7"]), (5, ["i7"]), (7, [])):
            assert ids(await backend.read(partition, LOG, after=after)) == expected
        for before, expected in ((8, ["i7", "i4", "i3"]), (6, ["i4", "i3"]), (4, ["i3"]), (2, [])):
            assert ids(await backend.read(partition, LOG, before=before, newest_first=True)) == expected

    @pytest.mark.parametrize(
        "changes",
        [
            [Truncate(LOG, 0)],
            [Truncate(LOG, 2)],
            [Trim(LOG, 4)],
            [Trim(LOG, 100)],
            [Remove(LOG, "i3")],
            [Remove(LOG, "i1"), Remove(LOG, "i2"), Remove(LOG, "i3")],
            [Remove(LOG, "i3"), Truncate(LOG, 1)],
            [Remove(LOG, "i3"), Trim(LOG, 4)],
            [Trim(LOG, 2), Truncate(LOG, 2)],
            [Truncate(LOG, 0), Trim(LOG, 10)],
        ],
    )
    async def test_a_position_is_never_given_again(self, backend: Backend, partition: Partition, changes: list[Change]) -> None:
        await backend.commit(partition, numbered(3))
        await backend.commit(partition, changes)
        kept = positions(await backend.read(partition, LOG))
        assert (await backend.commit(partition, add("new"))).outcomes == (4,)
        assert positions(await backend.read(partition, LOG)) == [*kept, 4]
        await backend.commit(partition, [Truncate(LOG, 0)])
        done = await backend.commit(partition, [*add("newer"), *add("a", log="other")])
        assert done.outcomes == (5, 1)
        assert positions(await backend.read(partition, LOG)) == [5]
        assert positions(await backend.read(partition, LOG, newest_first=True, limit=1)) == [5]
        assert ids(await backend.read(partition, LOG, after="newer", inclusive=True)) == ["newer"]
