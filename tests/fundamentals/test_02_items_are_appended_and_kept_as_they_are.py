"""An item is one thing in a thread. Its data is your framework's own bytes, kept as they are, in a small envelope."""

from __future__ import annotations

import pytest

import clew


async def test_an_item_is_bytes_and_comes_back_as_it_was(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b'{ "text":"Hello" }'))

    (item,) = await store.items.page(thread)

    assert item.data == b'{ "text":"Hello" }'


async def test_json_is_one_call_away(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem.json({"text": "Hello"}))

    (item,) = await store.items.page(thread)

    assert item.json() == {"text": "Hello"}


async def test_the_envelope_says_what_an_item_is(store: clew.Store, thread: clew.Thread) -> None:
    call = clew.NewItem.json(
        {"name": "weather", "arguments": {"city": "Oslo"}},
        kind="tool_call",
        codec="my.framework/1",
        author="assistant",
        status="pending",
        links=["call-1"],
    )
    await store.items.append(thread, call)

    (item,) = await store.items.page(thread)

    assert (item.kind, item.codec, item.author, item.status) == ("tool_call", "my.framework/1", "assistant", "pending")
    assert item.links == ("call-1",)


async def test_the_store_gives_each_item_a_position(store: clew.Store, thread: clew.Thread) -> None:
    appended = await store.items.append(thread, [clew.NewItem(b"one"), clew.NewItem(b"two")])
    later = await store.items.append(thread, clew.NewItem(b"three"))

    assert appended.positions == (1, 2)
    assert later.positions == (3,)


async def test_an_append_of_many_is_all_or_nothing(store: clew.Store, thread: clew.Thread) -> None:
    too_large = clew.NewItem(bytes(9 * 1024 * 1024))

    with pytest.raises(clew.InvalidError, match="at most"):
        await store.items.append(thread, [clew.NewItem(b"small"), too_large])

    assert len(await store.items.page(thread)) == 0


async def test_one_item_is_read_by_its_id(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b"hello", id="greeting"))

    item = await store.items.get(thread, "greeting")

    assert item.data == b"hello"


async def test_the_first_append_can_make_the_thread(store: clew.Store) -> None:
    oslo = clew.Ref("ada", "oslo")

    await store.items.append(oslo, clew.NewItem(b"hello"), create=True, title="A trip to Oslo")

    assert (await store.threads.get(oslo)).title == "A trip to Oslo"


async def test_an_item_is_replaced_in_its_place(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, [clew.NewItem(b"draft", id="a"), clew.NewItem(b"next", id="b")])

    await store.items.replace(thread, "a", b"final")

    assert [item.data for item in await store.items.page(thread)] == [b"final", b"next"]


async def test_a_removed_item_leaves_its_position_empty(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, [clew.NewItem(b"1", id="a"), clew.NewItem(b"2", id="b"), clew.NewItem(b"3", id="c")])

    assert await store.items.remove(thread, "b")

    assert [item.position for item in await store.items.page(thread)] == [1, 3]
    assert not await store.items.remove(thread, "b")
