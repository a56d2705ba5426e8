"""Other savers of LangGraph, each on its own database, and a graph that leaves in them what is hard to move.

The graph talks, has a subgraph, stops for a person, and is forked; its state has messages, and values of many types.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import UUID

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, interrupt

HARD = ("plain", "a:b", "a", "*{x}?[y]\\", "über ☃")
"""Ids of threads, prefixes of one another and what a pattern would mean."""


@dataclass
class Weather:
    """A class of the program's own, which a state holds."""

    place: str
    degrees: float


def extend(lines: list[str], more: Sequence[list[str]]) -> list[str]:
    """Return lines with more of them."""
    return [*lines, *(line for one in more for line in one)]


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    facts: dict[str, Any]
    weather: Weather
    answer: str
    log: Annotated[list[str], DeltaChannel(extend, snapshot_frequency=3)]


class Inner(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    seen: int


def make_graph(saver: BaseCheckpointSaver[Any]) -> Any:  # a compiled graph's type has four parameters, and none matters here
    """Return the graph, compiled with a saver."""

    async def talk(state: State) -> State:
        call = {"name": "weather", "args": {"place": "Oslo"}, "id": "call_1"}
        said = AIMessage(
            "I look it up.", id="m1", tool_calls=[call], usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
        )
        facts = {"when": datetime(2026, 11, 21, tzinfo=UTC), "id": UUID(int=7), "bytes": b"\x00\xff", "set": {1, 2}, "none": None}
        return {"messages": [said, ToolMessage("4 degrees", tool_call_id="call_1", id="m2")], "facts": facts, "log": ["talked"]}

    async def look(state: Inner) -> Inner:
        return {"messages": [AIMessage("inside", id="m3")], "seen": len(state["messages"])}

    async def forecast(state: State) -> State:
        return {"weather": Weather("Oslo", 4.0), "log": ["looked"]}

    async def ask(state: State) -> State:
        return {"answer": interrupt({"question": "Go out?"}), "messages": [AIMessage("Good.", id="m4")], "log": ["asked"]}

    inner = StateGraph(Inner)
    inner.add_node("look", look)
    inner.add_edge(START, "look")
    inner.add_edge("look", END)
    graph = StateGraph(State)
    graph.add_node("talk", talk)
    graph.add_node("sub", inner.compile())
    graph.add_node("forecast", forecast)
    graph.add_node("ask", ask)
    graph.add_edge(START, "talk")
    graph.add_edge("talk", "sub")
    graph.add_edge("talk", "forecast")
    graph.add_edge(["sub", "forecast"], "ask")
    graph.add_edge("ask", END)
    return graph.compile(checkpointer=saver)


def config_of(thread: str) -> RunnableConfig:
    """Return the configuration that names a thread."""
    return {"configurable": {"thread_id": thread}, "metadata": {"team": "blue"}}


async def fill(saver: BaseCheckpointSaver[Any], threads: tuple[str, ...] = HARD) -> None:
    """Run the graph in each thread until it waits for a person; the first thread is answered, then forked from its start."""
    graph = make_graph(saver)
    for thread in threads:
        await graph.ainvoke({"messages": [HumanMessage(f"Weather for {thread}?", id="m0")], "log": ["began"]}, config_of(thread))
    first = config_of(threads[0])
    await graph.ainvoke(Command(resume="yes"), first)
    history = [state async for state in graph.aget_state_history(first)]
    past = next(state for state in history if "talk" in state.next)
    await graph.aupdate_state(past.config, {"messages": [HumanMessage("And in Rome?", id="m0")]})


@asynccontextmanager
async def open_peer(layout: str, url: str) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Open the saver of a layout, by its own package."""
    if layout == "langgraph-sqlite":
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        async with AsyncSqliteSaver.from_conn_string(url.removeprefix("sqlite:///")) as sqlite:
            await sqlite.setup()
            yield sqlite
    elif layout == "langgraph-plainredis":
        from langgraph_checkpoint_plainredis import AsyncRedisSaver as PlainSaver

        plain = PlainSaver(url=url)
        try:
            yield plain
        finally:
            await plain.aclose()
    else:
        from langgraph.checkpoint.redis.aio import AsyncRedisSaver
        from redis.asyncio import Redis

        # A client of its own making comes with a DeprecationWarning.
        async with Redis.from_url(url) as client, AsyncRedisSaver(redis_client=client) as saver:
            yield saver


def file_of(folder: Path) -> str:
    """Return the URL of a file for the SQLite saver."""
    return f"sqlite:///{folder / 'langgraph.db'}"


Place = tuple[str, str, str]
"""Thread, namespace and id of a checkpoint."""


class Seen(NamedTuple):
    """A checkpoint as a saver gives it, without the numbering of versions, which is each saver's own."""

    checkpoint: dict[str, Any]
    versioned: set[str]
    metadata: dict[str, Any]
    parent: str | None
    writes: list[tuple[str, str, Any]]


def see(found: CheckpointTuple) -> tuple[Place, Seen]:
    """Return where a checkpoint stands, and what it is."""
    at = found.config["configurable"]
    # langgraph-checkpoint-redis notes in it how it serialized, and a field that LangGraph does not fill any more.
    own = ("channel_versions", "versions_seen", "type", "pending_sends")
    checkpoint = {name: value for name, value in found.checkpoint.items() if name not in own}
    parent = found.parent_config["configurable"]["checkpoint_id"] if found.parent_config else None
    seen = Seen(
        checkpoint,
        set(found.checkpoint["channel_versions"]),
        dict(found.metadata),
        parent,
        [(task, channel, value) for task, channel, value in found.pending_writes or []],
    )
    return (at["thread_id"], at["checkpoint_ns"], at["checkpoint_id"]), seen


async def see_all(saver: BaseCheckpointSaver[Any]) -> dict[Place, Seen]:
    """Return every checkpoint that a saver has."""
    return dict([see(found) async for found in saver.alist(None)])


async def states(saver: BaseCheckpointSaver[Any]) -> dict[str, Any]:
    """Return where the graph stands in each thread."""
    graph = make_graph(saver)
    found = {}
    for thread in HARD:
        state = await graph.aget_state(config_of(thread))
        found[thread] = (state.values, state.next, state.interrupts, [task.id for task in state.tasks])
    return found
