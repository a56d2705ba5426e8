"""The agent behind a real ChatKit server on a real store: what goes over the wire, and what stays in the thread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chatkit.server import StreamingResult

import clew
from clew.adapters.chatkit import ChatKitStore
from clew.assistant.animation import START, STOP
from clew.assistant.profiles import TOOL

from .models import scripted
from .server import ADA, NOBODY, Context, Server, Waiting, by_rule, message, progress


@pytest.fixture
async def store() -> AsyncIterator[ChatKitStore[Context]]:
    """A store in memory."""
    async with clew.connect("memory://") as opened:
        yield ChatKitStore[Context](opened)


async def post(server: Server, kind: str, **params: Any) -> list[dict[str, Any]]:
    """Send a request and return its frames."""
    return [frame async for frame in frames_of(server, kind, **params)]


async def frames_of(server: Server, kind: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
    """Send a request and yield its frames."""
    result = await server.process(json.dumps({"type": kind, "params": params}), ADA)
    assert isinstance(result, StreamingResult)
    async for frame in result:
        yield json.loads(frame.removeprefix(b"data: "))


async def test_a_question_over_the_wire(store: ChatKitStore[Context]) -> None:
    with scripted(["What stays of a deleted thread."]) as model:
        frames = await post(by_rule(store, model.url), "threads.create", input=message("What is a tombstone?"))
    assert progress(frames) == [START, STOP]
    assert [frame for frame in frames if frame["type"] == "error"] == []
    thread_id = frames[0]["thread"]["id"]
    items = await store.load_thread_items(thread_id, None, 20, "asc", ADA)
    assert [item.type for item in items.data] == ["user_message", "assistant_message"]
    assert frames[-1]["type"] == "thread.item.done"
    assert json.loads(items.data[1].model_dump_json(exclude_none=True)) == frames[-1]["item"]
    assert (await store.load_thread(thread_id, ADA)).title == "What is a tombstone?"


async def test_the_client_tool_completes_over_the_wire(store: ChatKitStore[Context]) -> None:
    server = by_rule(store, NOBODY)
    frames = await post(server, "threads.create", input=message("Who are the agents?"))
    thread_id, call = frames[0]["thread"]["id"], frames[-2]["item"]
    assert frames[-1]["type"] == "thread.updated"
    assert (call["type"], call["name"], call["status"]) == ("client_tool_call", TOOL, "pending")
    frames = await post(server, "threads.add_client_tool_output", thread_id=thread_id, result={"displayed": True})
    assert "Ariadne" in frames[-1]["item"]["content"][0]["text"]
    items = (await store.load_thread_items(thread_id, None, 20, "asc", ADA)).data
    assert [item.type for item in items] == ["user_message", "client_tool_call", "assistant_message"]
    assert items[1].model_dump()["status"] == "completed"


async def test_a_model_that_is_away_is_told_over_the_wire(store: ChatKitStore[Context]) -> None:
    frames = await post(by_rule(store, NOBODY), "threads.create", input=message("Hello!"))
    (error,) = [frame for frame in frames if frame["type"] == "error"]
    assert error["message"] == "There is no answer: m cannot be reached: try again later."
    assert error["allow_retry"] is True


async def test_a_request_that_is_cancelled_in_a_search_still_sends_the_stop(store: ChatKitStore[Context]) -> None:
    waiting, frames = Waiting(), list[dict[str, Any]]()
    server = by_rule(store, NOBODY, waiting)

    async def read() -> None:
        async for frame in frames_of(server, "threads.create", input=message("What is a tombstone?")):
            frames.append(frame)

    task = asyncio.create_task(read())
    await waiting.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert progress(frames) == [START, STOP]
    # ChatKit was told, too: it has left its mark that the answer was broken off.
    items = (await store.load_thread_items(frames[0]["thread"]["id"], None, 20, "asc", ADA)).data
    assert [item.type for item in items] == ["user_message", "sdk_hidden_context"]
    assert (await store.load_thread(frames[0]["thread"]["id"], ADA)).title == "What is a tombstone?"


async def test_nothing_is_saved_between_start_and_stop(store: ChatKitStore[Context]) -> None:
    with scripted(["It is."]) as model:
        frames = await post(by_rule(store, model.url), "threads.create", input=message("What is a tombstone?"))
    at = [frame.get("text") for frame in frames].index(START)
    assert frames[at + 1].get("text") == STOP
    assert frames[at + 2]["type"] == "thread.updated"
