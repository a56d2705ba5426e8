"""A real backend whose calls are counted, and whose answers get lost where a test says so."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from clew.backends.sqlite import SqliteBackend
from clew.errors import UnavailableError
from clew.records import Partition
from clew.runs import Retention, Run, RunEvent


class FaultyBackend(SqliteBackend):
    """A store in memory. Each list of faults is used up from its front, one for a call: "" for none."""

    calls: Counter[str]
    faults: dict[str, list[str | Exception]]
    gate: asyncio.Event | None = None
    """Where it is set, appends wait for it before they are sent."""

    def plan(self, verb: str, *faults: str | Exception) -> None:
        """Let the next calls of a verb fail: `before` it did anything, `after` it did (the answer is lost), or by an error."""
        self._plans().setdefault(verb, []).extend(faults)

    def count(self, verb: str) -> int:
        """Return how often a verb was called."""
        return self._counts()[verb]

    def _plans(self) -> dict[str, list[str | Exception]]:
        if not hasattr(self, "faults"):
            self.faults = {}
        return self.faults

    def _counts(self) -> Counter[str]:
        if not hasattr(self, "calls"):
            self.calls = Counter()
        return self.calls

    def _begin(self, verb: str) -> bool:
        """Count a call and fail it where that is planned; tell whether its answer is to be lost."""
        self._counts()[verb] += 1
        waiting = self._plans().get(verb, [])
        fault = waiting.pop(0) if waiting else ""
        if isinstance(fault, Exception):
            raise fault
        if fault == "before":
            raise UnavailableError("the store did not answer")
        return fault == "after"

    @staticmethod
    def _finish(is_lost: bool) -> None:
        if is_lost:
            raise UnavailableError("the store did not answer")

    async def start_run(
        self,
        partition: Partition,
        run: str,
        holder: str,
        *,
        lease_ms: int,
        takes_turn: bool,
        retention: Retention,
        data: bytes = b"",
    ) -> Run:
        is_lost = self._begin("start_run")
        made = await super().start_run(
            partition, run, holder, lease_ms=lease_ms, takes_turn=takes_turn, retention=retention, data=data
        )
        self._finish(is_lost)
        return made

    async def append_events(self, partition: Partition, run: Run, events: Sequence[RunEvent]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        is_lost = self._begin("append_events")
        await super().append_events(partition, run, events)
        self._finish(is_lost)

    async def end_run(self, partition: Partition, run: Run, end: RunEvent) -> Run:
        is_lost = self._begin("end_run")
        ended = await super().end_run(partition, run, end)
        self._finish(is_lost)
        return ended

    async def renew_run(self, partition: Partition, run: Run, *, lease_ms: int) -> Run:
        is_lost = self._begin("renew_run")
        renewed = await super().renew_run(partition, run, lease_ms=lease_ms)
        self._finish(is_lost)
        return renewed

    async def claim_run(self, partition: Partition, run: str, holder: str, *, lease_ms: int) -> Run:
        is_lost = self._begin("claim_run")
        claimed = await super().claim_run(partition, run, holder, lease_ms=lease_ms)
        self._finish(is_lost)
        return claimed

    async def interrupt_run(self, partition: Partition, run: str, data: bytes = b"") -> Run:
        is_lost = self._begin("interrupt_run")
        ended = await super().interrupt_run(partition, run, data)
        self._finish(is_lost)
        return ended

    async def await_stop(self, partition: Partition, run: Run) -> Run:
        is_lost = self._begin("await_stop")
        heard = await super().await_stop(partition, run)
        self._finish(is_lost)
        return heard
