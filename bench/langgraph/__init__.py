"""The costs of LangGraph on clew, in the order of the table they fill."""

from __future__ import annotations

from typing import Final

from ..topics import Topic
from . import conformance, history, memory, times, together, traffic

TOPICS: Final[tuple[Topic, ...]] = (
    conformance.TOPIC,
    traffic.TOPIC,
    memory.TOPIC,
    times.TOPIC,
    history.TOPIC,
    together.TOPIC,
)
