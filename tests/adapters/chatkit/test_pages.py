"""Pages: in the order the store gave, from any cursor that the thread ever had, and never from the start again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from chatkit.store import NotFoundError
from chatkit.types import HiddenContextItem

from clew import InvalidError, Store
from clew.adapters.chatkit import ChatKitStore

from .driver import ADA, BOB, Context, Server, answer, ask, ids_of, make_thread

Kit = ChatKitStore[Context]


async def fill(kit: Kit, count: int) -> str:
    """Make a thread with so many items, i0 and on."""
    thread_id = await make_thread(kit, ADA)
    for n in range(count):
        await kit.add_thread_item(thread_id, answer(thread_id, str(n), id=f"i{n}"), ADA)
    return thread_id


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 3, 5, 10, 11])
async def test_pages_miss_and_double_nothing(kit: Kit, order: str, limit: int) -> None:
    thread_id = await fill(kit, 10)
    found: list[str] = []
    after = None
    while True:
        page = await kit.load_thread_items(thread_id, after, limit, order, ADA)
        assert len(page.data) == min(limit, 10 - len(found))
        found += [item.id for item in page.data]
        assert page.has_more is (len(found) < 10)
        assert page.after == (found[-1] if page.has_more else None)
        if not page.has_more:
            break
        after = page.after
    expected = [f"i{n}" for n in range(10)]
    assert found == (expected if order == "asc" else expected[::-1])


async def test_the_order_is_the_stores_whatever_the_clocks_say(kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    now = datetime.now()
    moments: list[Any] = [now, now, now - timedelta(seconds=2), now.astimezone(), now - timedelta(days=1)]
    for n, moment in enumerate(moments):
        item = answer(thread_id, "x", id=f"i{n}").model_copy(update={"created_at": moment})
        await kit.add_thread_item(thread_id, item, ADA)
    assert await ids_of(kit, thread_id, ADA) == ["i0", "i1", "i2", "i3", "i4"]
    (newest,) = (await kit.load_thread_items(thread_id, None, 1, "desc", ADA)).data
    assert (newest.id, newest.created_at) == ("i4", moments[4])


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_a_cursor_survives_the_deletion_of_its_item(kit: Kit, order: str) -> None:
    thread_id = await fill(kit, 6)
    page = await kit.load_thread_items(thread_id, None, 2, order, ADA)
    for item in page.data:
        await kit.delete_thread_item(thread_id, item.id, ADA)
    rest = await kit.load_thread_items(thread_id, page.after, 9, order, ADA)
    assert [item.id for item in rest.data] == (["i2", "i3", "i4", "i5"] if order == "asc" else ["i3", "i2", "i1", "i0"])


async def test_a_hidden_item_is_a_cursor(kit: Kit, server: Server) -> None:
    thread_id = await fill(kit, 2)
    await kit.add_thread_item(
        thread_id, HiddenContextItem(id="hid", thread_id=thread_id, created_at=datetime.now(), content="x"), ADA
    )
    await kit.add_thread_item(thread_id, answer(thread_id, "x", id="last"), ADA)
    page = await ask(server, "items.list", ADA, thread_id=thread_id, limit=3, order="asc")
    assert ([item["id"] for item in page["data"]], page["after"]) == (["i0", "i1"], "hid")
    page = await ask(server, "items.list", ADA, thread_id=thread_id, limit=3, order="asc", after="hid")
    assert [item["id"] for item in page["data"]] == ["last"]


@pytest.mark.parametrize("limit", [10**9, 1001])
async def test_a_huge_limit_is_the_longest_page(store: Store, limit: int) -> None:
    kit: Kit = ChatKitStore(store, max_page=4)
    thread_id = await fill(kit, 6)
    page = await kit.load_thread_items(thread_id, None, limit, "asc", ADA)
    assert ([item.id for item in page.data], page.has_more, page.after) == (["i0", "i1", "i2", "i3"], True, "i3")
    for _ in range(5):
        await make_thread(kit, ADA)
    assert len((await kit.load_threads(limit, None, "asc", ADA)).data) == 4


@pytest.mark.parametrize("limit", [0, -1, -(10**9)])
async def test_a_negative_limit_is_a_page_of_one(kit: Kit, limit: int) -> None:
    thread_id = await fill(kit, 2)
    page = await kit.load_thread_items(thread_id, None, limit, "asc", ADA)
    assert ([item.id for item in page.data], page.has_more) == (["i0"], True)
    assert len((await kit.load_threads(limit, None, "asc", ADA)).data) == 1


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_an_unknown_cursor_is_not_found_and_never_the_first_page(kit: Kit, server: Server, order: str) -> None:
    thread_id, other, bobs = await fill(kit, 2), await make_thread(kit, ADA), await make_thread(kit, BOB)
    await kit.add_thread_item(other, answer(other, "x", id="of-other"), ADA)
    await kit.add_thread_item(bobs, answer(bobs, "x", id="of-bob"), BOB)
    for cursor in ("never", "of-other", "of-bob", "x" * 100_000, "", "0", "-1", "i0\0", "../i0"):
        with pytest.raises(NotFoundError):
            await kit.load_thread_items(thread_id, cursor, 10, order, ADA)
        with pytest.raises(NotFoundError):
            await kit.load_threads(10, cursor, order, ADA)
        with pytest.raises(NotFoundError):
            await ask(server, "items.list", ADA, thread_id=thread_id, limit=10, order=order, after=cursor)
    with pytest.raises(NotFoundError):
        await kit.load_threads(10, bobs, order, ADA)


async def test_an_order_that_is_none_is_refused(kit: Kit) -> None:
    thread_id = await fill(kit, 1)
    with pytest.raises(InvalidError, match="asc or desc"):
        await kit.load_thread_items(thread_id, None, 10, "newest", ADA)
    with pytest.raises(InvalidError, match="asc or desc"):
        await kit.load_threads(10, None, "", ADA)
