"""A look at each run that is followed here, when its producer's lease would run out: once a run, not once a reader.

It marks a run whose producer died as `interrupted`, so that no reader waits for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Iterator
from typing import Final, TypeAlias

from ...backend import Running
from ...errors import ClewError, ClosedError, NotFoundError
from ...records import Partition
from ...runs import Run

log = logging.getLogger("clew.runs")
LONGEST_DELAY_S: Final = 0.5
"""At random, up to this much later than the lease: so many processes, and many runs, do not look at one moment."""
AWAY_S: Final = 1.0

_Key: TypeAlias = tuple[asyncio.AbstractEventLoop, Partition, str]


class _Look:
    __slots__ = ("readers", "task")

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task
        self.readers = 0


class Looks:
    """The looks of one store."""

    def __init__(self) -> None:
        self._open: dict[_Key, _Look] = {}

    @contextlib.contextmanager
    def keep(self, running: Running, partition: Partition, run: Run) -> Iterator[None]:
        """See to it that this run is looked at for as long as the block lasts."""
        key = (asyncio.get_running_loop(), partition, run.id)
        look = self._open.get(key)
        if look is None:
            look = self._open[key] = _Look(asyncio.create_task(_look(running, partition, run)))
        look.readers += 1
        try:
            yield
        finally:
            look.readers -= 1
            if not look.readers:
                del self._open[key]
                look.task.cancel()


async def _look(running: Running, partition: Partition, run: Run) -> None:
    """Look until the run has ended, or is gone."""
    while run.is_open:
        await asyncio.sleep(max(run.lease_left_ms / 1000, 0.0) + random.uniform(0.0, LONGEST_DELAY_S))
        try:
            # It does nothing where the lease stands, or somebody else was first.
            run = await running.interrupt_run(partition, run.id)
        except (NotFoundError, ClosedError):
            # Whoever follows is told by the store.
            return
        except ClewError as error:
            log.warning("a run could not be looked at: %s", error)
            await asyncio.sleep(AWAY_S)
