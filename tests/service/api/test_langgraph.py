"""A conversation that a LangGraph agent had is read as any other: by commands, over HTTP, on the page, by MCP and LangChain."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from msgspec.msgpack import Ext
from typer.testing import CliRunner

import clew
from clew.adapters.langchain import ClewChatMessageHistory
from clew.adapters.langgraph import ClewSaver
from clew.cli.app import app
from clew.mcp.desk import Desk, Shelf, Shelves
from clew.mcp.searching import Search, search
from clew.mcp.views import read_messages

from .conftest import SESSIONS, THREADS, Serve, problem

THREAD = "trip:{1}*"


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"12 °C in {city}"


def answer(state: MessagesState) -> dict[str, Any]:
    """Ask for the weather, then tell it."""
    if isinstance(state["messages"][-1], ToolMessage):
        return {"messages": [AIMessage("It is cold.", id="a2")]}
    call = {"name": "weather", "args": {"city": "Zürich"}, "id": "call_1", "type": "tool_call"}
    return {"messages": [AIMessage("Let me look.", id="a1", tool_calls=[call])]}


async def talk(store: clew.Store) -> None:
    """Have an agent with a tool answer a question."""
    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_node("tools", ToolNode([weather]))
    builder.add_edge(START, "answer")
    builder.add_conditional_edges("answer", lambda state: "tools" if state["messages"][-1].tool_calls else END)
    builder.add_edge("tools", "answer")
    graph = builder.compile(checkpointer=ClewSaver(store, owner="ada"))
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    asked = HumanMessage([{"type": "text", "text": "Will I need a coat?"}, picture], id="h1")
    await graph.ainvoke({"messages": [SystemMessage("Be brief.", id="s1"), asked]}, {"configurable": {"thread_id": THREAD}})


SAID = [
    ("system", "message", "Be brief."),
    ("user", "message", "Will I need a coat?\n[image]"),
    ("assistant", "tool_call", 'Let me look.\n→ weather({"city": "Zürich"})'),
    ("tool", "tool_result", "← 12 °C in Zürich"),
    ("assistant", "message", "It is cold."),
]


@pytest.mark.parametrize("engine", ["sqlite", "redis-8.2"])
async def test_an_agents_conversation_is_read_everywhere(serve: Serve, url_of: Callable[..., str], engine: str) -> None:
    url = url_of(engine)
    async with clew.connect(url) as store:
        await talk(store)
        await read_by_commands(url)
        await read_over_http(serve, url)
        ref = clew.Ref("ada", THREAD)
        shown = await read_messages(store, ref, limit=10, newest_first=False)
        assert [(each.author, each.kind, each.text) for each in shown] == SAID
        messages = await ClewChatMessageHistory(THREAD, store, owner="ada").aget_messages()
        assert [message.id for message in messages if not isinstance(message, ToolMessage)] == ["s1", "h1", "a1", "a2"]
        hits = await search(Desk("ada", store, Shelf(store, Shelves(), "ada")), Search("zürich weather"))
        assert [hit.conversation for hit in hits.hits] == [THREAD]


async def read_by_commands(url: str) -> None:
    """`clew threads` and `clew show` list and read it."""

    async def run(*words: str) -> str:
        command = [*words, "--url", url, "--owner", "ada"]
        done = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert [each["thread"] for each in json.loads(await run("threads", "--json"))["threads"]] == [THREAD]
    assert await run("show", THREAD) == "".join(f"{author}> {text}\n" for author, _, text in SAID)
    items = json.loads(await run("show", THREAD, "--json"))["items"]
    assert [item["data"]["type"] for item in items] == ["system", "human", "ai", "tool", "ai"]
    assert items[2]["links"] == items[3]["links"] == ["call_1"]


async def read_over_http(serve: Serve, url: str) -> None:
    """The API of items, that of sessions, and what the page asks for."""
    api = await serve(url)
    assert [each["id"] for each in (await api.ada.get(THREADS)).json()["data"]] == [THREAD]
    items = (await api.ada.get(f"{THREADS}/{THREAD}/items")).json()["data"]
    assert [(item["author"], item["kind"], item["codec"]) for item in items] == [
        (author, kind, "langgraph/msgpack") for author, kind, _ in SAID
    ]
    assert (items[4]["data"]["content"], items[4]["data"]["id"]) == ("It is cold.", "a2")
    assert b"It is cold." in base64.b64decode(items[4]["data_base64"])
    messages = (await api.ada.get(f"{SESSIONS}/{THREAD}/messages")).json()["data"]
    assert [(each["role"], each["content"]) for each in messages] == [(author, text) for author, _, text in SAID]
    asked = {"type": "items.list", "params": {"thread_id": THREAD, "limit": 10, "order": "asc"}}
    page = (await api.ada.post("/chatkit", json=asked)).json()["data"]
    assert [(each["type"], each["content"][0]["text"]) for each in page] == [
        ("user_message" if author == "user" else "assistant_message", text) for author, _, text in SAID[1:]
    ]
    assert (await api.eve.get(f"{THREADS}/{THREAD}/items")).status_code == 404


async def test_nobody_writes_over_http_what_a_graph_would_make_objects_of(serve: Serve, url_of: Callable[..., str]) -> None:
    url = url_of("sqlite")
    async with clew.connect(url) as store:
        await talk(store)
        api = await serve(url)
        here = f"{THREADS}/{THREAD}/items"
        evil = base64.b64encode(msgspec.msgpack.encode(Ext(0, msgspec.msgpack.encode(["os", "system", "exit"])))).decode()
        body = {"data_base64": evil, "codec": "langgraph/msgpack"}
        mine = (await api.ada.post(here, json={"items": [{"id": "mine", "data": 1}]})).json()["ids"][0]
        before = list(await store.items.page(clew.Ref("ada", THREAD)))
        first = before[0]
        tag = (await api.ada.get(f"{here}/{first.id}")).headers["etag"]
        for reply in (
            await api.ada.post(here, json={"items": [body]}),
            await api.ada.post(THREADS, json={"items": [body]}),
            await api.ada.put(f"{here}/{mine}", json=body),
            await api.ada.put(f"{here}/{first.id}", json={"data_base64": evil}),
            await api.ada.put(f"{here}/{first.id}", json={"data_base64": evil}, headers={"if-match": tag}),
            await api.ada.put(f"{here}/{first.id}", json={"data": 1, "codec": "json"}),
        ):
            assert problem(reply) == "invalid"
            assert "its framework alone" in reply.json()["detail"]
        assert list(await store.items.page(clew.Ref("ada", THREAD))) == before
        assert (await api.ada.put(f"{here}/{mine}", json={"data": 2})).status_code == 200
