"""Any sequence of calls on runs does what a model of a few lines says: what is stored, who is fenced, who has the turn."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from clew.backends.sqlite import SqliteBackend
from clew.backends.sqlite.address import parse_address
from clew.errors import ConflictError, FencedError, NotFoundError, UnknownCursorError
from clew.records import Partition
from clew.runs import NOWHERE, EventId, Retention, Run, RunEvent
from clew.testing import FixedClock

THREAD = Partition("owner", "thread")
LEASE_MS = 10_000
KEEP = Retention(open_ms=50_000, ended_ms=20_000, record_ms=30_000)


@dataclass
class Model:
    """What one run is to hold, by the store's clock in milliseconds."""

    takes_turn: bool
    leased_ms: int
    log_ms: int
    record_ms: int
    state: str = "open"
    epoch: int = 1
    events: list[RunEvent] = field(default_factory=lambda: [RunEvent(EventId(1, 0), "start", b"", NOWHERE)])
    producers: list[Run] = field(default_factory=list)
    """Its records as each producer got them, the newest last."""

    @property
    def top(self) -> EventId:
        return self.events[-1].at

    def end(self, event: RunEvent, now_ms: int) -> None:
        """End it now."""
        self.events.append(event)
        self.state, self.epoch, self.leased_ms = event.kind, event.at.epoch, 0
        self.log_ms = now_ms + KEEP.ended_ms if self.log_ms > now_ms else 0
        self.record_ms = now_ms + KEEP.ended_ms + KEEP.record_ms

    def keep(self, now_ms: int) -> None:
        """Keep it as an open run is kept."""
        self.log_ms = now_ms + KEEP.open_ms if self.log_ms > now_ms else 0
        self.record_ms = now_ms + KEEP.open_ms + KEEP.record_ms

    def visible(self, now_ms: int) -> list[RunEvent]:
        """Return what a reader gets."""
        return self.events if self.log_ms > now_ms else self.events[-1:] if self.state != "open" else []


class Player:
    """Makes calls by chance on the store, and the same on the models."""

    def __init__(self, backend: SqliteBackend, clock: FixedClock, chance: random.Random) -> None:
        self.backend, self.clock, self.chance = backend, clock, chance
        self.runs: dict[str, Model] = {}
        self.made = 0

    @property
    def now_ms(self) -> int:
        return self.clock() // 1000

    def forget(self) -> None:
        """Let go of what is not found any more."""
        self.runs = {name: model for name, model in self.runs.items() if model.record_ms > self.now_ms}

    async def play(self) -> None:
        """Make one call, and compare."""
        verb = self.chance.choices(
            [self.start, self.append, self.repeat, self.end, self.renew, self.claim, self.interrupt, self.wait, self.read],
            [2, 10, 4, 1, 3, 2, 1, 3, 4],
        )[0]
        self.forget()
        if verb in (self.start, self.wait) or self.runs:
            await verb()

    def some(self) -> tuple[str, Model]:
        """Return one of the runs."""
        return self.chance.choice(list(self.runs.items()))

    def producer(self, model: Model) -> Run:
        """Return one of its producers, as a rule the newest."""
        return model.producers[-1] if self.chance.random() < 0.7 else self.chance.choice(model.producers)

    async def start(self) -> None:
        self.made += 1
        name, takes_turn = f"run{self.made}", self.chance.random() < 0.5
        in_the_way = [name for name, model in self.runs.items() if model.takes_turn and model.state == "open"]
        call = self.backend.start_run(THREAD, name, f"holder of {name}", lease_ms=LEASE_MS, takes_turn=takes_turn, retention=KEEP)
        if takes_turn and in_the_way:
            with pytest.raises(ConflictError) as caught:
                await call
            assert caught.value.actual in in_the_way
            return
        model = self.runs[name] = Model(takes_turn, self.now_ms + LEASE_MS, self.now_ms + KEEP.open_ms, 0)
        model.keep(self.now_ms)
        model.producers.append(await call)

    async def append(self) -> None:
        _, model = self.some()
        run = self.producer(model)
        own = [event.at.seq for event in model.events if event.at.epoch == run.epoch]
        first = max(own) + 1
        made = [
            RunEvent(EventId(run.epoch, first + n), "event", b"%d" % self.chance.randrange(10**9))
            for n in range(self.chance.randint(1, 4))
        ]
        call = self.backend.append_events(THREAD, run, made)
        if model.state != "open" or run.epoch != model.epoch:
            with pytest.raises(FencedError):
                await call
        elif model.log_ms <= self.now_ms:
            with pytest.raises(NotFoundError):
                await call
        else:
            await call
            model.events += made
            model.log_ms = self.now_ms + KEEP.open_ms

    async def repeat(self) -> None:
        _, model = self.some()
        run = self.producer(model)
        own = [event for event in model.events if event.at.epoch == run.epoch and event.kind == "event"]
        if not own:
            return
        at = self.chance.randrange(len(own))
        made = own[at : at + self.chance.randint(1, 3)]
        is_same = self.chance.random() < 0.6
        if not is_same:
            made[-1] = RunEvent(made[-1].at, "event", b"another")
        call = self.backend.append_events(THREAD, run, made)
        if is_same and model.log_ms > self.now_ms:
            await call
        else:
            with pytest.raises(FencedError):
                await call

    async def end(self) -> None:
        _, model = self.some()
        run = self.producer(model)
        last = max(event.at.seq for event in model.events if event.at.epoch == run.epoch)
        is_repeated = model.state != "open" and model.top.epoch == run.epoch and self.chance.random() < 0.5
        event = model.events[-1] if is_repeated else RunEvent(EventId(run.epoch, last + 1), "done", b"x")
        call = self.backend.end_run(THREAD, run, event) if event.at.seq else None
        if call is None:
            return
        if is_repeated or (model.state == "open" and run.epoch == model.epoch):
            assert (await call).end == event
            if not is_repeated:
                model.end(event, self.now_ms)
        else:
            with pytest.raises(FencedError):
                await call

    async def renew(self) -> None:
        _, model = self.some()
        run = self.producer(model)
        call = self.backend.renew_run(THREAD, run, lease_ms=LEASE_MS)
        if model.state == "open" and run.epoch == model.epoch:
            assert (await call).lease_left_ms == LEASE_MS
            model.leased_ms = self.now_ms + LEASE_MS
            model.keep(self.now_ms)
        else:
            with pytest.raises(FencedError):
                await call

    async def claim(self) -> None:
        name, model = self.some()
        call = self.backend.claim_run(THREAD, name, f"successor {model.epoch} of {name}", lease_ms=LEASE_MS)
        if model.state != "open" or model.leased_ms > self.now_ms:
            with pytest.raises(ConflictError):
                await call
        elif model.log_ms <= self.now_ms:
            with pytest.raises(NotFoundError):
                await call
        else:
            model.producers.append(await call)
            model.epoch += 1
            model.events.append(RunEvent(EventId(model.epoch, 0), "takeover", b"", model.top))
            model.leased_ms = self.now_ms + LEASE_MS
            model.keep(self.now_ms)

    async def interrupt(self) -> None:
        name, model = self.some()
        found = await self.backend.interrupt_run(THREAD, name, b"why")
        if model.state == "open" and model.leased_ms <= self.now_ms:
            model.end(RunEvent(EventId(model.epoch + 1, 0), "interrupted", b"why", model.top), self.now_ms)
        assert (found.state, found.epoch) == (model.state, model.epoch)

    async def wait(self) -> None:
        self.clock.advance(self.chance.choice([0.001, 1, 5, 11, 25]))

    async def read(self) -> None:
        name, model = self.some()
        found = await self.backend.find_run(THREAD, name)
        assert (found.state, found.epoch, found.is_stale) == (
            model.state,
            model.epoch,
            model.state == "open" and model.leased_ms <= self.now_ms,
        )
        after = self.chance.choice([NOWHERE, *(event.at for event in model.events)])
        page = await self.backend.read_events(THREAD, name, after=after, limit=1000)
        assert list(page.events) == [event for event in model.visible(self.now_ms) if event.at > after]
        if model.log_ms > self.now_ms or model.state != "open":
            with pytest.raises(UnknownCursorError):
                await self.backend.read_events(THREAD, name, after=EventId(model.top.epoch, model.top.seq + 1))
        listed = [run.id for run in await self.backend.list_runs(THREAD, limit=1000)]
        assert listed == list(self.runs)[::-1]


@pytest.fixture
async def backend(clock: FixedClock) -> AsyncIterator[SqliteBackend]:
    """A store in memory whose time is the test's."""
    opened = SqliteBackend(parse_address("memory://"), clock=clock)
    await opened.open()
    yield opened
    await opened.aclose()


@pytest.fixture
def clock() -> FixedClock:
    """The time of `backend`."""
    return FixedClock()


@pytest.mark.parametrize("seed", range(20))
async def test_a_sequence_of_calls_does_what_the_model_says(backend: SqliteBackend, clock: FixedClock, seed: int) -> None:
    await backend.commit(THREAD, [])
    player = Player(backend, clock, random.Random(seed))
    for _ in range(250):
        await player.play()
    assert player.made > 3
