"""Delta channels: their history in one call, and nothing deleted that a state is made of."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, DeltaChannelHistory
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.graph import END, START, StateGraph

import clew
from clew.adapters.langgraph import ClewSaver
from clew.testing import Recorder

from .saver_support import EMPTY, Saver, Thread, config_of


async def history(saver: Saver, thread: str, *channels: str, id: str | None = None, branch: str = "") -> Any:
    """Return the history, after a look that the synchronous method and LangGraph's own slow one say the same."""
    config = config_of(thread, branch, id)
    found = await saver.aget_delta_channel_history(config=config, channels=channels)
    slow = await BaseCheckpointSaver.aget_delta_channel_history(saver, config=config, channels=channels)
    assert found == slow
    return found


def values(found: DeltaChannelHistory) -> list[Any]:
    return [value for _, _, value in found["writes"]]


async def grow(thread: Thread, start: int, count: int) -> None:
    """Let the channel `lines` be written to at each step; its checkpoints have no value of it."""
    for number in range(start, start + count):
        await thread.write([("lines", [number]), ("other", number)], f"task-{number}", "~1")
        await thread.put({"lines": EMPTY}, counters_since_delta_snapshot={"lines": [number, number]})


async def test_the_history_has_the_writes_since_the_nearest_value_in_the_order_of_the_way(saver: ClewSaver) -> None:
    thread = Thread(saver, "delta")
    await thread.put({"lines": _DeltaSnapshot(["old"])})
    del thread.values["lines"]
    await grow(thread, 1, 3)
    await thread.write([("lines", ["pending"])])
    found = (await history(saver, "delta", "lines"))["lines"]
    assert found["seed"] == _DeltaSnapshot(["old"])
    assert values(found) == [[1], [2], [3]]
    earlier = thread.puts[1]["configurable"]["checkpoint_id"]
    assert values((await history(saver, "delta", "lines", id=earlier))["lines"]) == [[1]]


async def test_without_a_value_anywhere_there_is_no_seed(saver: ClewSaver) -> None:
    thread = Thread(saver, "delta")
    await thread.put({"step": 0})
    await grow(thread, 1, 2)
    found = await history(saver, "delta", "lines", "nothing")
    assert found == {"lines": {"writes": found["lines"]["writes"]}, "nothing": {"writes": []}}
    assert values(found["lines"]) == [[1], [2]]


async def test_each_channel_ends_at_its_own_seed_and_a_plain_value_is_one(saver: ClewSaver) -> None:
    thread = Thread(saver, "delta")
    await thread.put({"lines": ["plain"], "other": _DeltaSnapshot(0)})
    thread.values = {}
    await grow(thread, 1, 2)
    await thread.put({"other": _DeltaSnapshot(7)})
    del thread.values["other"]
    await grow(thread, 3, 1)
    found = await history(saver, "delta", "lines", "other")
    assert (found["lines"]["seed"], values(found["lines"])) == (["plain"], [[1], [2], [3]])
    assert (found["other"]["seed"], values(found["other"])) == (_DeltaSnapshot(7), [3])


async def test_the_writes_of_a_step_come_in_the_order_of_their_tasks_paths(saver: ClewSaver) -> None:
    thread = Thread(saver, "delta")
    await thread.put({"step": 0})
    for path, task, value in (("~2", "a", 3), ("~1", "z", 2), ("", "m", 1)):
        await thread.write([("lines", value), ("lines", value * 10)], task, path)
    await thread.put({"step": 1})
    assert values((await history(saver, "delta", "lines"))["lines"]) == [1, 10, 2, 20, 3, 30]


async def test_a_fork_has_the_history_of_its_own_ancestors_only(saver: ClewSaver) -> None:
    thread = Thread(saver, "delta")
    await thread.put({"lines": _DeltaSnapshot([])})
    del thread.values["lines"]
    await grow(thread, 1, 1)
    base = await saver.aget_tuple(thread.config)
    assert base is not None
    await grow(thread, 2, 2)
    left = thread.config["configurable"]["checkpoint_id"]
    thread.go_back(base)
    await thread.put({"step": "fork"})
    await thread.write([("lines", ["right"])], "task-right")
    await thread.put({"step": "right"})
    assert values((await history(saver, "delta", "lines", id=left))["lines"]) == [[1], [2], [3]]
    assert values((await history(saver, "delta", "lines"))["lines"]) == [[1], [2], ["right"]]


async def test_a_branch_and_a_copied_thread_have_their_history(saver: ClewSaver) -> None:
    thread = Thread(saver, "delta", "child:1")
    await thread.put({"lines": _DeltaSnapshot(["old"])})
    del thread.values["lines"]
    await grow(thread, 1, 2)
    await saver.acopy_thread("delta", "copy")
    for name in ("delta", "copy"):
        found = (await history(saver, name, "lines", branch="child:1"))["lines"]
        assert (found["seed"], values(found)) == (_DeltaSnapshot(["old"]), [[1], [2]])
    assert await saver.aget_delta_channel_history(config=config_of("delta"), channels=["lines"]) == {"lines": {"writes": []}}


async def test_no_channels_no_thread_and_a_deleted_one_have_an_empty_history(saver: ClewSaver) -> None:
    assert await saver.aget_delta_channel_history(config=config_of("nobody"), channels=[]) == {}
    assert await saver.aget_delta_channel_history(config=config_of("nobody"), channels=["a"]) == {"a": {"writes": []}}
    await Thread(saver, "gone").put({"a": 1})
    await saver.adelete_thread("gone")
    assert await saver.aget_delta_channel_history(config=config_of("gone"), channels=["a"]) == {"a": {"writes": []}}


async def test_two_hundred_ancestors_are_one_call(store: clew.Store) -> None:
    recorder = Recorder(store.backend)  # type: ignore[arg-type]
    saver = ClewSaver(clew.Store(recorder), owner="ada")
    thread = Thread(saver, "delta")
    await thread.put({"step": 0})
    for number in range(200):
        await thread.write([("lines", [number])], f"task-{number}")
        await thread.put({"step": number})
    recorder.clear()
    found = await saver.aget_delta_channel_history(config=config_of("delta"), channels=["lines"])
    assert values(found["lines"]) == [[number] for number in range(200)]
    assert recorder.verbs == ["trace_checkpoint"]


@pytest.mark.parametrize("how", ["prune", "delete_for_runs"])
async def test_what_a_delta_channel_is_made_of_stays_and_the_rest_goes(how: str, saver: ClewSaver) -> None:
    theirs = InMemorySaver()
    thread = Thread([theirs, saver], "delta")
    for number in range(3):
        await thread.put({"lines": _DeltaSnapshot([number])}, run_id="old")
    for number in (1, 2):
        await thread.write([("lines", [number])], f"task-{number}")
        await thread.put({"lines": EMPTY}, run_id="old", counters_since_delta_snapshot={"lines": [number, number]})
    await thread.write([("lines", [3])], "task-3")
    await thread.put({"lines": EMPTY}, run_id="new", counters_since_delta_snapshot={"lines": [3, 3]})
    before = await theirs.aget_delta_channel_history(config=config_of("delta"), channels=["lines"])
    if how == "prune":
        await saver.aprune(["delta"])
    else:
        await saver.adelete_for_runs(["old"])
    assert await history(saver, "delta", "lines") == before
    # The last snapshot, and the way from it.
    assert len([found async for found in saver.alist(config_of("delta"))]) == 4
    await thread.put({"lines": _DeltaSnapshot(["all"])}, run_id="new")
    if how == "prune":
        await saver.aprune(["delta"])
        assert len([found async for found in saver.alist(config_of("delta"))]) == 1
    else:
        await saver.adelete_for_runs(["old"])
        assert len([found async for found in saver.alist(config_of("delta"))]) == 5
        await saver.adelete_for_runs(["new", "old"])
        assert [found async for found in saver.alist(config_of("delta"))] == []


class State(TypedDict):
    lines: Annotated[list[str], DeltaChannel(lambda lines, more: operator.add(lines, [x for each in more for x in each]), list)]


async def test_a_graph_with_a_delta_channel_goes_on_after_a_prune_in_another_process(saver: ClewSaver, store: clew.Store) -> None:
    def answer(state: State) -> dict[str, list[str]]:
        return {"lines": [f"answer {len(state['lines'])}"]}

    builder = StateGraph(State)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", END)
    config = config_of("graph")
    for turn in range(3):
        made = ClewSaver(store, owner="ada")
        graph = builder.compile(checkpointer=made)
        result = await graph.ainvoke({"lines": [f"question {turn}"]}, config)
        assert len(result["lines"]) == 2 * turn + 2
        await made.aprune(["graph"])
    assert result["lines"][0] == "question 0"
    state = await builder.compile(checkpointer=saver).aget_state(config)
    assert state.values["lines"] == result["lines"]
