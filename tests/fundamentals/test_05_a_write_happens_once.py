"""A caller who never saw the answer repeats the call. Ids and once tokens make that safe."""

from __future__ import annotations

import clew


async def test_an_append_is_recognised_by_the_ids_of_its_items(store: clew.Store, thread: clew.Thread) -> None:
    question = clew.NewItem(b"Where do I stay?", id="question-1")

    first = await store.items.append(thread, question)
    again = await store.items.append(thread, question)

    assert again.positions == first.positions
    assert again.duplicates == {"question-1"}
    assert len(await store.items.page(thread)) == 1


async def test_the_first_item_of_an_id_is_kept(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b"first", id="a"))
    await store.items.append(thread, clew.NewItem(b"second", id="a"))

    assert [item.data for item in await store.items.page(thread)] == [b"first"]


async def test_of_a_batch_only_what_is_new_is_written(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b"1", id="a"))

    appended = await store.items.append(thread, [clew.NewItem(b"1", id="a"), clew.NewItem(b"2", id="b")])

    assert appended.positions == (1, 2)
    assert appended.duplicates == {"a"}


async def test_a_once_token_makes_a_whole_call_repeatable(store: clew.Store, thread: clew.Thread) -> None:
    first = await store.items.append(thread, clew.NewItem(b"hello"), once="turn-7")
    again = await store.items.append(thread, clew.NewItem(b"hello"), once="turn-7")

    assert not first.replayed
    assert again.replayed
    assert again.ids == first.ids
    assert len(await store.items.page(thread)) == 1


async def test_two_items_with_the_same_words_are_both_kept(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b"yes"))
    await store.items.append(thread, clew.NewItem(b"yes"))

    assert len(await store.items.page(thread)) == 2
