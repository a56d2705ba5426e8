"""The owner is part of the key. An id alone opens nothing."""

from __future__ import annotations

import pytest

import clew


async def test_a_thread_of_another_owner_is_not_found(store: clew.Store) -> None:
    secret = await store.threads.create("ada", title="Secret")

    with pytest.raises(clew.NotFoundError):
        await store.threads.get(clew.Ref("bob", secret.id))
    with pytest.raises(clew.NotFoundError):
        await store.items.append(clew.Ref("bob", secret.id), clew.NewItem(b"hello"))


async def test_two_owners_may_have_threads_of_the_same_id(store: clew.Store) -> None:
    hers = await store.threads.create("ada", id="diary", title="Hers")
    his = await store.threads.create("bob", id="diary", title="His")
    await store.items.append(hers, clew.NewItem(b"hers"))

    assert list(await store.items.page(his)) == []
    assert (await store.threads.get(hers)).title == "Hers"


async def test_a_list_has_only_the_owners_threads(store: clew.Store) -> None:
    await store.threads.create("ada", title="Hers")
    await store.threads.create("bob", title="His")

    assert [thread.title for thread in await store.threads.list("ada")] == ["Hers"]


async def test_no_character_makes_two_names_meet(store: clew.Store) -> None:
    await store.threads.create("a:b", id="c", title="first")
    await store.threads.create("a", id="b:c", title="second")
    await store.threads.create("a/b", id="{c}", title="third")

    assert (await store.threads.get(clew.Ref("a:b", "c"))).title == "first"
    assert (await store.threads.get(clew.Ref("a", "b:c"))).title == "second"
    assert (await store.threads.get(clew.Ref("a/b", "{c}"))).title == "third"


async def test_deleting_one_leaves_the_other(store: clew.Store) -> None:
    hers = await store.threads.create("ada", id="diary")
    his = await store.threads.create("bob", id="diary")

    await store.threads.delete(hers)

    assert (await store.threads.get(his)).owner == "bob"
