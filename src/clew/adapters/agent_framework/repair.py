"""Mend a history that a model would refuse: a tool result without its call, and a call that never got its result.

Only what is loaded is mended; the store keeps what it has. Calls that wait for an approval, and calls that the next input
answers, are left as they are.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from typing import Final

from agent_framework import Content, Message

LOST_RESULT: Final = "The run was interrupted, and the result of this call is not known: the tool may or may not have run."
"""What a call that was never answered gets as its result."""

_LINKED: Final = frozenset({"function_call", "function_result", "function_approval_request"})


def mend(history: Sequence[Message], coming: Sequence[Message] = ()) -> list[Message]:
    """Return `history` with every tool result after its call, and a result for every call that a later message left behind.

    Args:
        history: oldest first; not changed.
        coming: the input of this run, which may answer calls that stand open.
    """
    if not any(content.type in _LINKED for message in history for content in message.contents):
        return list(history)
    kept, lost = _match_calls(history, coming)
    mended: list[Message] = []
    waiting: list[Content] = []
    for message in kept:
        if waiting and message.role != "tool":
            mended.append(Message("tool", waiting))
            waiting = []
        mended.append(message)
        waiting.extend(
            Content.from_function_result(content.call_id, result=LOST_RESULT)
            for content in message.contents
            if id(content) in lost and content.call_id
        )
    if waiting:
        mended.append(Message("tool", waiting))
    return mended


def _match_calls(history: Sequence[Message], coming: Sequence[Message]) -> tuple[list[Message], set[int]]:
    """Return the history without orphaned results, and the calls (`id` of the content) that nothing answers."""
    # Some servers number their calls anew in every answer, so an id may be open, closed, and open again.
    open_calls: dict[str, list[Content]] = {}
    awaiting_approval: set[str] = set()
    kept: list[Message] = []
    for message in history:
        orphans: set[int] = set()
        for content in message.contents:
            if content.type == "function_call" and content.call_id and not content.informational_only:
                open_calls.setdefault(content.call_id, []).append(content)
            elif content.type == "function_approval_request" and content.function_call is not None:
                awaiting_approval.add(content.function_call.call_id or "")
            elif content.type == "function_result":
                calls = open_calls.get(content.call_id or "")
                if calls:
                    calls.pop(0)
                elif content.call_id not in awaiting_approval:
                    orphans.add(id(content))
        if not orphans:
            kept.append(message)
        elif len(orphans) < len(message.contents):
            partial = copy.copy(message)
            partial.contents = [content for content in message.contents if id(content) not in orphans]
            kept.append(partial)
    answered = Counter(content.call_id for message in coming for content in message.contents if content.type == "function_result")
    lost: set[int] = set()
    for call_id, calls in open_calls.items():
        unanswered = calls[: max(0, len(calls) - answered[call_id])]
        if call_id not in awaiting_approval:
            lost.update(id(content) for content in unanswered)
    return kept, lost
