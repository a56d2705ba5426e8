"""Pages: cursors of both kinds, both orders, what follows, holes, and bad arguments."""

from __future__ import annotations

from typing import Any

import pytest

from ..backend import Backend
from ..errors import InvalidError, UnknownCursorError
from ..limits import MAX_PAGE
from ..records import Partition, PutDocument, Remove, Trim
from .support import LOG, Suite, add, ids, numbered, positions


class Reading(Suite):
    """`read`."""

    async def test_what_is_not_there_is_an_empty_page(self, backend: Backend, partition: Partition) -> None:
        for _ in range(2):
            for arguments in _plain({}, {"after": 0}, {"before": 5}, {"after": 7, "newest_first": True}, {"inclusive": True}):
                assert await backend.read(partition, LOG, **arguments) == ([], False)
            await backend.commit(partition, [*add("a", log="other"), PutDocument("a", b"1")])

    async def test_an_unknown_id_is_an_error_and_never_the_first_page(self, backend: Backend, partition: Partition) -> None:
        for _ in range(2):
            for arguments in _plain(
                {"after": "?"}, {"before": "?"}, {"after": 1, "before": "?"}, {"after": "?", "inclusive": True}
            ):
                with pytest.raises(UnknownCursorError):
                    await backend.read(partition, LOG, **arguments)
                with pytest.raises(UnknownCursorError):
                    await backend.read(partition, LOG, newest_first=True, **arguments)
            await backend.commit(partition, add("a", "b"))
            await backend.commit(partition, add("?", log="other"))

    @pytest.mark.parametrize("newest_first", [False, True])
    @pytest.mark.parametrize("by_id", [False, True])
    async def test_pages_of_each_size_hold_each_entry_once(
        self, backend: Backend, partition: Partition, newest_first: bool, by_id: bool
    ) -> None:
        await backend.commit(partition, numbered(7))
        await backend.commit(partition, [Remove(LOG, "i1"), Remove(LOG, "i4"), Remove(LOG, "i5")])
        expected = [7, 6, 3, 2] if newest_first else [2, 3, 6, 7]
        for limit in range(1, 6):
            found: list[int] = []
            cursor: int | str | None = None
            has_more = True
            while has_more:
                side = {"before" if newest_first else "after": cursor}
                page = await backend.read(partition, LOG, limit=limit, newest_first=newest_first, **side)  # type: ignore[arg-type]
                has_more = page.has_more
                assert len(page.entries) == min(limit, len(expected) - len(found))
                found += positions(page)
                cursor = page.entries[-1].id if by_id else page.entries[-1].position
                assert len(found) <= len(expected)
            assert found == expected

    async def test_has_more_tells_whether_another_entry_follows(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(4))
        await backend.commit(partition, [Remove(LOG, "i4")])
        for arguments, more in (
            ({"limit": 2}, True),
            ({"limit": 3}, False),
            ({"limit": 4}, False),
            ({"limit": 2, "after": 1}, False),
            ({"limit": 1, "before": 3}, True),
            ({"limit": 2, "before": 3}, False),
            ({"limit": 2, "newest_first": True}, True),
            ({"limit": 3, "newest_first": True}, False),
            ({"limit": 1, "after": 2, "newest_first": True}, False),
            ({"limit": 1, "after": 1, "newest_first": True}, True),
        ):
            page = await backend.read(partition, LOG, **_any(arguments))
            assert page.has_more is more, arguments

    async def test_both_cursors_bound_the_page(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(9))
        for after in (3, "i3"):
            for before in (7, "i7"):
                page = await backend.read(partition, LOG, after=after, before=before)
                assert (ids(page), page.has_more) == (["i4", "i5", "i6"], False)
                page = await backend.read(partition, LOG, after=after, before=before, newest_first=True, limit=2)
                assert (ids(page), page.has_more) == (["i6", "i5"], True)
                page = await backend.read(partition, LOG, after=after, before=before, limit=3)
                assert (ids(page), page.has_more) == (["i4", "i5", "i6"], False)
        for after, before in ((5, 6), (5, 5), (7, 3), ("i5", "i6"), ("i7", "i3"), (9, None), (None, 1)):  # type: ignore[assignment]
            assert await backend.read(partition, LOG, after=after, before=before) == ([], False)
            assert await backend.read(partition, LOG, after=after, before=before, newest_first=True) == ([], False)

    async def test_an_inclusive_page_holds_what_its_cursors_name(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(6))
        await backend.commit(partition, [Remove(LOG, "i5")])
        for arguments, expected in (
            ({"after": 2, "before": 4}, ["i2", "i3", "i4"]),
            ({"after": "i2", "before": "i4"}, ["i2", "i3", "i4"]),
            ({"after": "i3", "before": "i3"}, ["i3"]),
            ({"after": 4}, ["i4", "i6"]),
            ({"before": 2}, ["i1", "i2"]),
            ({"before": 2, "newest_first": True}, ["i2", "i1"]),
            ({"after": "i5", "before": "i5"}, []),
            ({"after": 5}, ["i6"]),
            ({"after": 0, "before": 1}, ["i1"]),
            ({}, ["i1", "i2", "i3", "i4", "i6"]),
        ):
            assert ids(await backend.read(partition, LOG, inclusive=True, **_any(arguments))) == expected, arguments

    async def test_the_tail_is_the_newest_entries(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(30))
        await backend.commit(partition, [Remove(LOG, f"i{n}") for n in range(8, 30)])
        page = await backend.read(partition, LOG, limit=3, newest_first=True)
        assert (ids(page), page.has_more) == (["i30", "i7", "i6"], True)

    async def test_a_page_goes_on_over_a_long_run_of_holes(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(600))
        await backend.commit(partition, [Remove(LOG, f"i{n}") for n in range(2, 600)])
        for cursor in (None, 0):
            page = await backend.read(partition, LOG, after=cursor, limit=1)
            assert (ids(page), page.has_more) == (["i1"], True)
        page = await backend.read(partition, LOG, after="i1", limit=1)
        assert (ids(page), page.has_more) == (["i600"], False)
        page = await backend.read(partition, LOG, before="i600", limit=1, newest_first=True)
        assert (ids(page), page.has_more) == (["i1"], False)
        page = await backend.read(partition, LOG, after=1, before=600)
        assert page == ([], False)

    async def test_positions_below_and_beyond_the_log_are_cursors(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(5))
        await backend.commit(partition, [Trim(LOG, 3)])
        for huge in (6, 10**6, 2**32, 2**53, 2**63, 10**30):
            assert await backend.read(partition, LOG, after=huge) == ([], False)
            assert await backend.read(partition, LOG, after=huge, newest_first=True) == ([], False)
            assert ids(await backend.read(partition, LOG, before=huge)) == ["i3", "i4", "i5"]
            assert ids(await backend.read(partition, LOG, before=huge, newest_first=True, limit=1)) == ["i5"]
        for low in (0, 1, 2):
            assert ids(await backend.read(partition, LOG, after=low)) == ["i3", "i4", "i5"]
            assert await backend.read(partition, LOG, before=low) == ([], False)
            assert await backend.read(partition, LOG, before=low, newest_first=True) == ([], False)

    @pytest.mark.parametrize("cursor", [-1, -(10**9), True, 1.0, b"a", "", "x" * 513, "\ud800"])
    async def test_a_bad_cursor_is_refused(self, backend: Backend, partition: Partition, cursor: Any) -> None:
        await backend.commit(partition, add("a"))
        with pytest.raises(InvalidError):
            await backend.read(partition, LOG, after=cursor)
        with pytest.raises(InvalidError):
            await backend.read(partition, LOG, before=cursor)

    @pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1, 10**9, True, 1.0, "1", None])
    async def test_a_bad_limit_is_refused(self, backend: Backend, partition: Partition, limit: Any) -> None:
        await backend.commit(partition, add("a"))
        with pytest.raises(InvalidError):
            await backend.read(partition, LOG, limit=limit)

    async def test_the_largest_page_is_whole(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(MAX_PAGE + 1))
        page = await backend.read(partition, LOG, limit=MAX_PAGE)
        assert (positions(page), page.has_more) == (list(range(1, MAX_PAGE + 1)), True)
        page = await backend.read(partition, LOG, limit=MAX_PAGE, newest_first=True)
        assert (positions(page), page.has_more) == (list(range(MAX_PAGE + 1, 1, -1)), True)

    async def test_a_hundred_entries_are_read_where_no_limit_is_given(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(101))
        page = await backend.read(partition, LOG)
        assert (len(page.entries), page.has_more) == (100, True)


def _any(arguments: Any) -> Any:
    """Arguments of several types in one table."""
    return arguments


def _plain(*arguments: Any) -> Any:
    return arguments
