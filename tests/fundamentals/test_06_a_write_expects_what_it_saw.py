"""Each write adds one to the thread's revision. A writer who names the one it saw is refused where another was first."""

from __future__ import annotations

import pytest

import clew


async def test_every_write_adds_one_to_the_revision(store: clew.Store, thread: clew.Thread) -> None:
    appended = await store.items.append(thread, clew.NewItem(b"hello"))
    renamed = await store.threads.update(thread, title="Hello")

    assert (thread.revision, appended.revision, renamed.revision) == (1, 2, 3)


async def test_a_right_expectation_applies(store: clew.Store, thread: clew.Thread) -> None:
    appended = await store.items.append(thread, clew.NewItem(b"hello"), expect=thread.revision)

    await store.items.append(thread, clew.NewItem(b"again"), expect=appended.revision)


async def test_a_wrong_expectation_writes_nothing_and_says_what_is_there(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b"somebody else"))

    with pytest.raises(clew.ConflictError) as caught:
        await store.items.append(thread, clew.NewItem(b"me"), expect=thread.revision)

    assert (caught.value.expected, caught.value.actual) == (1, 2)
    assert [item.data for item in await store.items.page(thread)] == [b"somebody else"]


async def test_a_header_is_updated_from_the_revision_that_was_read(store: clew.Store, thread: clew.Thread) -> None:
    await store.threads.update(thread, title="theirs")

    with pytest.raises(clew.ConflictError):
        await store.threads.update(thread, title="mine", expect=thread.revision)

    assert (await store.threads.get(thread)).title == "theirs"


async def test_an_item_is_replaced_only_if_it_is_as_it_was_read(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b"draft", id="a"))
    read = await store.items.get(thread, "a")
    theirs = await store.items.replace(thread, "a", b"theirs", expect=read)

    with pytest.raises(clew.ConflictError) as caught:
        await store.items.replace(thread, "a", b"mine", expect=read)

    assert caught.value.actual == theirs


async def test_an_item_is_put_in_the_place_of_the_one_that_was_read(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b"draft", id="answer"))
    read = await store.items.get(thread, "answer")

    await store.items.put(thread, clew.NewItem(b"final", id="answer"), expect=read)

    with pytest.raises(clew.ConflictError) as caught:
        await store.items.put(thread, clew.NewItem(b"another final", id="answer"), expect=read)
    assert isinstance(caught.value.actual, clew.Item)
    assert caught.value.actual.data == b"final"
