"""A thread may have a time to live: from now on (fixed), or from its newest write on (sliding)."""

from __future__ import annotations

from datetime import timedelta

import pytest

import clew
from tests.support import wait_until

_SECOND = timedelta(seconds=1)


async def is_there(store: clew.Store, thread: clew.ThreadKey) -> bool:
    """Tell whether a thread is there."""
    try:
        await store.threads.get(thread)
    except clew.NotFoundError:
        return False
    return True


async def test_a_thread_vanishes_when_its_time_is_over(store: clew.Store) -> None:
    thread = await store.threads.create("ada", ttl=0.3)
    assert thread.expires_at is not None

    async def is_over() -> bool:
        return not await is_there(store, thread)

    await wait_until(is_over)
    assert list(await store.threads.list("ada")) == []
    assert not await store.threads.delete(thread)


async def test_what_expired_is_unknown_and_its_name_is_free(store: clew.Store) -> None:
    thread = await store.threads.create("ada", id="brief", ttl=0.05)

    async def is_over() -> bool:
        return not await is_there(store, thread)

    await wait_until(is_over)
    with pytest.raises(clew.NotFoundError) as caught:
        await store.items.page(thread)
    assert not isinstance(caught.value, clew.GoneError)
    await store.threads.create("ada", id="brief")


async def test_a_sliding_time_starts_anew_with_every_write(store: clew.Store) -> None:
    thread = await store.threads.create("ada", ttl=3600)
    await store.items.append(thread, clew.NewItem(b"hello"))
    later = await store.threads.get(thread)

    assert thread.expires_at is not None
    assert later.expires_at is not None
    assert later.expires_at - later.updated_at == pytest.approx(thread.expires_at - thread.updated_at, abs=_SECOND)
    assert later.expires_at >= thread.expires_at


async def test_a_fixed_time_does_not_move(store: clew.Store) -> None:
    thread = await store.threads.create("ada", ttl=3600, sliding=False)
    await store.items.append(thread, clew.NewItem(b"hello"))

    assert (await store.threads.get(thread)).expires_at == thread.expires_at


async def test_a_thread_is_kept_after_all(store: clew.Store) -> None:
    thread = await store.threads.create("ada", ttl=3600)

    await store.threads.expire(thread, None)

    assert (await store.threads.get(thread)).expires_at is None
