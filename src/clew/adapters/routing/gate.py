"""Whether the store is there. While it is known to be away calls fail at once, and it is tried until it is back."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from ...errors import ClewError, UnavailableError

logger = logging.getLogger("clew.routing")

FIRST_S: Final = 0.1
MOST_S: Final = 2.0
"""The pauses between two tries: from the first to the longest, doubled each time, and jittered."""


class Gate:
    """Open while the store answers.

    Args:
        probe: tries the store once, and raises where it does not answer.
        place: the store, credentials masked.
    """

    def __init__(self, probe: Callable[[], Awaitable[None]], place: str) -> None:
        self._probe = probe
        self._place = place
        self._away: str | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are let through."""
        return self._away is None

    def check(self) -> None:
        """Raise UnavailableError while the store is away."""
        if self._away is not None:
            self._watch()
            raise UnavailableError(f"{self._place} is away, and is tried again in the background ({self._away})")

    def shut(self, error: UnavailableError) -> None:
        """The store did not answer: let nothing through until it does."""
        if self._away is None:
            self._away = str(error)
            # One line for each time that it goes, and not one for each call.
            logger.warning("routing store away: %s", self._away, extra={"event": "routing_away", "store": self._place})
        self._watch()

    def open(self) -> None:
        """The store answered."""
        if self._away is not None:
            self._away = None
            logger.info("routing store back: %s", self._place, extra={"event": "routing_back", "store": self._place})

    async def aclose(self) -> None:
        """Try no more."""
        task, self._task = self._task, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _watch(self) -> None:
        if self._task is None or self._task.done() or self._task.get_loop() is not asyncio.get_running_loop():
            self._task = asyncio.create_task(self._try_until_back(), name="clew-routing-probe")

    async def _try_until_back(self) -> None:
        pause = FIRST_S
        while not self.is_open:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, MOST_S)
            try:
                await self._probe()
            except ClewError as error:
                # Whatever it is, whoever calls is told of it.
                self._away = str(error)
            else:
                self.open()
