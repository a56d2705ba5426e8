"""Whole threads: their names, their ends, their runs, and what people see of them."""

from __future__ import annotations

import asyncio
import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base.id import uuid6

import clew
from clew.adapters.langgraph import ClewSaver
from clew.testing import FixedClock, Recorder, memory_store

from .saver_support import EMPTY, Thread, config_of, everything, get, put, speak

NAMES = ("u", "u:x", "u*", "u{x}", "{u}", "u}", "x:n", "x", "?", "[u]", "ü/☃", "a" * 500, "%7B")


async def ids(saver: ClewSaver, thread: str | None = None, **more: object) -> list[str]:
    config = None if thread is None else {"configurable": {"thread_id": thread}}
    return [found.checkpoint["id"] async for found in saver.alist(config, **more)]  # type: ignore[arg-type]


async def test_no_name_of_a_thread_or_branch_means_another(saver: ClewSaver) -> None:
    branches = ("", "n:1", "1", "n", "*", "{x}", "n:1|m:2")
    for name in NAMES:
        for branch in branches:
            await put(saver, name, [name, branch], branch=branch)
    for name in NAMES:
        for branch in branches:
            assert await get(saver, name, branch) == {"value": [name, branch]}
    await saver.adelete_thread("u*")
    await saver.adelete_thread("x")
    assert [name for name in NAMES if await get(saver, name) is None] == ["u*", "x"]
    assert await get(saver, "x:n") == {"value": ["x:n", ""]}


async def test_another_owner_sees_nothing_and_deletes_nothing(saver: ClewSaver) -> None:
    await put(saver, "thread", run_id="run")
    other = saver.for_owner("bob")
    assert await get(other, "thread") is None
    assert await ids(other) == []
    await other.adelete_for_runs(["run"])
    await other.adelete_thread("thread")
    assert await get(saver, "thread") == {"value": "value"}
    with pytest.raises(clew.InvalidError, match="owner"):
        saver.for_owner("")


@pytest.mark.parametrize("name", ["", "a" * 513])
async def test_a_name_that_cannot_be_is_refused(name: str, saver: ClewSaver) -> None:
    with pytest.raises(clew.InvalidError, match="thread id"):
        await put(saver, name)
    with pytest.raises(clew.InvalidError, match="names no thread"):
        await saver.aget_tuple({"configurable": {}})


async def test_a_deleted_thread_stays_deleted_and_a_new_conversation_may_begin(saver: ClewSaver, store: clew.Store) -> None:
    late, child = Thread(saver, "thread"), Thread(saver, "thread", "child:1")
    root = (await late.put({"messages": [speak(0)]}))["configurable"]["checkpoint_id"]
    await saver.adelete_thread("thread")
    assert await saver.aget_tuple(config_of("thread")) is None
    assert await ids(saver, "thread") == []
    for made in (saver, ClewSaver(store, owner="ada")):
        late.savers = child.savers = [made]
        for attempt in (
            late.put({"messages": [speak(1)]}),
            late.write([("messages", 1)]),
            child.put({"a": 1}, parents={"": root}),
        ):
            with pytest.raises(clew.GoneError):
                await attempt
    anew = Thread(saver, "thread")
    await anew.put({"messages": [speak(2)]})
    # What the old run still sends has a parent that is not there any more, and is a branch of its own at most.
    found = await everything(saver, "thread")
    assert [each.checkpoint["channel_values"] for each in found] == [anew.values]


async def test_a_subgraph_of_a_new_conversation_may_put_first(saver: ClewSaver) -> None:
    await put(saver, "thread")
    await saver.adelete_thread("thread")
    assert await saver.aget_tuple(config_of("thread")) is None
    # With durability="exit" a subgraph is done, and put, before the graph that called it.
    await put(saver, "thread", branch="child:1", parents={"": str(uuid6())})
    await put(saver, "thread")
    assert len(await ids(saver, "thread")) == 2


async def test_writes_that_overtake_the_first_checkpoint_of_a_new_conversation_wait_for_it(saver: ClewSaver) -> None:
    await put(saver, "thread")
    await saver.adelete_thread("thread")
    thread = Thread(saver, "thread")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(thread.put({"a": 1}))
        await asyncio.sleep(0)
        group.create_task(saver.aput_writes(config_of("thread", id="later"), [("a", 1)], "task"))
    assert (await saver.aget_tuple(first.result())) is not None


async def test_another_process_that_deletes_and_begins_anew_makes_nothing_unreadable(saver: ClewSaver, store: clew.Store) -> None:
    other = ClewSaver(store, owner="ada")
    thread = Thread(saver, "thread")
    await thread.put({"messages": [speak(n) for n in range(5)], "notes": [1]})
    child = Thread(saver, "thread", "child:1")
    await child.put({"notes": [1]})
    await other.adelete_thread("thread")
    await put(other, "thread", "other")
    await thread.put({"messages": [*thread.values["messages"], speak(6)]})
    await child.put({"notes": [1, 2]})
    assert await get(other, "thread") == await get(saver, "thread") == thread.values
    assert await get(other, "thread", "child:1") == child.values


async def test_parts_that_were_pruned_elsewhere_are_sent_again(saver: ClewSaver, store: clew.Store) -> None:
    thread = Thread(saver, "thread")
    await thread.put({"notes": [1], "other": 1})
    kept = await saver.aget_tuple(thread.config)
    assert kept is not None
    await thread.put({"notes": ["new"], "other": 2})
    await ClewSaver(store, owner="ada").aprune(["thread"])
    thread.go_back(kept)
    await thread.put({"more": 1})
    assert await get(saver, "thread") == {"notes": [1], "other": 1, "more": 1}


async def test_a_thread_expires_as_a_whole_and_each_write_keeps_all_of_it() -> None:
    clock = FixedClock()
    async with memory_store(clock=clock) as store:
        saver = ClewSaver(store, owner="ada", ttl=100)
        thread = Thread(saver, "thread")
        await thread.put({"messages": [speak(0)], "never again": 1}, run_id="run")
        for number in range(5):
            clock.advance(90)
            await thread.write([("messages", number)], f"task-{number}")
            await thread.put({"number": number})
        assert await get(saver, "thread") == thread.values
        # The note of the run has expired; the run's checkpoints are found all the same.
        await saver.adelete_for_runs(["run"])
        assert len(await ids(saver, "thread")) == 5
        clock.advance(101)
        assert await get(saver, "thread") is None
        await thread.put({"number": 6})
        assert await get(ClewSaver(store, owner="ada"), "thread") == thread.values
        with pytest.raises(clew.InvalidError, match="time to live"):
            ClewSaver(store, owner="ada", ttl=0)


async def test_a_copy_takes_all_of_a_thread_along_and_replaces_what_is_there(saver: ClewSaver, store: clew.Store) -> None:
    source, child = Thread(saver, "source"), Thread(saver, "source", "child:1")
    for number in range(4):
        await source.put({"messages": [speak(n) for n in range(number + 1)], "notes": list(range(number))}, run_id="run")
        await source.write([("messages", number)], f"task-{number}", "~1")
        # The same names of parts as the root's, with other values.
        child.versions, child.values = {**source.versions}, {**source.values}
        await child.put({"notes": [number]})
    await store.items.remove(clew.Ref("ada", "source"), (await store.items.tail(clew.Ref("ada", "source")))[0].id)
    target = Thread(saver, "target")
    await target.put({"messages": [speak(9)]})
    await saver.acopy_thread("source", "target")
    wanted, got = await everything(saver, "source"), await everything(ClewSaver(store, owner="ada"), "target")
    assert [each[1:3] + each[4:] for each in got] == [each[1:3] + each[4:] for each in wanted]
    assert {each.config["configurable"]["thread_id"] for each in got} == {"target"}
    # The two live on apart.
    target.go_back(got[3])
    await target.put({"messages": [*target.values["messages"], speak(10)]})
    assert await get(saver, "target") == target.values
    await saver.adelete_for_runs(["run"])
    assert len(await ids(saver, "target")) == len(await ids(saver, "source")) + 1 == 5
    with pytest.raises(clew.NotFoundError):
        await saver.acopy_thread("nobody", "target")
    with pytest.raises(clew.InvalidError, match="onto itself"):
        await saver.acopy_thread("target", "target")
    assert len(await ids(saver, "target")) == 5


async def test_a_list_is_filtered_by_all_metadata_and_goes_over_all_threads(saver: ClewSaver, store: clew.Store) -> None:
    await store.threads.create("ada", id="no graph")
    made: list[str] = []
    for number in range(3):
        thread, child = Thread(saver, f"thread-{number}"), Thread(saver, f"thread-{number}", "child:1")
        for step in range(3):
            config: RunnableConfig = {"configurable": {**thread.config["configurable"], "user": f"user-{step}"}}
            put_at = await thread.put({"a": step}, config, score=step * 1.5, tags=["x", step])
            made.append(put_at["configurable"]["checkpoint_id"])
        await child.put({"a": 0}, score=0)
    assert len(await ids(saver)) == 12
    assert len(await ids(saver, limit=5)) == 5
    assert await ids(saver, limit=0) == []
    assert len(await ids(saver, filter={"score": 1.5})) == 3
    assert len(await ids(saver, filter={"score": 0})) == 6
    assert await ids(saver, "thread-1", filter={"user": "user-2", "tags": ["x", 2]}) == [made[5]]
    assert await ids(saver, filter={"user": "user-2", "score": 0}) == []
    assert len(await ids(saver, filter={"source": "loop"}, limit=4)) == 4
    root = {"thread_id": "thread-0", "checkpoint_ns": ""}
    named = [found.checkpoint["id"] async for found in saver.alist({"configurable": {**root, "checkpoint_id": made[1]}})]
    assert named == [made[1]]
    earlier = [found.checkpoint["id"] async for found in saver.alist({"configurable": root}, before=config_of("x", id=made[2]))]
    assert earlier == [made[1], made[0]]


async def test_a_long_list_is_read_in_pages_and_stops_where_its_reader_does(store: clew.Store) -> None:
    recorder = Recorder(store.backend)  # type: ignore[arg-type]
    saver = ClewSaver(clew.Store(recorder), owner="ada")
    thread = Thread(saver, "thread")
    for step in range(120):
        await thread.put({"a": step})
    recorder.clear()
    assert len(await ids(saver, "thread")) == 120
    assert recorder.verbs == ["list_checkpoints"] * 3
    recorder.clear()
    async for found in saver.alist(config_of("thread")):
        assert found.checkpoint["channel_values"] == {"a": 119}
        break
    assert recorder.verbs == ["list_checkpoints"]


async def test_a_run_is_deleted_in_all_its_threads_and_branches_and_no_other(saver: ClewSaver) -> None:
    for name in ("a", "b"):
        thread = Thread(saver, name)
        for run in ("old", "old", "new"):
            await thread.put({"x": run}, run_id=run)
            await thread.write([("x", run)], run)
        await put(saver, name, branch="child:1", run_id="old")
    await saver.adelete_for_runs([])
    await saver.adelete_for_runs(["nobody"])
    await saver.adelete_for_runs(["old", "nobody"])
    for name in ("a", "b"):
        assert [found.metadata["run_id"] for found in await everything(saver, name)] == ["new"]
    # The same saver goes on with the run, and it is noted again.
    await put(saver, "c", run_id="old")
    await saver.adelete_for_runs(["old"])
    assert await ids(saver, "c") == []


async def test_pruning_keeps_the_latest_of_each_branch_and_the_messages_that_people_read(
    saver: ClewSaver, store: clew.Store
) -> None:
    thread, child = Thread(saver, "thread"), Thread(saver, "thread", "child:1")
    for number in range(40):
        await thread.put({"messages": [speak(0), *thread.values.get("messages", [])][:3], "notes": list(range(number))})
        await child.put({"notes": list(range(number))})
    await saver.aprune(["thread", "nobody"])
    assert await get(saver, "thread") == thread.values
    assert await get(saver, "thread", "child:1") == child.values
    assert len(await ids(saver, "thread")) == 2
    assert len(await store.items.tail(clew.Ref("ada", "thread"))) == 40
    await thread.put({"notes": [*thread.values["notes"], "more"], "messages": EMPTY})
    assert (await get(ClewSaver(store, owner="ada"), "thread"))["notes"][-1] == "more"
    with pytest.raises(clew.InvalidError, match="keep_latest"):
        await saver.aprune(["thread"], strategy="none")
    await saver.aprune(["thread"], strategy="delete")
    assert await ids(saver, "thread") == []


async def test_people_read_the_messages_each_once_as_items_of_a_thread(saver: ClewSaver, store: clew.Store) -> None:
    call = {"name": "find", "args": {"what": "Lyon"}, "id": "call-1", "type": "tool_call"}
    said = [
        SystemMessage("Be brief.", id="0"),
        HumanMessage("Where?", id="1"),
        AIMessage("", id="2", tool_calls=[call]),
        ToolMessage("Lyon", id="3", tool_call_id="call-1"),
        AIMessage("In Lyon.", id="4"),
    ]
    thread, child = Thread(saver, "talk"), Thread(saver, "talk", "agent:1")
    for count in range(1, len(said) + 1):
        await thread.put({"messages": said[:count]})
        await child.put({"messages": [HumanMessage("inner", id="9")]})
    edited = said[-1].model_copy(update={"content": "In Paris."})
    await thread.put({"messages": [*said[:-1], edited]})
    assert [found.id for found in await store.threads.list("ada")] == ["talk"]
    items = await store.items.tail(clew.Ref("ada", "talk"))
    assert [(item.kind, item.author, item.links) for item in items] == [
        ("message", "system", ()),
        ("message", "user", ()),
        ("tool_call", "assistant", ("call-1",)),
        ("tool_result", "tool", ("call-1",)),
        ("message", "assistant", ()),
        ("message", "assistant", ()),
    ]
    assert {item.codec for item in items} == {"langgraph/msgpack"}
    await store.items.remove(clew.Ref("ada", "talk"), items[1].id)
    for each in (saver, ClewSaver(store, owner="ada")):
        assert (await get(each, "talk"))["messages"] == [said[0], *said[2:4], edited]
    await store.items.replace(clew.Ref("ada", "talk"), items[0].id, json.dumps({"a": 1}).encode(), codec="json")
    with pytest.raises(clew.UnreadableError, match="position 1"):
        await get(saver, "talk")
