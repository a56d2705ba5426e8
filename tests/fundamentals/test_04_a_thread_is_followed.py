"""To follow a thread is to read the items after a cursor, and then each new one as it is written."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

import clew


async def test_what_is_there_comes_first_and_then_what_is_written(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b"before"))
    seen = []

    async with asyncio.timeout(20):
        async for item in store.items.follow(thread):
            seen.append(item.data)
            if len(seen) == 1:
                await store.items.append(thread, clew.NewItem(b"after"))
            else:
                break

    assert seen == [b"before", b"after"]


async def test_a_reader_goes_on_after_the_last_item_it_saw(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, [clew.NewItem(b"1", id="a"), clew.NewItem(b"2", id="b"), clew.NewItem(b"3", id="c")])

    async with asyncio.timeout(20):
        item = await anext(store.items.follow(thread, after="b"))

    assert item.id == "c"


async def test_another_task_sees_each_item_once_and_in_order(store: clew.Store, thread: clew.Thread) -> None:
    async def read() -> list[int]:
        seen = []
        async for item in store.items.follow(thread):
            seen.append(item.position)
            if len(seen) == 20:
                break
        return seen

    reader = asyncio.create_task(read())
    for n in range(20):
        await store.items.append(thread, clew.NewItem(b"%d" % n))

    async with asyncio.timeout(20):
        assert await reader == list(range(1, 21))


async def test_a_reader_is_told_when_the_thread_is_deleted(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b"hello"))

    async with asyncio.timeout(20), aclosing(store.items.follow(thread)) as items:
        assert (await anext(items)).data == b"hello"
        await store.threads.delete(thread)
        with pytest.raises(clew.GoneError):
            await anext(items)


async def test_an_unknown_thread_cannot_be_followed(store: clew.Store) -> None:
    with pytest.raises(clew.NotFoundError):
        await anext(store.items.follow(clew.Ref("ada", "nowhere")))
