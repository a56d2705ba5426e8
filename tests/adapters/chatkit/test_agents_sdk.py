"""The SDK's own way from an agent to a thread: a tool call in the middle, and a workflow that goes on after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

from agents import RunResultStreaming
from chatkit.agents import AgentContext, ClientToolCall, ThreadItemConverter, stream_agent_response
from chatkit.types import CustomTask, ThreadMetadata, ThreadStreamEvent, UserMessageItem, Workflow
from openai.types.responses import (
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
)

from clew.adapters.chatkit import ChatKitStore

from .driver import ADA, Context, Server, kinds, play, says
from .samples import newer_item
from .test_items import write_raw

Kit = ChatKitStore[Context]


class Said:
    """What a streamed run of an agent gives: raw events of one message whose id is the placeholder of Chat Completions models."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def stream_events(self) -> AsyncIterator[Any]:
        message = ResponseOutputMessage(id="__fake_id__", content=[], role="assistant", status="in_progress", type="message")
        yield raw(
            ResponseOutputItemAddedEvent(item=message, output_index=0, sequence_number=0, type="response.output_item.added")
        )
        text = ResponseOutputText(text=self._text, annotations=[], type="output_text")
        done = message.model_copy(update={"content": [text], "status": "completed"})
        yield raw(ResponseOutputItemDoneEvent(item=done, output_index=0, sequence_number=1, type="response.output_item.done"))


def raw(data: object) -> Any:
    """Return an event as the Agents SDK wraps it."""
    return SimpleNamespace(type="raw_response_event", data=data)


async def test_two_turns_with_a_tool_call_and_an_open_workflow(server: Server, kit: Kit) -> None:
    async def script(
        thread: ThreadMetadata, message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        agent: AgentContext[Context] = AgentContext(thread=thread, store=kit, request_context=context)
        if message is not None:
            await agent.start_workflow(Workflow(type="custom", tasks=[CustomTask(title="look")]))
            agent.client_tool_call = ClientToolCall(name="get_selection", arguments={"p": 1})
        async for event in stream_agent_response(agent, cast(RunResultStreaming, Said("turn one" if message else "turn two"))):
            yield event

    server.script = script
    events = await play(server, "threads.create", ADA, input=says("go"))
    assert "error" not in kinds(events), events
    thread_id = events[0]["thread"]["id"]
    events = await play(server, "threads.add_client_tool_output", ADA, thread_id=thread_id, result={"sel": [1]})
    assert "error" not in kinds(events), events
    page = await kit.load_thread_items(thread_id, None, 20, "asc", ADA)
    texts = [item.content[0].text for item in page.data if item.type == "assistant_message"]
    assert texts == ["turn one", "turn two"]
    assert [item.type for item in page.data].count("workflow") == 1
    (call,) = [item for item in page.data if item.type == "client_tool_call"]
    assert (call.status, call.output) == ("completed", {"sel": [1]})
    ids = [item.id for item in page.data]
    assert len(ids) == len(set(ids))
    assert "__fake_id__" not in ids


async def test_a_thread_with_items_of_every_age_becomes_a_models_input(server: Server, kit: Kit, store: Any) -> None:
    thread = ThreadMetadata(id="thr_x", created_at=datetime.now())
    await kit.save_thread(thread, ADA)
    await write_raw(store, kit, thread.id, newer_item(thread.id))
    items = (await kit.load_thread_items(thread.id, None, 10, "asc", ADA)).data
    found = await ThreadItemConverter().to_agent_input(items)
    assert "cannot read" in str(found)
