"""A thread is truncated after an item, trimmed to its newest ones, or forked: gone on with another way."""

from __future__ import annotations

import pytest

import clew


@pytest.fixture
async def four(store: clew.Store, thread: clew.Thread) -> clew.Thread:
    """A question, a tool call, its result, and an answer."""
    await store.items.append(
        thread,
        [
            clew.NewItem(b"Cold in Oslo?", id="question"),
            clew.NewItem(b"weather(Oslo)", id="call", kind="tool_call", links=["call-1"]),
            clew.NewItem(b"4 degrees", id="result", kind="tool_result", links=["call-1"]),
            clew.NewItem(b"Rather.", id="answer"),
        ],
    )
    return thread


async def ids(store: clew.Store, thread: clew.ThreadKey) -> list[str]:
    """Return the ids of a thread's items."""
    return [item.id for item in await store.items.page(thread)]


async def test_what_follows_an_item_is_truncated(store: clew.Store, four: clew.Thread) -> None:
    assert await store.items.truncate(four, after="question") == 3

    assert await ids(store, four) == ["question"]


async def test_a_position_is_never_used_twice(store: clew.Store, four: clew.Thread) -> None:
    await store.items.truncate(four, after="question")

    appended = await store.items.append(four, clew.NewItem(b"Is it warm there?"))

    assert appended.positions == (5,)


async def test_the_newest_items_stay_in_a_trim(store: clew.Store, four: clew.Thread) -> None:
    assert await store.items.trim(four, keep=3) == 1

    assert await ids(store, four) == ["call", "result", "answer"]


async def test_a_trim_never_splits_a_tool_call_from_its_result(store: clew.Store, four: clew.Thread) -> None:
    assert await store.items.trim(four, keep=2) == 3

    assert await ids(store, four) == ["answer"]


async def test_an_append_can_trim_in_the_same_commit(store: clew.Store, four: clew.Thread) -> None:
    items = await store.items.tail(four)
    cut = clew.safe_cut(items, keep=1)

    await store.items.append(four, clew.NewItem(b"And Bergen?", id="next"), trim_before=items[cut].position)

    assert await ids(store, four) == ["answer", "next"]


async def test_a_fork_starts_as_a_copy_up_to_an_item(store: clew.Store, four: clew.Thread) -> None:
    branch = await store.items.fork(four, at="question", title="What if")
    await store.items.append(branch, clew.NewItem(b"Just guess.", id="guess"))

    assert await ids(store, branch) == ["question", "guess"]
    assert await ids(store, four) == ["question", "call", "result", "answer"]
    assert branch.forked_from == (four.id, "question")


async def test_a_whole_thread_is_forked_with_its_header(store: clew.Store, four: clew.Thread) -> None:
    await store.threads.update(four, title="Oslo", metadata={"channel": "web"})

    branch = await store.items.fork(four)

    assert (branch.title, branch.metadata) == ("Oslo", {"channel": "web"})
    assert await store.items.tail(branch) == await store.items.tail(four)
