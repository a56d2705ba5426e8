"""Whether a store is there. While it is known to be away calls fail at once, and it is tried until it is back.

Shared by what must go on without its store: it asks the gate before each call, and tells it of each UnavailableError.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from ..errors import ClewError, ClosedError, UnavailableError

FIRST_S: Final = 0.1
MOST_S: Final = 2.0
"""The pauses between two tries: from the first to the longest, doubled each time, and jittered."""
SURE_S: Final = 1.0
"""How long a store is waited for that is suspected to be away."""


class Gate:
    """Open while the store answers.

    Each turn is one line in the log `clew.<who>`, a warning `<who>_away` or the information `<who>_back` (`event`).

    Args:
        probe: tries the store once, and raises where nothing of it answers.
        place: the store, credentials masked.
        who: whose store it is, in one word, as `routing`.
    """

    def __init__(self, probe: Callable[[], Awaitable[None]], place: str, who: str) -> None:
        self._probe = probe
        self._place = place
        self._who = who
        self._logger = logging.getLogger(f"clew.{who}")
        self._away: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None

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
            self._tell(logging.WARNING, "away", self._away)
        self._watch()

    def note(self, error: UnavailableError, *, in_part: bool) -> None:
        """A call found the store away: `suspect` it where that may be of a part alone (`Store.fails_in_part`), else `shut`."""
        if in_part:
            self.suspect(error)
        else:
            self.shut(error)

    def suspect(self, error: UnavailableError) -> None:
        """A call found the store away, or a part of it, which others do not need: `shut` it if it does not answer in SURE_S."""
        if self._away is None and _is_over(self._asking):
            self._asking = asyncio.create_task(self._make_sure(error), name=f"clew-{self._who}-suspicion")

    def open(self) -> None:
        """The store answered."""
        if self._away is not None:
            self._away = None
            self._tell(logging.INFO, "back", self._place)

    def _tell(self, level: int, turn: str, detail: str) -> None:
        extra = {"event": f"{self._who}_{turn}", "store": self._place}
        self._logger.log(level, "%s store %s: %s", self._who, turn, detail, extra=extra)

    async def aclose(self) -> None:
        """Try no more."""
        tasks = [task for task in (self._asking, self._task) if not _is_over(task) and task is not None]
        self._asking = self._task = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make_sure(self, error: UnavailableError) -> None:
        try:
            async with asyncio.timeout(SURE_S):
                await self._probe()
        except (UnavailableError, TimeoutError):
            self.shut(error)
        except ClewError:
            # It answered, or was closed for good.
            return

    def _watch(self) -> None:
        if _is_over(self._task):
            self._task = asyncio.create_task(self._try_until_back(), name=f"clew-{self._who}-probe")

    async def _try_until_back(self) -> None:
        pause = FIRST_S
        while not self.is_open:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, MOST_S)
            try:
                await self._probe()
            except ClosedError:
                # It was closed for good.
                return
            except ClewError as error:
                # Whatever it is, whoever calls is told of it.
                self._away = str(error)
            else:
                self.open()


def _is_over(task: asyncio.Task[None] | None) -> bool:
    return task is None or task.done() or task.get_loop() is not asyncio.get_running_loop()
