"""What was said before a conversation moved to a new thread: a summary in the thread's metadata, which no length of it hides.

Whoever makes such a thread writes the summary there; the agent shows it to the model with each turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chatkit.types import ThreadItem, ThreadMetadata

SUMMARY: Final = "summary"
"""The field of a thread's metadata that has the summary."""
SUMMARY_ITEM: Final = "summary_item"
"""The field that has the id of the message which shows it to people: the agent need not see it twice."""
TOLD: Final = "\n\nThis was said earlier in this conversation:\n{summary}"


def summary_of(thread: ThreadMetadata) -> str | None:
    """Return what was said before the thread began, None where it is no continuation."""
    found = thread.metadata.get(SUMMARY)
    return found if isinstance(found, str) and found.strip() else None


def instruct(instructions: str, summary: str | None) -> str:
    """Return the instructions for a model, with what was said before."""
    return instructions if summary is None else instructions + TOLD.format(summary=summary)


def without_summary(items: Sequence[ThreadItem], metadata: Mapping[str, Any]) -> list[ThreadItem]:
    """Return the items but for the message that shows the summary."""
    shown = metadata.get(SUMMARY_ITEM)
    return [item for item in items if item.id != shown]
