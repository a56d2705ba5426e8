"""Traffic on runs, and its verdict: producers that are replaced, zombies that write on, readers that leave and come back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

from clew.backend import Backend, Running
from clew.codec import make_entry
from clew.errors import FencedError, NotReplicatedError, UnavailableError
from clew.ids import new_id
from clew.records import Append, Partition
from clew.runs import EventId, Retention, Run, RunEvent, new_run_id
from tests.support import fresh_partition, wait_until

from .ledger import VERDICTS

T = TypeVar("T")


class RunningBackend(Backend, Running, Protocol):
    """A backend with runs."""


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Return what `call()` returns, asking again while the store is away."""
    while True:
        try:
            return await call()
        except (UnavailableError, NotReplicatedError):
            await asyncio.sleep(0.02)


@dataclass
class Reader:
    """One reader's own copy of a run's log."""

    seen: list[RunEvent] = field(default_factory=list)
    returns: int = 0
    """How often it left, or was told that the store is away, and came back by its last id."""


@dataclass
class Story:
    """One run, with its producers and readers."""

    partition: Partition
    run: Run
    rng: random.Random
    readers: list[Reader] = field(default_factory=list)
    written: list[RunEvent] = field(default_factory=list)
    """What the producers were told is stored, their own events only."""


@dataclass
class Traffic:
    """Many runs at once.

    Args:
        writer: where the producers write.
        readers: where the readers read, in turn: each stands for a process of its own.
        runs, events, watchers: how many runs, events of each, and readers of each.
        forgets: whether the store may lose what it has not acknowledged yet, as where a replica takes over. Then a takeover
            counts from its acknowledgement, and else from when anybody can read of it.
    """

    writer: RunningBackend
    readers: list[RunningBackend]
    runs: int
    events: int
    watchers: int
    seed: int = 0
    forgets: bool = False
    deliveries: int = 0
    appended: int = 0
    takeovers: int = 0
    repeats: int = 0
    refused: int = 0
    accepted: int = 0
    """Writes by zombies, refused and accepted."""
    stories: list[Story] = field(default_factory=list)

    async def go(self, trouble: Callable[[Traffic], Awaitable[object]]) -> None:
        """Let it all happen while `trouble` does, which is called off when the last reader has seen its end."""
        for number in range(self.runs):
            partition = fresh_partition()
            await insist(lambda at=partition: self.writer.commit(at, [Append("items", make_entry(new_id(), b"{}"))]))  # type: ignore[misc]
            self.stories.append(await self._begin(partition, random.Random(self.seed * 1000 + number)))
        async with asyncio.TaskGroup() as everything:
            # In a group: what fails there ends the traffic, which would insist for ever on a store that stays away.
            shaking = everything.create_task(cast(Any, trouble(self)))
            async with asyncio.TaskGroup() as group:
                for story in self.stories:
                    group.create_task(self._produce(story))
                    for number in range(self.watchers):
                        story.readers.append(Reader())
                        backend = self.readers[number % len(self.readers)]
                        group.create_task(self._read(story, story.readers[-1], backend, random.Random(f"{self.seed}{number}")))
            shaking.cancel()

    async def grow(self, more: int, timeout: float = 60) -> None:  # noqa: ASYNC109
        """Wait until so many more events are delivered."""
        enough = self.deliveries + more
        await wait_until(lambda: self.deliveries >= enough, timeout)

    async def verify(self) -> None:
        """Compare every reader's copy with the log, and the log with what the producers were told."""
        wrong = lost = endless = 0
        for story in self.stories:
            log = await _read_all(self.writer, story)
            lost += sum(event not in log for event in story.written)
            for before, event in zip([None, *log], log, strict=False):
                assert event.before == (before.at if before else EventId(0, 0)), "the log has a gap"
            for reader in story.readers:
                wrong += reader.seen != log
                endless += not (reader.seen and reader.seen[-1].is_end)
        returns = sum(reader.returns for story in self.stories for reader in story.readers)
        verdict = (
            f"runs: appended {self.appended}, delivered {self.deliveries} to {self.runs * self.watchers} readers that came back "
            f"{returns} times, takeovers {self.takeovers}, repeated appends {self.repeats}, writes of zombies refused "
            f"{self.refused}, accepted {self.accepted}, lost {lost}, readers that differ {wrong}, without an end {endless}"
        )
        print(verdict)
        VERDICTS.append(verdict)
        assert (wrong, lost, endless, self.accepted) == (0, 0, 0, 0), verdict

    async def _begin(self, partition: Partition, rng: random.Random) -> Story:
        run, holder = new_run_id(), new_id()
        # A lease that is over at once: whoever wants to may take over, and nothing but the epoch keeps a producer out.
        started = await insist(
            lambda: self.writer.start_run(partition, run, holder, lease_ms=1, takes_turn=True, retention=Retention())
        )
        return Story(partition, started, rng)

    async def _produce(self, story: Story) -> None:
        rng, run, seq = story.rng, story.run, 1
        async with asyncio.TaskGroup() as zombies:
            for _ in range(self.events):
                event = RunEvent(EventId(run.epoch, seq), "event", f"{run.epoch}.{seq} {rng.random()}".encode())
                await self._append(story, run, event)
                story.written.append(event)
                self.appended += 1
                seq += 1
                if rng.random() < 0.03:
                    self.repeats += 1
                    await self._append(story, run, rng.choice(story.written[-3:]))
                if rng.random() < 0.02:
                    is_replaced = asyncio.Event()
                    zombies.create_task(self._write_on(story, run, seq, is_replaced))
                    run, seq = await self._take_over(story), 1
                    is_replaced.set()
                await asyncio.sleep(rng.random() * 0.01)
        end = RunEvent(EventId(run.epoch, seq), "done", b"the end")
        await insist(lambda: self.writer.end_run(story.partition, run, end))

    async def _append(self, story: Story, run: Run, event: RunEvent) -> None:
        # An event of an older producer is repeated under its own epoch.
        owner = run if event.at.epoch == run.epoch else _of_epoch(run, event.at.epoch)
        await insist(lambda: self.writer.append_events(story.partition, owner, [event]))

    async def _take_over(self, story: Story) -> Run:
        holder = new_id()
        self.takeovers += 1
        return await insist(lambda: self.writer.claim_run(story.partition, story.run.id, holder, lease_ms=1))

    async def _write_on(self, story: Story, run: Run, seq: int, is_replaced: asyncio.Event) -> None:
        """Write as a producer does that has been replaced and does not know it."""
        if self.forgets:
            await is_replaced.wait()
        while True:
            found = await insist(lambda: self.writer.find_run(story.partition, story.run.id))
            if found.epoch > run.epoch:
                break
            await asyncio.sleep(0.001)
        for number in range(3):
            event = RunEvent(EventId(run.epoch, seq + number), "event", b"of a zombie")
            try:
                await insist(lambda at=event: self.writer.append_events(story.partition, run, [at]))  # type: ignore[misc]
                self.accepted += 1
            except FencedError:
                self.refused += 1

    async def _read(self, story: Story, reader: Reader, backend: RunningBackend, rng: random.Random) -> None:
        await asyncio.sleep(rng.random() * 0.3)
        while True:
            cursor = reader.seen[-1].at if reader.seen else None
            stay = rng.randrange(1, 80)
            try:
                events = cast(Any, backend.follow_events(story.partition, story.run.id, after=cursor))
                async with aclosing(events):
                    async for event in events:
                        reader.seen.append(event)
                        self.deliveries += 1
                        if event.is_end:
                            return
                        stay -= 1
                        if not stay:
                            break
            except UnavailableError:
                await asyncio.sleep(0.02)
            reader.returns += 1


def _of_epoch(run: Run, epoch: int) -> Run:
    return Run(run.id, run.number, run.state, epoch, run.holder, run.lease_left_ms, run.takes_turn, run.created_ms, run.retention)


async def _read_all(backend: RunningBackend, story: Story) -> list[RunEvent]:
    found: list[RunEvent] = []
    while True:
        after = found[-1].at if found else None
        page = await insist(lambda at=after: backend.read_events(story.partition, story.run.id, after=at, limit=1000))  # type: ignore[misc]
        found += page.events
        if not page.has_more:
            return found
