"""Many writers at once: nothing lost, nothing doubled, and one of them at a time where somebody claims a thread."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Overwrite

import clew
from clew.adapters.langgraph import ClewSaver
from clew.adapters.langgraph.claiming import LEASE, NAME
from clew.testing import Recorder

from ...support import wait_until
from .saver_support import Thread, config_of, everything, get, put, speak


async def test_a_thousand_puts_at_once_on_one_client_are_all_there(saver: ClewSaver) -> None:
    apart = [Thread(saver, f"thread-{number}") for number in range(500)]
    together = [Thread(saver, "one") for _ in range(500)]
    puts = [thread.put({"messages": [speak(at)], "number": at}) for at, thread in enumerate(apart + together)]
    random.shuffle(puts)
    await asyncio.gather(*puts)
    found = await asyncio.gather(*(get(saver, f"thread-{number}") for number in range(500)))
    assert found == [thread.values for thread in apart]
    numbers = [each.checkpoint["channel_values"]["number"] async for each in saver.alist(config_of("one"))]
    assert sorted(numbers) == list(range(500, 1000))


async def test_a_hundred_tasks_write_for_one_checkpoint_at_once_in_the_order_of_their_paths(saver: ClewSaver) -> None:
    theirs = InMemorySaver()
    thread = Thread([theirs, saver], "thread")
    await thread.put({"a": 1})
    tasks = [(f"task-{random.random()}", random.choice(["", "~1", "~2, x", "~10"])) for _ in range(100)]
    await asyncio.gather(*(thread.write([("a", task), ("__error__", path), ("b", 2)], task, path) for task, path in tasks))
    found = await everything(saver, "thread")
    assert len(found[0].pending_writes or ()) == 300
    assert found == await everything(theirs, "thread")


async def test_a_replayed_write_keeps_its_first_value_and_a_special_one_its_last(saver: ClewSaver) -> None:
    theirs = InMemorySaver()
    thread = Thread([theirs, saver], "thread")
    await thread.put({"a": 1})
    rounds: Sequence[list[tuple[str, Any]]] = (
        [("a", "first"), ("__interrupt__", 1), ("__resume__", [1]), ("a", Overwrite(["x"]))],
        [("a", "second"), ("__interrupt__", 2), ("__resume__", [1, 2]), ("a", "third")],
    )
    for writes in rounds:
        await thread.write(writes)
    found = await everything(saver, "thread")
    assert found == await everything(theirs, "thread")
    assert ("task", "a", "first") in (found[0].pending_writes or ())
    assert ("task", "__interrupt__", 2) in (found[0].pending_writes or ())


async def test_two_forks_of_one_checkpoint_written_at_once_keep_their_values(saver: ClewSaver, store: clew.Store) -> None:
    base = Thread(saver, "thread")
    await base.put({"messages": [speak(0)], "notes": [0]})
    found = await saver.aget_tuple(base.config)
    assert found is not None
    forks = [Thread(made, "thread") for made in (saver, saver, ClewSaver(store, owner="ada"), ClewSaver(store, owner="ada"))]
    for fork in forks:
        fork.go_back(found)
    for step in range(5):
        await asyncio.gather(
            *(
                fork.put(
                    {
                        "messages": [*fork.values["messages"], speak(step), speak(100 * at)],
                        "notes": [*fork.values["notes"], (at, step)],
                    }
                )
                for at, fork in enumerate(forks)
            )
        )
    for fork in forks:
        mine = await ClewSaver(store, owner="ada").aget_tuple(fork.config)
        assert mine is not None
        assert mine.checkpoint["channel_values"]["messages"] == fork.values["messages"]
        assert [tuple(note) if isinstance(note, list) else note for note in mine.checkpoint["channel_values"]["notes"]] == (
            fork.values["notes"]
        )


async def test_processes_that_know_nothing_of_each_other_store_a_message_once(saver: ClewSaver, store: clew.Store) -> None:
    said = [speak(number) for number in range(20)]
    threads = [Thread(ClewSaver(store, owner="ada"), "thread") for _ in range(5)]
    await asyncio.gather(*(thread.put({"messages": said}) for thread in threads))
    assert len(await store.items.tail(clew.Ref("ada", "thread"))) == 20
    assert await get(saver, "thread") == {"messages": said}


async def test_a_put_and_a_get_are_one_call_each_and_send_what_is_new(store: clew.Store) -> None:
    recorder = Recorder(store.backend)  # type: ignore[arg-type]
    saver = ClewSaver(clew.Store(recorder), owner="ada")
    thread, child = Thread(saver, "thread"), Thread(saver, "thread", "child:1")
    await thread.put({"messages": [speak(number) for number in range(200)]}, run_id="run")
    await child.put({"notes": ["n" * 100] * 200})
    for made in (saver, ClewSaver(clew.Store(recorder), owner="ada")):
        recorder.clear()
        for one in (thread, child):
            one.savers = [made]
            found = await made.aget_tuple(one.config)
            assert found is not None
            one.go_back(found)
        await thread.put({"messages": [*thread.values["messages"], speak(1)]})
        await child.put({"notes": [*child.values["notes"], "one more"]})
        assert recorder.verbs == ["get_checkpoint", "get_checkpoint", "commit", "commit"]
    page = await store.checkpoints.list(clew.Ref("ada", "thread"), limit=100)
    newest = page.parts[page.checkpoints[-1].uses[0]]
    assert len(newest.spans) == 1
    notes = page.parts[page.checkpoints[0].uses[0]]
    assert len(notes.data) < 100
    assert notes.after is not None
    assert len(await store.items.tail(clew.Ref("ada", "thread"), 1000)) == 202


async def test_a_list_that_grows_for_long_is_a_short_chain(saver: ClewSaver, store: clew.Store) -> None:
    thread = Thread(saver, "thread", "child:1")
    for number in range(100):
        await thread.put({"notes": list(range(number + 1))})
    page = await store.checkpoints.get(clew.Ref("ada", "thread"), "child:1")
    assert 1 <= len(page.parts) <= 32
    assert await get(ClewSaver(store, owner="ada"), "thread", "child:1") == {"notes": list(range(100))}


# -- claims -------------------------------------------------------------------------------------------------------------


async def test_a_claimed_thread_is_one_workers_and_the_next_ones_when_it_is_done(saver: ClewSaver) -> None:
    await put(saver, "thread")
    async with saver.claim("thread", holder="worker-1") as config:
        thread = Thread(saver, "thread")
        first = await thread.put({"a": 1}, {"configurable": {**config["configurable"], "checkpoint_ns": ""}})
        assert await thread.put({"a": 2}, first) is not None
        found = await saver.aget_tuple({"configurable": {**config["configurable"]}})
        assert found is not None
        assert found.config["configurable"][LEASE] == config["configurable"][LEASE]
        assert not any(name.startswith("__") for name in found.metadata)
        with pytest.raises(clew.ConflictError, match="claimed by worker-1") as refused:
            await saver.claim("thread", holder="worker-2").__aenter__()
        assert refused.value.actual == "worker-1"
        async with saver.claim("another"):
            pass
    async with saver.claim("thread", holder="worker-2") as config:
        thread = Thread(saver, "thread")
        await thread.put({"a": 3}, {"configurable": {**config["configurable"], "checkpoint_ns": ""}})
    assert await get(saver, "thread") == {"a": 3}


async def test_an_older_holder_is_fenced_and_writes_nothing(saver: ClewSaver, store: clew.Store) -> None:
    await put(saver, "thread", "before")
    ref = clew.Ref("ada", "thread")
    old = await store.checkpoints.claim(ref, NAME, "stalled", ttl=0.001)
    stalled: RunnableConfig = {"configurable": {**config_of("thread")["configurable"], LEASE: old}}
    thread = Thread(saver, "thread")
    await thread.put({"a": "late, and nobody came"}, stalled)

    async def takes_over() -> bool:
        return await store.checkpoints.claim(ref, NAME, "new", ttl=30) is not None

    await wait_until(takes_over)
    with pytest.raises(clew.FencedError):
        await thread.put({"a": "too late"}, stalled)
    with pytest.raises(clew.FencedError):
        await saver.aput_writes({"configurable": {**thread.config["configurable"], LEASE: old}}, [("a", 1)], "task")
    found = await everything(saver, "thread")
    assert [each.checkpoint["channel_values"]["a"] for each in found if "a" in each.checkpoint["channel_values"]] == [
        "late, and nobody came"
    ]
    assert not any(each.pending_writes for each in found)


async def test_a_claim_is_renewed_while_it_is_held(store: clew.Store) -> None:
    recorder = Recorder(store.backend)  # type: ignore[arg-type]
    saver = ClewSaver(clew.Store(recorder), owner="ada")
    async with saver.claim("thread", ttl=0.6) as config:
        held = config["configurable"][LEASE]
        await wait_until(lambda: recorder.verbs.count("renew") >= 4)
        assert await store.checkpoints.claim(clew.Ref("ada", "thread"), NAME, "other", ttl=1) is None
    other = await store.checkpoints.claim(clew.Ref("ada", "thread"), NAME, "other", ttl=1)
    assert other is not None
    assert other.fence > held.fence


async def test_a_claim_without_a_coroutine_is_held_and_let_go(store: clew.Store) -> None:
    def work(saver: ClewSaver) -> None:
        with saver.claim("thread", holder="worker-1"):
            claim = saver.claim("thread", holder="worker-2")
            with pytest.raises(clew.ConflictError):
                claim.__enter__()
        with saver.claim("thread", holder="worker-2") as config:
            assert config["configurable"]["thread_id"] == "thread"

    async with ClewSaver(store, owner="ada") as saver:
        await asyncio.to_thread(work, saver)
