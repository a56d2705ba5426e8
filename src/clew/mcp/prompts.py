"""Prompts that bring an earlier conversation back: its newest messages, and the request to go on from there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Final

from mcp import types

from ..errors import InvalidError, NotFoundError
from ..model import Thread
from . import conversations
from .desk import Desk

MOST_THREADS: Final = 1_000
"""How far back the day before is looked for."""
RESUME: Final = "resume_conversation"
YESTERDAY: Final = "resume_yesterday"

PROMPTS: Final = [
    types.Prompt(
        name=RESUME,
        title="Resume a conversation",
        description="Go on with an earlier conversation: the one that is named, or the one written to last.",
        arguments=[
            types.PromptArgument(name="conversation", description="Its id, as list_conversations shows it.", required=False)
        ],
    ),
    types.Prompt(
        name=YESTERDAY,
        title="Resume yesterday's conversation",
        description="Go on with the newest conversation that was last written to before today.",
        arguments=[],
    ),
]


async def get_prompt(desk: Desk, name: str, given: Mapping[str, str], zone: tzinfo | None) -> types.GetPromptResult:
    """Return a prompt.

    Args:
        zone: where the day begins; the machine's own for None.

    Raises:
        InvalidError: there is no such prompt, or no such argument of it.
        NotFoundError: there is no such conversation.
    """
    known = {prompt.name: {each.name for each in prompt.arguments or ()} for prompt in PROMPTS}
    if name not in known:
        raise InvalidError(f"there is no prompt of this name: use {RESUME} or {YESTERDAY}")
    if not given.keys() <= known[name]:
        raise InvalidError(f"{name} takes no such argument")
    chosen = given.get("conversation") or None
    if name == YESTERDAY:
        chosen = (await before_today(desk, datetime.now(zone).astimezone(zone))).id
    found = await conversations.resume(desk, conversations.Resume(chosen))
    lines = [f"{each.author or each.kind}: {each.text}{' …' if each.cut else ''}" for each in found.messages]
    title = f" “{found.conversation.title}”" if found.conversation.title else ""
    older = "There are older messages: read_conversation has them.\n" if found.has_older else ""
    text = (
        f"Let us go on with our conversation{title} (id {found.conversation.id}, last written to at "
        f"{found.conversation.updated_at}). {older}Append what we say from now on to it with append_to_conversation. "
        "What was said last, the oldest first:\n\n" + ("\n\n".join(lines) or "(nothing yet)")
    )
    message = types.PromptMessage(role="user", content=types.TextContent(text=text))
    return types.GetPromptResult(description=f"The conversation{title} so far.", messages=[message])


async def before_today(desk: Desk, now: datetime) -> Thread:
    """Return the newest conversation that was last written to before the day of `now`; NotFoundError where there is none."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    cursor: str | None = None
    for _ in range(MOST_THREADS // 100):
        page = await desk.store.threads.list(desk.owner, limit=100, cursor=cursor)
        found = next((each for each in page if each.updated_at < midnight), None)
        if found is not None:
            return found
        if not page.has_more:
            break
        cursor = page.cursor
    raise NotFoundError("there is no conversation from before today")
