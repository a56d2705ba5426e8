"""The store's own costs, in the order of the table they fill."""

from __future__ import annotations

from typing import Final

from ..topics import Topic
from . import append, listing, memory, page, sqlite, tail, turn

TOPICS: Final[tuple[Topic, ...]] = (
    append.TOPIC,
    tail.TOPIC,
    append.TASKS,
    page.TOPIC,
    listing.TOPIC,
    memory.TOPIC,
    sqlite.TOPIC,
    turn.TOPIC,
)
