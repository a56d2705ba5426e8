"""Pages: cursors of both kinds, both orders, has-more, holes, limits."""

from __future__ import annotations

import pytest

from ..backend import Backend
from ..errors import InvalidError, UnknownCursorError
from ..limits import MAX_PAGE
from ..records import Partition, Remove, Trim, Truncate
from .common import LOG, Topic, append


class ReadingTopic(Topic):
    """Reading."""

    async def test_a_page_tells_whether_more_follow(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abcde")
        for newest_first in (False, True):
            for limit, more in ((1, True), (4, True), (5, False), (6, False)):
                page = await backend.read(partition, LOG, limit=limit, newest_first=newest_first)
                assert (len(page.entries), page.has_more) == (min(limit, 5), more)

    async def test_both_ends_in_both_orders(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abcde")
        oldest = await backend.read(partition, LOG, limit=2)
        newest = await backend.read(partition, LOG, limit=2, newest_first=True)
        assert [each.id for each in oldest.entries] == ["a", "b"]
        assert [each.id for each in newest.entries] == ["e", "d"]
        assert [each.position for each in newest.entries] == [5, 4]

    async def test_cursors_are_exclusive_and_may_be_ids_or_positions(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abcdef")
        for after, before in (("b", "e"), (2, 5), ("b", 5), (2, "e")):
            page = await backend.read(partition, LOG, after=after, before=before)
            assert ([each.id for each in page.entries], page.has_more) == (["c", "d"], False)
            page = await backend.read(partition, LOG, after=after, before=before, newest_first=True, limit=1)
            assert ([each.id for each in page.entries], page.has_more) == (["d"], True)
        assert (await backend.read(partition, LOG, after="d", before="c")).entries == []
        assert (await backend.read(partition, LOG, after=0, before=1)).entries == []

    async def test_inclusive_cursors_take_what_they_name(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abcdef")
        page = await backend.read(partition, LOG, after="b", before=4, inclusive=True)
        assert [each.id for each in page.entries] == ["b", "c", "d"]
        page = await backend.read(partition, LOG, after=1, limit=1, inclusive=True)
        assert [each.id for each in page.entries] == ["a"]
        await backend.commit(partition, [Remove(LOG, "b")])
        page = await backend.read(partition, LOG, after="b", limit=1, inclusive=True)
        assert [each.id for each in page.entries] == ["c"]

    @pytest.mark.parametrize("newest_first", [False, True])
    async def test_walking_page_by_page_meets_each_entry_once(
        self, backend: Backend, partition: Partition, newest_first: bool
    ) -> None:
        ids = [f"i{n}" for n in range(250)]
        await append(backend, partition, *ids)
        await backend.commit(partition, [Remove(LOG, id) for id in ids[40:90]])
        walked: list[str] = []
        cursor: str | None = None
        while True:
            if newest_first:
                page = await backend.read(partition, LOG, before=cursor, limit=17, newest_first=True)
            else:
                page = await backend.read(partition, LOG, after=cursor, limit=17)
            walked += [each.id for each in page.entries]
            if not page.has_more:
                break
            cursor = walked[-1]
        left = ids[:40] + ids[90:]
        assert walked == (left[::-1] if newest_first else left)

    async def test_a_page_across_many_holes_is_full(self, backend: Backend, partition: Partition) -> None:
        ids = [f"i{n}" for n in range(600)]
        await append(backend, partition, *ids[:300])
        await append(backend, partition, *ids[300:])
        await backend.commit(partition, [Remove(LOG, id) for id in ids[5:595]])
        page = await backend.read(partition, LOG, limit=8)
        assert ([each.id for each in page.entries], page.has_more) == (ids[:5] + ids[595:598], True)
        page = await backend.read(partition, LOG, limit=8, newest_first=True)
        assert [each.id for each in page.entries] == [*ids[599:594:-1], *ids[4:1:-1]]
        page = await backend.read(partition, LOG, after=ids[4], before=ids[595])
        assert (page.entries, page.has_more) == ([], False)
        page = await backend.read(partition, LOG, limit=10)
        assert (len(page.entries), page.has_more) == (10, False)

    async def test_a_removed_entry_stays_a_valid_cursor(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abcd")
        await backend.commit(partition, [Remove(LOG, "b")])
        assert [each.id for each in (await backend.read(partition, LOG, after="b")).entries] == ["c", "d"]
        assert [each.id for each in (await backend.read(partition, LOG, before="b")).entries] == ["a"]

    async def test_an_unknown_id_is_an_error_and_not_page_one(self, backend: Backend, partition: Partition) -> None:
        with pytest.raises(UnknownCursorError):
            await backend.read(partition, LOG, after="nobody")
        await append(backend, partition, *"abc")
        for cursors in ({"after": "nobody"}, {"before": "nobody"}):
            with pytest.raises(UnknownCursorError):
                await backend.read(partition, LOG, **cursors)  # type: ignore[arg-type]

    async def test_a_position_is_a_valid_cursor_for_ever(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abcdef")
        await backend.commit(partition, [Trim(LOG, 3)])
        await backend.commit(partition, [Truncate(LOG, "e")])
        assert [each.id for each in (await backend.read(partition, LOG, after=1)).entries] == ["c", "d", "e"]
        assert [each.id for each in (await backend.read(partition, LOG, before=6, newest_first=True)).entries] == ["e", "d", "c"]
        assert (await backend.read(partition, LOG, after=2**40)).entries == []
        assert (await backend.read(partition, LOG, before=2)).entries == []
        assert [each.id for each in (await backend.read(partition, LOG, before=2**63)).entries] == ["c", "d", "e"]

    @pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1, 10**30, True, 1.5, None])
    async def test_a_limit_out_of_bounds_is_refused(self, backend: Backend, partition: Partition, limit: int) -> None:
        with pytest.raises(InvalidError):
            await backend.read(partition, LOG, limit=limit)

    @pytest.mark.parametrize("cursor", [-1, True, 1.5, ""])
    async def test_a_cursor_that_is_none_is_refused(self, backend: Backend, partition: Partition, cursor: int) -> None:
        with pytest.raises(InvalidError):
            await backend.read(partition, LOG, after=cursor)
        with pytest.raises(InvalidError):
            await backend.read(partition, LOG, before=cursor)

    async def test_entries_appended_while_paging_are_neither_missed_nor_doubled(
        self, backend: Backend, partition: Partition
    ) -> None:
        await append(backend, partition, *"abcd")
        first = await backend.read(partition, LOG, limit=3)
        await append(backend, partition, *"ef")
        rest = await backend.read(partition, LOG, after=first.entries[-1].id)
        assert [each.id for each in (*first.entries, *rest.entries)] == list("abcdef")
