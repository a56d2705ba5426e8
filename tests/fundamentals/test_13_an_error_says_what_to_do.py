"""Not there, deleted, changed by another, not reachable, wrong: different answers, each with a type of its own."""

from __future__ import annotations

import pytest

import clew


async def test_every_error_is_a_clew_error(store: clew.Store) -> None:
    with pytest.raises(clew.ClewError):
        await store.threads.get(clew.Ref("ada", "nowhere"))


async def test_an_unknown_thread_is_not_found_whatever_is_asked(store: clew.Store) -> None:
    nowhere = clew.Ref("ada", "nowhere")
    for asked in (
        store.threads.get(nowhere),
        store.threads.update(nowhere, title="x"),
        store.threads.expire(nowhere, 60),
        store.items.append(nowhere, clew.NewItem(b"x")),
        store.items.page(nowhere),
        store.items.tail(nowhere),
        store.items.get(nowhere, "x"),
        store.items.replace(nowhere, "x", b"x"),
        store.items.set_status(nowhere, "x", "done", expect=None),
        store.items.remove(nowhere, "x"),
        store.items.truncate(nowhere, 0),
        store.items.trim(nowhere, 1),
        store.items.fork(nowhere),
    ):
        with pytest.raises(clew.NotFoundError, match="nowhere"):
            await asked


async def test_what_is_wrong_with_a_call_stands_in_its_message(store: clew.Store, thread: clew.Thread) -> None:
    with pytest.raises(clew.InvalidError, match="seconds"):
        await store.threads.expire(thread, -1)
    with pytest.raises(clew.InvalidError, match=r"clew\.NewItem"):
        await store.items.append(thread, b"bytes")  # type: ignore[arg-type]
    with pytest.raises(clew.InvalidError, match="empty"):
        await store.threads.create("")


async def test_a_wrong_call_is_also_a_value_error_and_a_missing_thing_a_lookup_error(store: clew.Store) -> None:
    with pytest.raises(ValueError, match="limit"):
        await store.threads.list("ada", limit=0)
    with pytest.raises(LookupError):
        await store.threads.get(clew.Ref("ada", "nowhere"))


async def test_an_unknown_store_is_refused_with_the_known_ones() -> None:
    with pytest.raises(clew.InvalidError, match="sqlite://"):
        await clew.connect("postgres://localhost/clew")


async def test_a_store_that_is_not_there_is_unavailable_and_never_empty() -> None:
    with pytest.raises(clew.UnavailableError):
        await clew.connect("redis://localhost:1/0?timeout=0.5")
