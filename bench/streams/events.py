"""The events that are timed on their way: how many, how large, and when each was made."""

from __future__ import annotations

import time
from typing import Final

RATE: Final = 2_000
"""Events a second, over all runs."""
RUNS: Final = 500
OWNER: Final = "bench"
PAD: Final = b"." * 108
"""With the time before it, an event of 128 bytes."""


def make_event() -> bytes:
    """Return an event that says when it was made: nanoseconds of the machine's monotonic clock, which processes share."""
    return b"%020d" % time.monotonic_ns() + PAD


def read_delay(event: bytes) -> float:
    """Return how many seconds ago an event was made."""
    return (time.monotonic_ns() - int(event[:20])) / 1e9
