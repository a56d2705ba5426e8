"""How long the oldest write has waited in a journal, by a clock that never jumps: to about a second, and a day at most."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from typing import Final

MOST_KEPT: Final = 86_400


class Ages:
    """When writes came, as far as that has to be remembered: the first one of each second in which one came."""

    def __init__(self) -> None:
        """What is in the journal already came now."""
        self._came: deque[tuple[int, float]] = deque([(0, time.monotonic())], MOST_KEPT)

    def note(self, seq: int, *, is_first: bool) -> None:
        """Take note of a write that came now; `is_first`: nothing waited before it."""
        now = time.monotonic()
        if is_first:
            self._came.clear()
        if not self._came or now >= self._came[-1][1] + 1:
            self._came.append((seq, now))

    def oldest_s(self, queues: Collection[Collection[int]]) -> float:
        """Return for how many seconds the oldest of the writes in these queues has waited; 0 where none does."""
        oldest = min((next(iter(queue)) for queue in queues if queue), default=None)
        if oldest is None:
            return 0.0
        now = time.monotonic()
        return now - max((at for seq, at in list(self._came) if seq <= oldest), default=now)
