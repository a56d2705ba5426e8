"""A thread's items as the messages that OpenAI's chat completions take, the newest that fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from chatkit.types import (
    AssistantMessageItem,
    ClientToolCallItem,
    SDKHiddenContextItem,
    ThreadItem,
    UserMessageItem,
)

from .room import measure

Message = dict[str, Any]
"""A message of the API: its SDK's types for it are a union of a dozen TypedDicts that no code here looks into."""
CUT: Final = " … (the rest was left out)"
LONGEST_OUTPUT: Final = 4_000
"""Characters of a client tool's output that a model is shown."""


def user_text(item: UserMessageItem) -> str:
    """Return what a person wrote, with what they quoted and the names of what they attached."""
    parts = [f"> {line}" for line in (item.quoted_text or "").splitlines()]
    parts.append(" ".join(part.text for part in item.content))
    parts += [f"(attached: {each.name}, {each.mime_type}; its content is not shown to you)" for each in item.attachments]
    return "\n".join(parts).strip()


def spoken_text(item: UserMessageItem) -> str:
    """Return only what a person wrote themselves."""
    return " ".join(part.text for part in item.content).strip()


def newest_turn(items: Sequence[ThreadItem]) -> UserMessageItem | ClientToolCallItem | None:
    """Return what is to be answered: the newest message of the person, or the client tool call whose output has come since."""
    for item in reversed(items):
        if isinstance(item, UserMessageItem) or (isinstance(item, ClientToolCallItem) and item.status == "completed"):
            return item
    return None


def make_messages(items: Iterable[ThreadItem], room: int | None, *, tools: bool = True) -> list[Message]:
    """Return the messages of a thread's items, oldest first: the newest always, cut where it is too long, and what fits.

    Args:
        items: oldest first. What a model has no use for is left out: widgets, tasks, and calls that never got an output.
        room: how many tokens, as `room.measure` counts them; None for all.
        tools: whether client tool calls and their outputs are shown; what belongs together stays together.
    """
    groups = [group for group in (_group(item, tools) for item in items) if group]
    if room is None:
        return [message for group in groups for message in group]
    if groups and _size(groups[-1]) > room:
        groups[-1] = [_cut(message, room // len(groups[-1])) for message in groups[-1]]
    left = room
    start = len(groups)
    while start and (start == len(groups) or left >= _size(groups[start - 1])):
        start -= 1
        left -= _size(groups[start])
    # A history that starts with an answer makes no sense to a model.
    while start < len(groups) - 1 and groups[start][0]["role"] != "user":
        start += 1
    return [message for group in groups[start:] for message in group]


def _group(item: ThreadItem, tools: bool) -> list[Message]:
    if isinstance(item, UserMessageItem):
        return [{"role": "user", "content": user_text(item)}]
    if isinstance(item, AssistantMessageItem):
        text = "".join(part.text for part in item.content)
        return [{"role": "assistant", "content": text}] if text.strip() else []
    if isinstance(item, SDKHiddenContextItem) and tools:
        return [{"role": "user", "content": f"<HiddenContext>\n{item.content}\n</HiddenContext>"}]
    if isinstance(item, ClientToolCallItem) and item.status == "completed" and tools:
        # The pictures in the arguments are for the page.
        function = {"name": item.name, "arguments": "{}"}
        output = json.dumps(item.output, ensure_ascii=False, default=str)[:LONGEST_OUTPUT]
        return [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": item.call_id, "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": item.call_id, "content": output},
        ]
    return []


def _cut(message: Message, room: int) -> Message:
    text = message.get("content") or ""
    while len(text) > 1 and measure(text) > room:
        text = text[: len(text) * 3 // 4]
    return {**message, "content": f"{text}{CUT}" if text != message.get("content") and text else message.get("content")}


def _size(group: list[Message]) -> int:
    return sum(measure(str(message.get("content") or "")) for message in group)
