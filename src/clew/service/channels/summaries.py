"""A summary of a conversation by the model: of any length of it, in a few requests that each fit the model.

A model that cannot be trusted, as the local one, is believed only what stands in the conversation; what the person said is quoted
beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from chatkit.types import AssistantMessageItem, ThreadItem, UserMessageItem

from ...assistant.completion import Call, complete
from ...assistant.grounding import Judge
from ...assistant.history import Message, user_text
from ...assistant.models import Model
from ...assistant.room import measure
from ...assistant.supply import ModelSupply
from ...errors import ClewError
from ..refusals import ModelError

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
SMALL_TASK: Final = "Summarize this conversation in two sentences. Keep the names:\n\n{said}"
"""For a small model. Of the wordings tried it was the one that made fewest things up."""
SMALL_TOKENS: Final = 80
USER: Final = "User: "
QUOTE: Final = "> "
QUOTED: Final = 1_200
"""Characters of what is quoted of a person."""
LONGEST_QUOTE: Final = 300
BEFORE: Final = "Notes of what was said before:\n{summary}\n\n"


def lines_of(items: Sequence[ThreadItem]) -> list[str]:
    """Return what was said, one line for each message, the oldest first."""
    lines = []
    for item in items:
        if isinstance(item, UserMessageItem):
            lines.append(f"{USER}{user_text(item)[:LONGEST_LINE]}")
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
        if not model.calls_tools:
            return await _quote(model, parts[-1], lines, before), len(parts[-1])
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
    return await _complete(model, messages, TOKENS)


async def _quote(model: Model, part: Sequence[str], lines: Sequence[str], before: str | None) -> str:
    """Return what a small model says of the newest part, as far as it stands there, and the person's own words."""
    said = "\n".join(part)
    judge = Judge("", said)
    told = await _complete(model, [{"role": "user", "content": SMALL_TASK.format(said=said)}], SMALL_TOKENS)
    kept = "".join([*judge.take(told), *judge.rest()]).strip()
    quotes = [line for line in (before or "").splitlines() if line.startswith(QUOTE)]
    quotes += [f"{QUOTE}{' '.join(line.removeprefix(USER).split())[:LONGEST_QUOTE]}" for line in lines if line.startswith(USER)]
    left = QUOTED
    shown: list[str] = []
    for quote in reversed(quotes):
        left -= len(quote)
        if left < 0 and shown:
            break
        shown.append(quote)
    return "\n\n".join(part for part in (kept, "\n".join(reversed(shown))) if part)


async def _complete(model: Model, messages: Sequence[Message], tokens: int) -> str:
    text = ""
    async with aclosing(complete(model, messages, {"max_tokens": tokens})) as pieces:
        async for piece in pieces:
            if not isinstance(piece, Call):
                text += piece
    return text.strip()


def _clip(text: str, room: int) -> str:
    while measure(text) > room:
        text = text[: len(text) * 3 // 4]
    return text
