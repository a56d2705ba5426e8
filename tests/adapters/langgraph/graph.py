"""A graph that talks, calls a subgraph, and stops for a person: used by tests, and by processes of their own that are killed.

    python -m tests.adapters.langgraph.graph

Each line of its input is JSON: a store's URL, and lines that a process of their own does, one after the other: a verb and an
argument, as `ask What?`. It answers each of these with a line of JSON, and the end of the process with a line that says how.
The processes are forks of one that has imported everything and opened nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, interrupt

import clew
from clew.adapters.langgraph import ClewSaver

from .saver_support import Thread, speak

Model = Callable[[list[AnyMessage]], AIMessage]


class Inner(TypedDict):
    order: str
    approved: bool
    looks: Annotated[list[str], lambda old, new: [*old, *new]]


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    order: str
    approved: bool
    steps: int


DIES: list[bool] = []
"""Whether this process ends where it is told to."""


def echo(messages: list[AnyMessage]) -> AIMessage:
    """Answer with what was said last; end the process where that is to die."""
    said = str(messages[-1].content)
    if said == "die" and DIES:
        os.kill(os.getpid(), signal.SIGKILL)
    return AIMessage(f"You said {said!r}, after {len(messages) - 1} messages.")


def build(saver: BaseCheckpointSaver[Any] | None, model: Model = echo) -> Any:  # a compiled graph of four type parameters
    """Return the graph."""

    def look(state: Inner) -> dict[str, Any]:
        return {"looks": [f"looked at {state['order']}"]}

    def ask(state: Inner) -> dict[str, Any]:
        return {"approved": interrupt({"approve": state["order"]}) == "yes", "looks": ["asked"]}

    inner = StateGraph(Inner)
    inner.add_node("look", look)
    inner.add_node("ask", ask)
    inner.add_edge(START, "look")
    inner.add_edge("look", "ask")
    inner.add_edge("ask", END)
    approving = inner.compile()

    def reply(state: State) -> dict[str, Any]:
        return {"messages": [model(state["messages"])], "order": str(state["messages"][-1].content)}

    def tell(state: State) -> dict[str, Any]:
        verdict = "approved" if state["approved"] else "refused"
        return {"messages": [AIMessage(f"{verdict}: {state['order']}")], "steps": state.get("steps", 0) + 1}

    outer = StateGraph(State)
    outer.add_node("answer", reply)
    outer.add_node("approve", approving)
    outer.add_node("tell", tell)
    outer.add_edge(START, "answer")
    outer.add_edge("answer", "approve")
    outer.add_edge("approve", "tell")
    outer.add_edge("tell", END)
    return outer.compile(checkpointer=saver)


def said(state: Any) -> list[str]:
    """Return what the messages of a state say."""
    return [str(message.content) for message in state["messages"]]


def question(text: str) -> dict[str, Any]:
    """Return an input."""
    return {"messages": [HumanMessage(text)]}


def answer(value: object) -> None:
    """Say a line, all of it or nothing."""
    os.write(sys.stdout.fileno(), json.dumps(value).encode() + b"\n")


async def serve(url: str, lines: list[str]) -> None:
    """Do what the lines say."""
    config: RunnableConfig = {"configurable": {"thread_id": "talk"}}
    async with clew.connect(url) as store:
        graph = build(ClewSaver(store, owner="ada"))
        for line in lines:
            verb, _, text = line.partition(" ")
            if verb == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if verb == "write":
                await write_until(ClewSaver(store, owner="ada"), float(text))
            given: Any = {"ask": question(text), "resume": Command(resume=text), "go": None}[verb]
            DIES[:] = [True] if verb == "ask" else []
            result = await graph.ainvoke(given, config, durability="sync")
            stops = [each.value for each in result.get("__interrupt__", ())]
            answer({"said": said(result), "stops": stops})


async def write_until(saver: ClewSaver, seconds: float) -> None:
    """Put and write, step by step, until this process is killed at some moment; say of each step that it is done."""
    threading.Timer(seconds, os.kill, [os.getpid(), signal.SIGKILL]).start()
    thread = Thread(saver, "talk")
    found = await saver.aget_tuple(thread.config)
    if found is not None:
        thread.go_back(found)
    while True:
        messages = thread.values.get("messages", [])
        await thread.put({"messages": [*messages, speak(len(messages))], "count": len(messages) + 1})
        await thread.write([("messages", len(messages)), ("count", 1)], f"task-{len(messages)}")
        answer({"done": len(messages) + 1})


def run() -> None:
    """Fork a process for each line of the input, and wait for it."""
    for request in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(serve(*json.loads(request)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        answer({"end": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    run()
