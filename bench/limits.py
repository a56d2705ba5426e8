"""What every row must reach, in one place. A row's limit is that of the longest name it starts with; a row may have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound: at most `value`, or at least where `at_least`, in `unit`."""

    value: float
    unit: str = "x"
    at_least: bool = False

    def holds(self, value: float) -> bool:
        """Tell whether a measured value keeps it."""
        return value >= self.value if self.at_least else value <= self.value

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.value:g} {self.unit}"


LIMITS: Final = {
    "append-1": Limit(1.4),
    "append-10": Limit(1.5),
    "tail-200": Limit(1.4),
    "append-100-tasks": Limit(4, "x throughput", at_least=True),
    "page-20-of-100k": Limit(1.5),
    "threads-20-of-100k": Limit(1.5),
    "memory-per-item": Limit(100, "bytes"),
    "sqlite-append-1": Limit(2),
    "sqlite-append-100-tasks": Limit(3, "x throughput", at_least=True),
    "agent-framework-turn/round-trips": Limit(2, "trips"),
    "agent-framework-turn/time": Limit(0.5),
    "chatkit-round-trips": Limit(1, "trips"),
    "chatkit-page-20": Limit(1.5),
    "chatkit-threads-20-of-100k": Limit(1.5),
    "streams-append": Limit(1.6),
    "streams-p99": Limit(2),
    "streams-connections": Limit(4, "connections"),
    "session-post/latency": Limit(1.6),
    "session-post/throughput": Limit(0.7, "x throughput", at_least=True),
    "get-or-create/round-trips": Limit(1, "trips"),
    "get-or-create/time": Limit(1.3),
    "first-messages-race": Limit(1, "sessions"),
    "session-save-load": Limit(1.4),
    "session-save-load/round-trips": Limit(1, "trips"),
    "session-save-load/p99": Limit(50, "ms"),
    "history-append": Limit(1.3),
    "mcp-tool-call": Limit(1.5),
    "event-store-append": Limit(3, "x throughput", at_least=True),
    "event-store-append/lost": Limit(0, "events"),
    "conformance": Limit(0, "failed"),
    "round-trips": Limit(1, "trips"),
    "bytes-per-put": Limit(2_000, "bytes"),
    "memory-200-steps": Limit(1.3, "MB"),
    "put/20": Limit(1.3),
    "put/200": Limit(1.2),
    "get/20": Limit(1.3),
    "get/200": Limit(1.2),
    "against-peers": Limit(1),
    "delta-history": Limit(1, "trips"),
    "import-rate": Limit(1.5),
    "journal-overhead": Limit(1.05),
    "journal-accept": Limit(1.3),
    "journal-replay": Limit(1.3),
    "encryption-overhead": Limit(1.2),
    "compression-memory": Limit(0.6),
    "throughput-16": Limit(1.5, "x throughput", at_least=True),
}


def find_limit(name: str) -> Limit | None:
    """Return the limit of a row, None for a name that has none."""
    parts = name.split("/")
    for count in range(len(parts), 0, -1):
        limit = LIMITS.get("/".join(parts[:count]))
        if limit is not None:
            return limit
    return None
