"""Pages of items: every cursor, both orders, removed and unreadable records, and what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import clew
from clew.codec import decode_entry, encode_entry, make_entry
from clew.records import Append, Partition


async def fill(store: clew.Store, thread: clew.ThreadKey, count: int) -> list[str]:
    """Append items item-1 ... and return their ids."""
    ids = [f"item-{n}" for n in range(1, count + 1)]
    await store.items.append(thread, [clew.NewItem(b"%d" % n, id=id) for n, id in enumerate(ids, 1)])
    return ids


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("size", [1, 3, 7, 20, 21])
async def test_the_pages_together_are_the_thread(store: clew.Store, thread: clew.Thread, size: int, newest_first: bool) -> None:
    ids = await fill(store, thread, 20)
    for gone in ("item-1", "item-8", "item-9", "item-20"):
        await store.items.remove(thread, gone)
        ids.remove(gone)

    seen: list[str] = []
    cursor: str | None = None
    while True:
        bounds = {"before" if newest_first else "after": cursor}
        page = await store.items.page(thread, limit=size, newest_first=newest_first, **bounds)  # type: ignore[arg-type]
        seen += [item.id for item in page]
        if not page.has_more:
            break
        assert len(page) == size
        cursor = page.cursor
    assert seen == (ids[::-1] if newest_first else ids)


async def test_two_cursors_bound_a_page_from_both_sides(store: clew.Store, thread: clew.Thread) -> None:
    await fill(store, thread, 10)

    page = await store.items.page(thread, after="item-2", before="item-6", limit=2)
    assert ([item.position for item in page], page.has_more) == ([3, 4], True)
    page = await store.items.page(thread, after=2, before=6, limit=2, newest_first=True)
    assert ([item.position for item in page], page.has_more) == ([5, 4], True)
    assert list(await store.items.page(thread, after=6, before=2)) == []


async def test_a_number_as_text_is_an_id_and_no_position(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, [clew.NewItem(b"a", id="3"), clew.NewItem(b"b"), clew.NewItem(b"c"), clew.NewItem(b"d")])
    assert [item.position for item in await store.items.page(thread, after="3")] == [2, 3, 4]
    assert [item.position for item in await store.items.page(thread, after=3)] == [4]


async def test_a_cursor_that_was_cut_off_is_unknown(store: clew.Store, thread: clew.Thread) -> None:
    await fill(store, thread, 5)
    await store.items.truncate(thread, "item-4")
    await store.items.trim(thread, 2)

    for gone in ("item-5", "item-1", "item-2"):
        with pytest.raises(clew.UnknownCursorError):
            await store.items.page(thread, after=gone)
    assert [item.position for item in await store.items.page(thread, after=1)] == [3, 4]


async def test_one_items_cursor_is_unknown_in_another_thread(store: clew.Store, thread: clew.Thread) -> None:
    await fill(store, thread, 2)
    other = await store.threads.create("ada")
    with pytest.raises(clew.UnknownCursorError):
        await store.items.page(other, after="item-1")
    with pytest.raises(clew.NotFoundError) as caught:
        await store.items.page(clew.Ref("bob", thread.id), after="item-1")
    assert not isinstance(caught.value, clew.UnknownCursorError)


async def test_a_removed_item_is_not_found_and_its_neighbours_are(store: clew.Store, thread: clew.Thread) -> None:
    await fill(store, thread, 3)
    await store.items.remove(thread, "item-2")

    with pytest.raises(clew.NotFoundError, match="item-2"):
        await store.items.get(thread, "item-2")
    assert (await store.items.get(thread, "item-3")).position == 3


async def test_an_item_that_was_removed_and_appended_again_is_found_where_it_is_now(
    store: clew.Store, thread: clew.Thread
) -> None:
    await fill(store, thread, 3)
    await store.items.remove(thread, "item-2")
    await store.items.append(thread, clew.NewItem(b"again", id="item-2"))

    item = await store.items.get(thread, "item-2")
    assert (item.position, item.data) == (4, b"again")


async def test_a_tail_longer_than_the_thread_is_the_thread(store: clew.Store, thread: clew.Thread) -> None:
    assert await store.items.tail(thread) == []
    await fill(store, thread, 3)
    assert [item.position for item in await store.items.tail(thread, 1_000)] == [1, 2, 3]


async def test_every_kind_of_payload_comes_back_to_the_byte(store: clew.Store, thread: clew.Thread) -> None:
    payloads = [b"", b"\0", bytes(range(256)), "🧵 ünï".encode(), b"\xc0", b"x" * 1_000_000]
    await store.items.append(thread, [clew.NewItem(data) for data in payloads])
    assert [item.data for item in await store.items.tail(thread)] == payloads


# -- records that cannot be read -----------------------------------------------------------------------------------------


def newer(id: str, format: int = 9) -> clew.Item:
    """Return an item as a newer clew would have stored it."""
    entry = msgspec.structs.replace(make_entry(id, b"from the future", created_ms=7), format=format)
    found = decode_entry(encode_entry(entry), 0)
    assert found is not None
    assert found.unreadable is not None
    return found


async def put_raw(store: clew.Store, thread: clew.Thread, entry: clew.Item) -> None:
    """Append a record as it is."""
    await store.backend.commit(Partition(thread.owner, thread.id), [Append("items", entry)])


async def test_a_record_from_a_newer_clew_is_kept_reported_and_does_not_fail_its_page(
    store: clew.Store, thread: clew.Thread
) -> None:
    await fill(store, thread, 1)
    await put_raw(store, thread, newer("future"))
    await store.items.append(thread, clew.NewItem(b"2", id="last"))

    items = await store.items.tail(thread)

    assert [item.id for item in items] == ["item-1", "future", "last"]
    assert [item.unreadable is None for item in items] == [True, False, True]
    assert "upgrade" in (items[1].unreadable or "")
    assert items[1].data == newer("future").data
    assert (await store.items.get(thread, "future")).unreadable is not None


async def test_a_page_can_end_at_an_unreadable_record(store: clew.Store, thread: clew.Thread) -> None:
    await fill(store, thread, 1)
    garbage = decode_entry(b"\x93garbage", 2)
    assert garbage is not None
    await put_raw(store, thread, garbage)
    await store.items.append(thread, clew.NewItem(b"2", id="last"))

    page = await store.items.page(thread, limit=2)
    assert [item.unreadable is None for item in page] == [True, False]
    rest = await store.items.page(thread, after=page.cursor)
    assert [item.id for item in rest] == ["last"]
    assert (await store.items.get(thread, str(page.cursor))).data == b"\x93garbage"


async def test_an_unreadable_record_is_not_overwritten_and_can_be_removed(store: clew.Store, thread: clew.Thread) -> None:
    await put_raw(store, thread, newer("future"))

    with pytest.raises(clew.UnreadableError):
        await store.items.set_status(thread, "future", "done", expect=None)
    with pytest.raises(clew.UnreadableError):
        await store.items.replace(thread, "future", b"mine")
    assert await store.items.remove(thread, "future")


async def test_a_fork_carries_an_unreadable_record_over_as_it_is(store: clew.Store, thread: clew.Thread) -> None:
    await fill(store, thread, 1)
    await put_raw(store, thread, newer("future"))

    branch = await store.items.fork(thread)

    (_, copied) = await store.items.tail(branch)
    assert (copied.id, copied.data) == ("future", newer("future").data)


# -- what is refused -----------------------------------------------------------------------------------------------------

BAD: list[dict[str, Any]] = [
    {"limit": 0},
    {"limit": -5},
    {"limit": 1_001},
    {"limit": 10**30},
    {"limit": None},
    {"limit": "20"},
    {"after": -1},
    {"after": 1 << 60},
    {"after": True},
    {"after": 1.0},
    {"after": ""},
    {"after": b"id"},
    {"before": "x" * 513},
    {"before": "\ud800"},
]


@pytest.mark.parametrize("options", BAD, ids=str)
async def test_a_bad_limit_or_cursor_is_refused(store: clew.Store, thread: clew.Thread, options: dict[str, Any]) -> None:
    with pytest.raises(clew.InvalidError):
        await store.items.page(thread, **options)


@pytest.mark.parametrize("after", [-1, "", None, 1.5])
async def test_a_bad_cursor_truncates_nothing(store: clew.Store, thread: clew.Thread, after: Any) -> None:
    await fill(store, thread, 2)
    with pytest.raises(clew.InvalidError):
        await store.items.truncate(thread, after)
    assert len(await store.items.tail(thread)) == 2


async def test_an_unknown_item_truncates_nothing(store: clew.Store, thread: clew.Thread) -> None:
    await fill(store, thread, 2)
    with pytest.raises(clew.UnknownCursorError):
        await store.items.truncate(thread, "never-seen")
    assert len(await store.items.tail(thread)) == 2
