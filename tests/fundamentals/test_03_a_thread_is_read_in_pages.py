"""A page starts at a cursor: a position, or an item's id. What stands at the cursor is not in the page."""

from __future__ import annotations

import pytest

import clew


@pytest.fixture
async def ten(store: clew.Store, thread: clew.Thread) -> clew.Thread:
    """A thread with the items item-1 to item-10."""
    await store.items.append(thread, [clew.NewItem(b"%d" % n, id=f"item-{n}") for n in range(1, 11)])
    return thread


async def test_a_page_says_whether_more_follow_and_where_to_go_on(store: clew.Store, ten: clew.Thread) -> None:
    page = await store.items.page(ten, limit=4)

    assert [item.position for item in page] == [1, 2, 3, 4]
    assert page.has_more
    assert page.cursor == "item-4"


async def test_a_thread_is_read_page_by_page_from_the_oldest(store: clew.Store, ten: clew.Thread) -> None:
    page = await store.items.page(ten, limit=4)
    seen = list(page)
    while page.has_more:
        page = await store.items.page(ten, after=page.cursor, limit=4)
        seen += page

    assert [item.position for item in seen] == list(range(1, 11))


async def test_a_thread_is_read_page_by_page_from_the_newest(store: clew.Store, ten: clew.Thread) -> None:
    page = await store.items.page(ten, limit=4, newest_first=True)
    seen = list(page)
    while page.has_more:
        page = await store.items.page(ten, before=page.cursor, limit=4, newest_first=True)
        seen += page

    assert [item.position for item in seen] == list(range(10, 0, -1))


async def test_the_tail_is_the_newest_items_in_reading_order(store: clew.Store, ten: clew.Thread) -> None:
    tail = await store.items.tail(ten, limit=3)

    assert [item.position for item in tail] == [8, 9, 10]


async def test_a_position_is_a_cursor_for_ever(store: clew.Store, ten: clew.Thread) -> None:
    await store.items.remove(ten, "item-4")

    assert [item.position for item in await store.items.page(ten, after=4, limit=2)] == [5, 6]
    assert [item.position for item in await store.items.page(ten, after=3, before=6)] == [5]


async def test_a_page_after_a_removed_item_goes_on(store: clew.Store, ten: clew.Thread) -> None:
    page = await store.items.page(ten, limit=4)
    await store.items.remove(ten, "item-4")

    assert [item.position for item in await store.items.page(ten, after=page.cursor, limit=2)] == [5, 6]


async def test_an_unknown_cursor_is_an_error_and_not_page_one(store: clew.Store, ten: clew.Thread) -> None:
    with pytest.raises(clew.UnknownCursorError):
        await store.items.page(ten, after="never-seen")


async def test_an_empty_page_is_no_error(store: clew.Store, ten: clew.Thread) -> None:
    page = await store.items.page(ten, after=10)

    assert list(page) == []
    assert not page.has_more
    assert page.cursor is None


@pytest.mark.parametrize("limit", [0, -1, 1_001, True, 2.0])
async def test_a_limit_out_of_bounds_is_refused(store: clew.Store, ten: clew.Thread, limit: int) -> None:
    with pytest.raises(clew.InvalidError, match="from 1 to 1000"):
        await store.items.page(ten, limit=limit)
