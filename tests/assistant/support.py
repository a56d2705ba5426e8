"""Threads, messages and events for the tests of the assistant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ClientToolCallItem,
    InferenceOptions,
    ProgressUpdateEvent,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    ToolChoice,
    UserMessageContent,
    UserMessageItem,
    UserMessageTextContent,
)

from clew.assistant.animation import START, STOP
from clew.assistant.search import Found
from clew.ids import new_id, new_thread_id


def make_thread(title: str | None = None) -> ThreadMetadata:
    """Return a thread of nobody's."""
    return ThreadMetadata(id=new_thread_id(), created_at=datetime.now(), title=title)


def said(text: str, *, tool: str | None = None, **fields: Any) -> UserMessageItem:
    """Return a person's message."""
    options = InferenceOptions(tool_choice=ToolChoice(id=tool) if tool else None)
    content: list[UserMessageContent] = [UserMessageTextContent(text=text)]
    id = f"msg_{new_id()}"
    return UserMessageItem(id=id, thread_id="t", created_at=datetime.now(), content=content, inference_options=options, **fields)


def replied(text: str) -> AssistantMessageItem:
    """Return an assistant's message."""
    content = [AssistantMessageContent(text=text)]
    return AssistantMessageItem(id=f"msg_{new_id()}", thread_id="t", created_at=datetime.now(), content=content)


def completed(item: ThreadItem, output: Any) -> ClientToolCallItem:
    """Return a client tool call with its output, as ChatKit stores it."""
    assert isinstance(item, ClientToolCallItem)
    return item.model_copy(update={"status": "completed", "output": output})


async def collect(events: AsyncIterator[ThreadStreamEvent]) -> list[ThreadStreamEvent]:
    """Return all events."""
    return [event async for event in events]


def done_items(events: Iterable[ThreadStreamEvent]) -> list[ThreadItem]:
    """Return the items that ChatKit would store."""
    return [event.item for event in events if isinstance(event, ThreadItemDoneEvent)]


def animation(events: Iterable[ThreadStreamEvent]) -> list[str]:
    """Return the events of the animation, as `start` and `stop`."""
    names = {START: "start", STOP: "stop"}
    return [names[event.text] for event in events if isinstance(event, ProgressUpdateEvent)]


def answer_of(events: list[ThreadStreamEvent]) -> AssistantMessageItem:
    """Return the one assistant message, whose deltas have to add up to its text."""
    (item,) = [item for item in done_items(events) if isinstance(item, AssistantMessageItem)]
    assert [event.item.id for event in events if isinstance(event, ThreadItemAddedEvent)] == [item.id]
    updates = [event.update for event in events if isinstance(event, ThreadItemUpdatedEvent) and event.item_id == item.id]
    deltas = [update.delta for update in updates if isinstance(update, AssistantMessageContentPartTextDelta)]
    assert "".join(deltas) == item.content[0].text
    return item


def text_of(events: list[ThreadStreamEvent]) -> str:
    """Return the text of the one assistant message."""
    return answer_of(events).content[0].text


class Failing:
    """A search that ends with an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def search(self, query: str, limit: int = 5) -> list[Found]:
        """Raise it."""
        raise self.error
