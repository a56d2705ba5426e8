"""Keeping a producer's lease, and hearing that it is to stop: by a message at once, by the next renewal at the latest."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Literal, TypeAlias

from ...backend import Running
from ...errors import ClewError, ClosedError, FencedError, NotFoundError
from ...records import Partition
from ...runs import Run

log = logging.getLogger("clew.runs")
StopReason: TypeAlias = Literal["cancelled", "fenced", "gone"]
RENEWALS: Final = 3
"""In the time of a lease, so that two of them may fail."""


class Tending:
    """Two tasks, from the making of it until `aclose`: one renews the lease, the other waits for a reason to stop."""

    def __init__(self, running: Running, partition: Partition, run: Run, lease_ms: int) -> None:
        self._running = running
        self._partition = partition
        self._run = run
        self._lease_ms = lease_ms
        self.reason: StopReason | None = None
        """The first reason to stop that was heard of."""
        self._told = asyncio.Event()
        self._note(run)
        self._tasks = [asyncio.create_task(self._renew()), asyncio.create_task(self._hear())]

    async def wait(self) -> StopReason:
        """Return the reason to stop, when there is one."""
        await self._told.wait()
        assert self.reason is not None, "it is set before the event"
        return self.reason

    def stop(self, reason: StopReason) -> None:
        """There is a reason to stop. The first one stays, but that a producer which lost its run has no run to cancel."""
        if self.reason in (None, "cancelled"):
            self.reason = reason
        self._told.set()

    async def aclose(self) -> None:
        """Renew the lease no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _note(self, run: Run) -> None:
        if run.epoch != self._run.epoch or not run.is_open:
            self.stop("fenced")
        elif run.cancel_ms is not None:
            self.stop("cancelled")

    async def _renew(self) -> None:
        while self.reason in (None, "cancelled"):
            await asyncio.sleep(self._lease_ms / 1000 / RENEWALS)
            try:
                self._note(await self._running.renew_run(self._partition, self._run, lease_ms=self._lease_ms))
            except FencedError:
                self.stop("fenced")
            except NotFoundError:
                self.stop("gone")
            except ClosedError:
                return
            except ClewError as error:
                log.warning("the lease of a run could not be renewed: %s", error)

    async def _hear(self) -> None:
        while self.reason is None:
            try:
                self._note(await self._running.await_stop(self._partition, self._run))
            except NotFoundError:
                self.stop("gone")
            except ClosedError:
                return
            except ClewError as error:
                # The next renewal tells it too.
                log.info("a run's stop cannot be waited for just now: %s", error)
                await asyncio.sleep(self._lease_ms / 1000 / RENEWALS)
