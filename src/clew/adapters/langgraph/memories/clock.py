"""The store's clock, as a process knows it: from the answers it gets. It asks for no time of its own."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Final, TypeVar

from ....records import Commit, Snapshot

T = TypeVar("T", Snapshot, Commit)

DRIFT: Final = 0.001
"""How much worse what was learned becomes, in seconds for each second since."""


class StoreClock:
    """Tells the store's time between its answers, at worst wrong by half the quickest recent round trip.

    Attributes:
        is_known: whether an answer has come.
    """

    def __init__(self) -> None:
        self.is_known = False
        self._ahead = time.time() - time.monotonic()
        """What the store's clock shows more than this process's own, in seconds."""
        self._doubt = 0.0
        self._learned = 0.0
        self._last_us = 0

    async def ask(self, call: Awaitable[T]) -> T:
        """Await a call of the store, and learn from its answer."""
        sent = time.monotonic()
        answer = await call
        self._learn(answer.now_ms if isinstance(answer, Snapshot) else answer.committed_ms, sent, time.monotonic())
        return answer

    def now_ms(self) -> int:
        """Return the store's time in milliseconds since 1970."""
        return int((time.monotonic() + self._ahead) * 1000)

    def next_us(self) -> int:
        """Return the store's time in microseconds, and at each call another: what is written later sorts after."""
        self._last_us = max(self._last_us + 1, int((time.monotonic() + self._ahead) * 1_000_000))
        return self._last_us

    def _learn(self, said_ms: int, sent: float, came: float) -> None:
        if not said_ms:
            return
        # It was between these two moments that the clock showed this, and its milliseconds are cut off.
        ahead, doubt = (said_ms + 0.5) / 1000 - (sent + came) / 2, (came - sent) / 2 + 0.0005
        grown = self._doubt + (came - self._learned) * DRIFT
        # Where the two cannot both be right, the clock was set.
        if not self.is_known or doubt <= grown or abs(ahead - self._ahead) > doubt + grown:
            if self.is_known and ahead < self._ahead - doubt - grown:
                self._last_us = 0
            self._ahead, self._doubt, self._learned, self.is_known = ahead, doubt, came, True
