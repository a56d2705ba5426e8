"""A summary of a conversation by the model: of any length of it, in a few requests that each fit the model."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from chatkit.types import AssistantMessageItem, ThreadItem, UserMessageItem

from ...assistant.completion import Call, complete
from ...assistant.history import user_text
from ...assistant.models import Model
from ...assistant.room import measure
from ...assistant.supply import ModelSupply
from ...errors import ClewError
from ..problems import ModelError

MOST_ITEMS: Final = 400
"""The newest items that are read."""
ROUNDS: Final = 4
"""Requests to the model, each with a part of the conversation and the summary of what is before it."""
ROOM: Final = 24_000
"""What a request may hold where the model has no smaller room, in tokens."""
OF_PROMPT: Final = 300
LONGEST_LINE: Final = 4_000
"""Characters of one message."""
TOKENS: Final = 400
LONGEST: Final = 8_000
"""Characters of a summary."""
INSTRUCTIONS: Final = "You write short notes of conversations. You add nothing that was not said."
TASK: Final = (
    "Here is a conversation between a user and an assistant.\n\n{said}\n\nWrite notes of it for the assistant, who will go on "
    "without having seen it: what the user said about themselves, what they want, what was decided and what is open. Keep names, "
    "numbers and dates. Use few sentences, in the user's language, and nothing but the notes."
)
BEFORE: Final = "Notes of what was said before:\n{summary}\n\n"


def lines_of(items: Sequence[ThreadItem]) -> list[str]:
    """Return what was said, one line for each message, the oldest first."""
    lines = []
    for item in items:
        if isinstance(item, UserMessageItem):
            lines.append(f"User: {user_text(item)[:LONGEST_LINE]}")
        elif isinstance(item, AssistantMessageItem):
            text = "".join(part.text for part in item.content).strip()
            if text:
                lines.append(f"Assistant: {text[:LONGEST_LINE]}")
    return lines


def cut(lines: Sequence[str], room: int) -> list[list[str]]:
    """Return the newest lines in at most ROUNDS parts that each fit the room, the oldest part first."""
    parts: list[list[str]] = []
    left = 0
    for line in reversed(lines):
        while measure(line) > room:
            line = line[: len(line) * 3 // 4]
        if measure(line) > left:
            if len(parts) == ROUNDS:
                break
            parts.append([])
            left = room
        parts[-1].append(line)
        left -= measure(line)
    return [part[::-1] for part in reversed(parts)]


async def summarize(supply: ModelSupply, lines: Sequence[str], before: str | None) -> tuple[str, int]:
    """Return a summary, and how many of the lines are in it.

    Args:
        before: the summary that the conversation began with, None for none.

    Raises:
        ModelError: no model answered.
    """
    try:
        model = await supply.get()
        # A third is for the summary of what is before, and for the answer.
        room = max(100, ((model.room or ROOM) - OF_PROMPT) * 2 // 3)
        parts = cut(lines, room)
        summary = before
        for part in parts:
            summary = await _ask(model, part, None if summary is None else _clip(summary, room // 2))
    except ClewError as error:
        raise ModelError(f"no model wrote a summary: {error}") from error
    if not summary:
        raise ModelError(f"{model.name} wrote no summary: try again later")
    return summary[:LONGEST], sum(map(len, parts))


async def _ask(model: Model, part: Sequence[str], before: str | None) -> str:
    said = (BEFORE.format(summary=before) if before else "") + "\n".join(part)
    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": TASK.format(said=said)}]
    text = ""
    async with aclosing(complete(model, messages, {"max_tokens": TOKENS})) as pieces:
        async for piece in pieces:
            if not isinstance(piece, Call):
                text += piece
    return text.strip()


def _clip(text: str, room: int) -> str:
    while measure(text) > room:
        text = text[: len(text) * 3 // 4]
    return text
