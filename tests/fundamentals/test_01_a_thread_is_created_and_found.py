"""A thread is a conversation: it belongs to an owner, has an id, and a header of a title and metadata."""

from __future__ import annotations

import pytest

import clew


async def test_a_store_is_opened_with_a_url_and_closed_at_the_end_of_the_block(url: str) -> None:
    async with clew.connect(url) as store:
        await store.threads.create("ada")

    with pytest.raises(clew.ClosedError):
        await store.threads.create("ada")


async def test_a_store_can_be_awaited_and_closed_by_hand(url: str) -> None:
    store = await clew.connect(url)
    await store.threads.create("ada")
    await store.aclose()


async def test_a_thread_gets_an_id_and_times_from_the_store(store: clew.Store) -> None:
    thread = await store.threads.create("ada", title="A trip to Oslo", metadata={"channel": "web"})

    assert thread.owner == "ada"
    assert thread.id.startswith("thr_")
    assert thread.title == "A trip to Oslo"
    assert thread.metadata == {"channel": "web"}
    assert thread.created_at == thread.updated_at
    assert thread.revision == 1


async def test_a_thread_is_read_again_by_its_owner_and_id(store: clew.Store) -> None:
    made = await store.threads.create("ada", title="A trip to Oslo")

    # Whoever has only the two names uses a Ref.
    found = await store.threads.get(clew.Ref("ada", made.id))

    assert found == made


async def test_an_id_of_your_own_is_taken_once(store: clew.Store) -> None:
    await store.threads.create("ada", id="oslo")

    with pytest.raises(clew.AlreadyExistsError):
        await store.threads.create("ada", id="oslo")


async def test_fields_are_merged_one_by_one_and_none_deletes_one(store: clew.Store) -> None:
    thread = await store.threads.create("ada", title="Trip", metadata={"channel": "web", "mood": "good"})

    thread = await store.threads.update(thread, title="A trip", metadata={"mood": None, "stars": 5})

    assert thread.title == "A trip"
    assert thread.metadata == {"channel": "web", "stars": 5}


async def test_threads_are_listed_with_the_newest_write_first(store: clew.Store) -> None:
    first = await store.threads.create("ada", title="first")
    await store.threads.create("ada", title="second")
    await store.items.append(first, clew.NewItem(b"hello"))

    page = await store.threads.list("ada")

    assert [thread.title for thread in page] == ["first", "second"]
    assert not page.has_more


async def test_a_long_list_comes_in_pages(store: clew.Store) -> None:
    for n in range(5):
        await store.threads.create("ada", title=f"{n}")

    page = await store.threads.list("ada", limit=3)
    rest = await store.threads.list("ada", limit=3, cursor=page.cursor)

    assert [thread.title for thread in page] == ["4", "3", "2"]
    assert page.has_more
    assert [thread.title for thread in rest] == ["1", "0"]
    assert not rest.has_more


async def test_threads_are_listed_in_the_order_they_were_made_too(store: clew.Store) -> None:
    first = await store.threads.create("ada", title="first")
    await store.threads.create("ada", title="second")
    await store.items.append(first, clew.NewItem(b"a new message in an old thread"))

    assert [thread.title for thread in await store.threads.list("ada")] == ["first", "second"]
    assert [thread.title for thread in await store.threads.made("ada")] == ["second", "first"]


async def test_an_integrations_notes_are_kept_apart_from_what_people_set(store: clew.Store) -> None:
    thread = await store.threads.create("ada", metadata={"mood": "sunny"}, notes={"kit/version": 2})

    await store.threads.put(thread, notes={"kit/colour": "blue"})

    found = await store.threads.get(thread)
    assert found.notes == {"kit/version": 2, "kit/colour": "blue"}
    assert found.metadata == {"mood": "sunny"}
