"""Changing an item: in its place, from what was read, among many who do the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import clew


@pytest.fixture
async def item(store: clew.Store, thread: clew.Thread) -> clew.Item:
    """The second of three items."""
    new = clew.NewItem(b"draft", id="b", kind="k", codec="c/1", author="me", parent="a", status="new", links=["l"], created_ms=7)
    await store.items.append(thread, [clew.NewItem(b"", id="a"), new, clew.NewItem(b"", id="c")])
    return await store.items.get(thread, "b")


async def test_new_data_leaves_all_else_as_it_was(store: clew.Store, thread: clew.Thread, item: clew.Item) -> None:
    new = await store.items.replace(thread, "b", b"final")

    assert new == await store.items.get(thread, "b")
    assert (new.data, new.position, new.created_ms, new.status, new.links) == (b"final", 2, 7, "new", ("l",))
    assert (new.kind, new.codec, new.author, new.parent) == ("k", "c/1", "me", "a")


async def test_what_is_named_changes_with_the_data(store: clew.Store, thread: clew.Thread, item: clew.Item) -> None:
    await store.items.replace(
        thread, "b", b"", kind="message", codec="json", author=None, parent=None, status=None, links=["x", "y"]
    )

    new = await store.items.get(thread, "b")
    assert (new.kind, new.codec, new.author, new.parent, new.status) == ("message", "json", None, None, None)
    assert new.links == ("x", "y")


async def test_many_who_replace_the_same_item_all_get_their_turn(store: clew.Store, thread: clew.Thread, item: clew.Item) -> None:
    await asyncio.gather(*(store.items.replace(thread, "b", b"%d" % n) for n in range(15)))

    assert (await store.items.get(thread, "b")).data in {b"%d" % n for n in range(15)}
    assert (await store.threads.get(thread)).revision == 2 + 15


async def test_of_many_who_expect_what_they_read_one_replaces_it(store: clew.Store, thread: clew.Thread, item: clew.Item) -> None:
    done = await asyncio.gather(
        *(store.items.replace(thread, "b", b"%d" % n, expect=item) for n in range(15)), return_exceptions=True
    )

    winners = [each for each in done if isinstance(each, clew.Item)]
    assert len(winners) == 1
    assert [type(each) for each in done].count(clew.ConflictError) == 14
    assert await store.items.get(thread, "b") == winners[0]


async def test_a_status_goes_back_and_forth(store: clew.Store, thread: clew.Thread, item: clew.Item) -> None:
    await store.items.set_status(thread, "b", None, expect="new")
    await store.items.set_status(thread, "b", "new", expect=None)
    with pytest.raises(clew.ConflictError) as caught:
        await store.items.set_status(thread, "b", "x", expect=None)
    assert (caught.value.expected, caught.value.actual) == (None, "new")
    assert await store.items.get(thread, "b") == item


async def test_a_status_changes_while_others_change_the_data(store: clew.Store, thread: clew.Thread, item: clew.Item) -> None:
    await asyncio.gather(
        *(store.items.replace(thread, "b", b"%d" % n) for n in range(10)),
        store.items.set_status(thread, "b", "done", expect="new"),
    )
    assert (await store.items.get(thread, "b")).status == "done"


async def test_an_unknown_or_removed_item_is_not_found(store: clew.Store, thread: clew.Thread, item: clew.Item) -> None:
    await store.items.remove(thread, "b")
    for asked in (
        store.items.replace(thread, "b", b""),
        store.items.replace(thread, "b", b"", expect=item),
        store.items.set_status(thread, "b", "x", expect="new"),
        store.items.get(thread, "nope"),
        store.items.replace(thread, "nope", b""),
    ):
        with pytest.raises(clew.NotFoundError):
            await asked
    assert len(await store.items.tail(thread)) == 2


async def test_a_removed_item_can_be_appended_again(store: clew.Store, thread: clew.Thread, item: clew.Item) -> None:
    assert await store.items.remove(thread, "b")
    assert not await store.items.remove(thread, "b")
    appended = await store.items.append(thread, clew.NewItem(b"again", id="b"))
    assert (appended.positions, appended.duplicates) == ((4,), frozenset())


BAD: list[tuple[dict[str, Any], str]] = [
    ({"data": "text"}, "bytes"),
    ({"data": bytes(8 * 1024 * 1024 + 1)}, "at most"),
    ({"data": b"", "kind": ""}, "kind"),
    ({"data": b"", "kind": None}, "kind"),
    ({"data": b"", "author": 3}, "author"),
    ({"data": b"", "links": "l"}, "links"),
    ({"data": b"", "expect": "b"}, "expect"),
    ({"data": b"", "id": ""}, "empty"),
    ({"data": b"", "id": None}, "string"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=range(len(BAD)))
async def test_a_bad_change_is_refused(plain: clew.Store, arguments: dict[str, Any], said: str) -> None:
    thread = await plain.threads.create("ada")
    await plain.items.append(thread, clew.NewItem(b"as it was", id="b"))
    with pytest.raises(clew.InvalidError, match=said):
        await plain.items.replace(thread, **{"id": "b", **arguments})
    assert (await plain.items.get(thread, "b")).data == b"as it was"


async def test_what_is_expected_must_be_the_item_that_is_replaced(plain: clew.Store) -> None:
    thread = await plain.threads.create("ada")
    await plain.items.append(thread, [clew.NewItem(b"", id="a"), clew.NewItem(b"", id="b")])
    with pytest.raises(clew.InvalidError, match="expect"):
        await plain.items.replace(thread, "b", b"", expect=await plain.items.get(thread, "a"))


@pytest.mark.parametrize(("status", "expect"), [("", None), ("x", ""), (3, None), ("x", b"new")])
async def test_a_bad_status_is_refused(plain: clew.Store, status: Any, expect: Any) -> None:
    thread = await plain.threads.create("ada")
    await plain.items.append(thread, clew.NewItem(b"", id="b"))
    with pytest.raises(clew.InvalidError, match="status"):
        await plain.items.set_status(thread, "b", status, expect=expect)
