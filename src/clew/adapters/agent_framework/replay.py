"""Tell new input from a transcript that is handed in again.

A message with an id is known by its id. Content is compared only where the input holds an assistant's message, which
no person types: a caller that says the same thing twice is taken at its word.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from agent_framework import Message


def find_new(history: Sequence[Message], incoming: Sequence[Message], known: Collection[str] = ()) -> list[Message]:
    """Return what of `incoming` is not in `history` yet.

    Args:
        history: the messages of the thread, oldest first; its newest part is enough.
        incoming: the messages of a run, in order.
        known: more ids that the thread holds.
    """
    ids = {message.message_id for message in history if message.message_id is not None}
    ids.update(known)
    start = 0
    if any(message.role == "assistant" for message in incoming):
        start = max(_end_of_overlap(history, incoming), _end_of_known(incoming, ids))
    return [message for message in incoming[start:] if message.message_id is None or message.message_id not in ids]


def _end_of_known(incoming: Sequence[Message], ids: Collection[str]) -> int:
    """Return the index after the last message that the history knows by its id: what stands before it is older."""
    for index in range(len(incoming), 0, -1):
        if incoming[index - 1].message_id in ids:
            return index
    return 0


def _end_of_overlap(history: Sequence[Message], incoming: Sequence[Message]) -> int:
    """Return where `incoming` leaves the end of `history` behind: the index of its first new message."""
    if not history:
        return 0
    newest = _identity(history[-1])
    for end in range(len(incoming), 0, -1):
        length = min(end, len(history))
        part = incoming[end - length : end]
        if not any(message.role == "assistant" for message in part) or _identity(part[-1]) != newest:
            continue
        if [_identity(message) for message in part] == [_identity(message) for message in history[-length:]]:
            return end
    return 0


def _identity(message: Message) -> tuple[str, list[dict[str, Any]]]:
    return message.role, [content.to_dict() for content in message.contents]
