"""The status of an item changes by compare-and-set, so that a tool call that two workers see is done by one."""

from __future__ import annotations

import asyncio

import pytest

import clew


@pytest.fixture
async def call(store: clew.Store, thread: clew.Thread) -> str:
    """The id of a tool call that waits for its worker."""
    await store.items.append(thread, clew.NewItem.json({"name": "weather"}, id="call", kind="tool_call", status="pending"))
    return "call"


async def test_a_status_changes_from_the_one_expected(store: clew.Store, thread: clew.Thread, call: str) -> None:
    item = await store.items.set_status(thread, call, "running", expect="pending")

    assert item.status == "running"
    assert (await store.items.get(thread, call)).status == "running"


async def test_another_status_is_a_conflict_that_says_which(store: clew.Store, thread: clew.Thread, call: str) -> None:
    await store.items.set_status(thread, call, "running", expect="pending")

    with pytest.raises(clew.ConflictError) as caught:
        await store.items.set_status(thread, call, "running", expect="pending")

    assert (caught.value.expected, caught.value.actual) == ("pending", "running")


async def test_of_many_workers_one_gets_the_call(store: clew.Store, thread: clew.Thread, call: str) -> None:
    async def claim(worker: int) -> int | None:
        try:
            await store.items.set_status(thread, call, f"worker-{worker}", expect="pending")
        except clew.ConflictError:
            return None
        return worker

    claims = await asyncio.gather(*(claim(worker) for worker in range(10)))

    winners = [worker for worker in claims if worker is not None]
    assert len(winners) == 1
    assert (await store.items.get(thread, call)).status == f"worker-{winners[0]}"
