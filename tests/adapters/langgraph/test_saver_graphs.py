"""Real graphs: a person in the loop, a subgraph, time travel, threads and coroutines, and processes that are killed."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

import clew
from clew.adapters.langgraph import ClewSaver

from .graph import build, question, said
from .saver_support import config_of, everything

TOP = Path(__file__).parents[3]
CONFIG: RunnableConfig = {"configurable": {"thread_id": "talk"}}


Run = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def run_process() -> Iterator[Run]:
    """`run_process(url, *lines)`: what a process of its own answers to the lines, and how it ends."""
    command = [sys.executable, "-m", "tests.adapters.langgraph.graph"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=TOP) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        lines = iter(parent.stdout)

        def run(url: str, *orders: str) -> list[Any]:
            assert parent.stdin is not None
            parent.stdin.write(json.dumps([url, orders]) + "\n")
            parent.stdin.flush()
            answers: list[Any] = []
            while not answers or "end" not in answers[-1]:
                answers.append(json.loads(next(lines)))
            return answers

        yield run
        parent.stdin.close()


def talk(turns: int) -> list[str]:
    """Return what is said when `turns` questions were asked and approved, the last one not answered by a person yet."""
    lines: list[str] = []
    for turn in range(turns):
        lines += [f"turn {turn}", f"You said 'turn {turn}', after {len(lines)} messages."]
        lines += [f"approved: turn {turn}"] if turn < turns - 1 else []
    return lines


async def test_a_conversation_goes_on_in_the_next_process_wherever_the_last_one_was_killed(url: str, run_process: Run) -> None:
    killed, ended = {"end": -signal.SIGKILL}, {"end": 0}
    # It waits for a person, and dies.
    assert run_process(url, "ask turn 0", "die") == [{"said": talk(1), "stops": [{"approve": "turn 0"}]}, killed]
    assert run_process(url, "resume yes") == [{"said": [*talk(1), "approved: turn 0"], "stops": []}, ended]
    # It dies after the checkpoint of the question is put, and before the writes of the answer are.
    assert run_process(url, "ask die") == [killed]
    async with clew.connect(url) as store:
        state = await build(ClewSaver(store, owner="ada")).aget_state(CONFIG)
        assert (state.next, said(state.values)[3:]) == (("answer",), ["die"])
    again, refused, end = run_process(url, "go", "resume no")
    assert again["said"][3:] == ["die", "You said 'die', after 3 messages."]
    assert again["stops"] == [{"approve": "die"}]
    assert refused["said"][5:] == ["refused: die"]
    assert end == ended
    async with clew.connect(url) as store:
        items = await store.items.tail(clew.Ref("ada", "talk"))
        assert len(items) == len({item.id for item in items}) == 6
        saver = ClewSaver(store, owner="ada")
        branches = {each.config["configurable"]["checkpoint_ns"].partition(":")[0] for each in await everything(saver, "talk")}
        assert branches == {"", "approve"}


async def test_a_process_that_is_killed_at_any_moment_leaves_all_it_was_told_was_done_and_no_half(
    url: str, run_process: Run
) -> None:
    for attempt in range(4):
        *steps, end = run_process(url, f"write {random.uniform(0.005, 0.06)}")
        assert end == {"end": -signal.SIGKILL}
        async with clew.connect(url) as store:
            saver = ClewSaver(store, owner="ada")
            found = await everything(saver, "talk")
            counts = [each.checkpoint["channel_values"]["count"] for each in found]
            assert counts == list(range(1, len(found) + 1))
            assert [len(each.checkpoint["channel_values"]["messages"]) for each in found] == counts
            assert {len(each.pending_writes or ()) for each in found[:-1]} <= ({2} if attempt == 0 else {0, 2})
            if steps:
                done = steps[-1]["done"]
                assert len(found) >= done
                assert len(found[done - 1].pending_writes or ()) == 2
            items = await store.items.tail(clew.Ref("ada", "talk"), 1000) if found else []
            assert len(items) == len(found)


async def drive(saver: Any, graph: Any) -> list[Any]:
    """Let a person talk, look back, change her mind, and go on from there; return all that she sees."""
    seen: list[Any] = []
    for turn in range(2):
        result = await graph.ainvoke(question(f"turn {turn}"), CONFIG)
        seen += [said(result), [each.value for each in result["__interrupt__"]]]
        state = await graph.aget_state(CONFIG, subgraphs=True)
        seen += [state.next, state.tasks[0].state.values["looks"]]
        seen.append(said(await graph.ainvoke(Command(resume="yes"), CONFIG)))
    past = [state async for state in graph.aget_state_history(CONFIG)]
    seen += [(state.next, said(state.values) if "messages" in state.values else []) for state in past]
    # Time travel: the first question once more, with another one in its place.
    base = next(state for state in past if state.next == ("answer",) and len(state.values["messages"]) == 1)
    edited = base.values["messages"][0].model_copy(update={"content": "another"})
    fork = await graph.aupdate_state(base.config, {"messages": [edited]})
    seen += [said(await graph.ainvoke(None, fork)), said(await graph.ainvoke(Command(resume="no"), CONFIG))]
    seen.append(said((await graph.aget_state(past[0].config)).values))
    seen.append(said((await graph.aget_state(CONFIG)).values))
    return seen


@pytest.mark.parametrize("durability", ["async", "exit"])
async def test_a_person_sees_the_same_as_with_the_saver_in_memory(saver: ClewSaver, durability: str) -> None:
    theirs = InMemorySaver()
    wanted = await drive(theirs, build(theirs).with_config({"durability": durability}))
    got = await drive(saver, build(saver).with_config({"durability": durability}))
    assert got == wanted
    assert got[-1] == ["another", "You said 'another', after 0 messages.", "refused: another"]


async def test_a_graph_without_coroutines_runs_in_threads_on_the_same_store(saver: ClewSaver) -> None:
    graph = build(saver)

    def work(number: int) -> list[str]:
        config: RunnableConfig = {"configurable": {"thread_id": f"thread-{number}"}}
        graph.invoke(question(f"turn {number}"), config)
        graph.invoke(Command(resume="yes"), config)
        assert len(list(graph.get_state_history(config))) > 4
        saver.copy_thread(f"thread-{number}", f"copy-{number}")
        saver.prune([f"thread-{number}"])
        assert len(list(saver.list(config_of(f"thread-{number}")))) == 1
        saver.delete_for_runs(["nobody"])
        saver.delete_thread(f"thread-{number}")
        assert saver.get_tuple(config) is None
        assert saver.get_delta_channel_history(config=config, channels=["a"]) == {"a": {"writes": []}}
        # A list that is left in the middle.
        assert next(iter(saver.list(None, limit=3))).checkpoint["v"] == 4
        return said(graph.get_state({"configurable": {"thread_id": f"copy-{number}"}}).values)

    lines = await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(4)))
    for number, each in enumerate(lines):
        assert each == [f"turn {number}", f"You said 'turn {number}', after 0 messages.", f"approved: turn {number}"]
    # Coroutines read what threads wrote.
    assert said((await graph.aget_state({"configurable": {"thread_id": "copy-0"}})).values) == lines[0]


def test_a_program_without_an_event_loop_opens_a_store_by_its_url(url: str) -> None:
    with ClewSaver(url, owner="ada") as saver:
        build(saver).invoke(question("turn 0"), CONFIG)
        copy = saver.for_owner("ada")
        copy.close()
        assert said(build(copy).get_state(CONFIG).values) == talk(1)
    with pytest.raises(clew.ClosedError):
        saver.get_tuple(CONFIG)
    with ClewSaver(url, owner="ada") as saver:
        assert said(build(saver).invoke(Command(resume="yes"), CONFIG)) == [*talk(1), "approved: turn 0"]


async def test_a_deleted_conversation_begins_anew_whenever_its_subgraph_puts(saver: ClewSaver) -> None:
    graph = build(saver)
    for durability in ("async", "exit", "sync"):
        result = await graph.ainvoke(question("turn 0"), CONFIG, durability=durability)
        assert said(result) == talk(1)
        assert said(await graph.ainvoke(Command(resume="yes"), CONFIG, durability=durability))[-1] == "approved: turn 0"
        await saver.adelete_thread("talk")
        assert (await graph.aget_state(CONFIG)).values == {}


async def test_a_graph_that_runs_with_a_claim_is_fenced(saver: ClewSaver) -> None:
    graph = build(saver)
    async with saver.claim("talk", holder="worker-1") as config:
        await graph.ainvoke(question("turn 0"), config)
    async with saver.claim("talk", holder="worker-2"):
        with pytest.raises(clew.FencedError):
            await graph.ainvoke(Command(resume="yes"), config)
    assert (await graph.aget_state(CONFIG)).next == ("approve",)
    assert said(await graph.ainvoke(Command(resume="yes"), CONFIG)) == [*talk(1), "approved: turn 0"]


async def test_the_local_model_reads_what_was_said_before_the_store_was_closed(
    llama_url: str, url_of: Callable[..., str]
) -> None:
    asked: list[list[dict[str, str]]] = []

    def model(messages: list[AnyMessage]) -> AIMessage:
        roles = {"human": "user", "ai": "assistant"}
        asked.append([{"role": roles[message.type], "content": str(message.content)} for message in messages])
        request = {"messages": asked[-1], "max_tokens": 12, "temperature": 0}
        answer = httpx.post(f"{llama_url}/chat/completions", json=request, timeout=50).raise_for_status().json()
        return AIMessage(answer["choices"][0]["message"]["content"], id=answer["id"])

    heard: dict[str, list[list[str]]] = {}
    for kind in ("sqlite", "redis-8.2"):
        url = url_of(kind)
        heard[kind] = []
        for text in ("My name is Ada. Say hello to me.", "What is my name?"):
            async with clew.connect(url) as store:
                graph = build(ClewSaver(store, owner="ada"), model)
                await graph.ainvoke(question(text), CONFIG)
                heard[kind].append(said(await graph.ainvoke(Command(resume="yes"), CONFIG)))
        first, second = heard[kind]
        assert [message["content"] for message in asked[-1]] == [*first, "What is my name?"]
        assert second[4]
    # It has read the same on both.
    assert heard["sqlite"] == heard["redis-8.2"]
