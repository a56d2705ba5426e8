"""A deleted thread leaves a tombstone for a week, so that a late write is told, and does not bring it back."""

from __future__ import annotations

import pytest

import clew


async def test_a_deletion_tells_whether_there_was_a_thread(store: clew.Store, thread: clew.Thread) -> None:
    assert await store.threads.delete(thread)
    assert not await store.threads.delete(thread)
    assert not await store.threads.delete(clew.Ref("ada", "nowhere"))


async def test_a_deleted_thread_is_gone_and_not_merely_unknown(store: clew.Store, thread: clew.Thread) -> None:
    await store.threads.delete(thread)

    with pytest.raises(clew.GoneError):
        await store.threads.get(thread)
    with pytest.raises(clew.GoneError):
        await store.items.page(thread)


async def test_a_late_write_does_not_bring_it_back(store: clew.Store, thread: clew.Thread) -> None:
    await store.threads.delete(thread)

    with pytest.raises(clew.GoneError):
        await store.items.append(thread, clew.NewItem(b"late"), create=True)
    with pytest.raises(clew.GoneError):
        await store.threads.create("ada", id=thread.id)


async def test_a_deleted_thread_is_not_listed(store: clew.Store, thread: clew.Thread) -> None:
    kept = await store.threads.create("ada")
    await store.threads.delete(thread)

    assert [found.id for found in await store.threads.list("ada")] == [kept.id]


async def test_who_handles_what_is_not_found_handles_what_is_gone(store: clew.Store, thread: clew.Thread) -> None:
    await store.threads.delete(thread)

    with pytest.raises(clew.NotFoundError):
        await store.items.tail(thread)
