"""Workflow sessions: one of 20 kB saved and loaded, against SET and GET of the same bytes; and a turn added to a long history."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Final

from clew.adapters.flywheel import BackendType, Outcome, RedisSessionManager, UniversalSession

from ..chatkit.trips import count_trips
from ..core.place import Place, open_place
from ..measure import Work, interleave, tell
from ..report import Row, judge, judge_cost
from ..topics import Plan, Topic

NAME: Final = "session-save-load"
TRIPS: Final = f"{NAME}/round-trips"
P99: Final = f"{NAME}/p99"
KINDS: Final = ("save", "load")
HISTORY_NAME: Final = "history-append"
PREFIX: Final = "agentic_flywheel"
CALLS: Final = 300
TURN: Final = {"role": "user", "content": "lorem ipsum dolor sit amet " * 7, "timestamp": "2026-11-21T10:00:00+00:00"}
"""About 250 bytes of JSON."""
TURNS: Final = 76
"""In a session of 20 kB."""
LONG: Final = 10_000
SHORT: Final = 10

Ask = Callable[[], Awaitable[object]]


def make_session(id: str, turns: int) -> UniversalSession:
    """Return a session with a history of so many turns."""
    session = UniversalSession(id, BackendType.FLOWISE, "flowise-1", user_id="ada", current_flow_id="flow-1")
    session.context["turn"] = 0
    session.history += [dict(TURN) for _ in range(turns)]
    return session


async def run(plan: Plan) -> list[Row]:
    """Measure `session-save-load`."""
    rows: list[Row] = []
    async with open_place() as place, RedisSessionManager(store=place.store) as manager:
        session = make_session("s", TURNS)
        check(await manager.save_session(session))
        data = await place.client.get(f"{PREFIX}:session:s")
        assert isinstance(data, bytes), "the session is a string of its own"
        subjects = {"save": _saver(manager, session), "load": _loader(manager, "s")}
        floors = {"save": _setter(place, data), "load": _getter(place)}
        for kind in KINDS:
            if plan.wants(f"{TRIPS}/{kind}"):
                await subjects[kind]()
                most = max([await count_trips(place.server, subjects[kind]) for _ in range(plan.rounds)])
                note = "reads of the socket for one call, the most of all rounds"
                rows.append(judge(f"{TRIPS}/{kind}", most, most, 1, plan.rounds, note=note, unit="trips"))
        for kind in KINDS:
            if plan.wants(f"{NAME}/{kind}"):
                works = {"subject": _repeat(subjects[kind]), "floor": _repeat(floors[kind])}
                times = await interleave(f"{NAME}/{kind}", works, rounds=plan.rounds, count=CALLS)
                command = "set(key, bytes)" if kind == "save" else "get(key)"
                note = f"{len(data):,} bytes; floor: await client.{command} of redis.asyncio.Redis"
                rows.append(judge_cost(f"{NAME}/{kind}", times["subject"], times["floor"], note=note))
        for kind in KINDS:
            if plan.wants(f"{P99}/{kind}"):
                rows.append(await _measure_p99(f"{P99}/{kind}", subjects[kind], floors[kind], plan.rounds))
    return rows


async def _measure_p99(name: str, subject: Ask, floor: Ask, rounds: int) -> Row:
    """Of each call by itself: what 99% stay below."""
    tell(f"{name}: {rounds} rounds of {CALLS}")
    found: dict[str, list[float]] = {"subject": [], "floor": []}
    for _ in range(rounds):
        for which, ask in (("subject", subject), ("floor", floor)):
            for _ in range(CALLS):
                start = time.perf_counter()
                await ask()
                found[which].append(time.perf_counter() - start)
    s, f = (statistics.quantiles(found[which], n=100)[98] for which in ("subject", "floor"))
    note = f"the milliseconds that 99% of {len(found['subject']):,} calls stay below"
    return judge(name, s * 1e3, s * 1e6, f * 1e6, rounds, note=note, unit="ms")


async def run_history(plan: Plan) -> list[Row]:
    """Measure `history-append`: a turn added to a session that has 10,000, and to one that has 10."""
    async with open_place() as place, RedisSessionManager(store=place.store) as manager:

        async def append(id: str, turns: int, count: int) -> None:
            # Made anew for each round, so that it is as long as it says, but for the turns of the round.
            check(await manager.save_session(make_session(id, turns), overwrite=True))
            for _ in range(count):
                check(await manager.append_history(id, TURN))

        times: dict[str, list[float]] = {"subject": [], "floor": []}
        tell(f"{HISTORY_NAME}: {plan.rounds} rounds of {CALLS}")
        for number in range(plan.rounds + 1):
            for which, turns in (("subject", LONG), ("floor", SHORT)):
                await append(which, turns, 0)
                start = time.perf_counter()
                for _ in range(CALLS):
                    check(await manager.append_history(which, TURN))
                # The first round warms up.
                if number:
                    times[which].append((time.perf_counter() - start) / CALLS)
        trips = await count_trips(place.server, lambda: manager.append_history("subject", TURN))
    note = f"floor: the same to a session with {SHORT} turns; a call is {trips} trip{'s' if trips > 1 else ''}"
    return [judge_cost(HISTORY_NAME, times["subject"], times["floor"], note=note)]


def check(outcome: Outcome) -> None:
    """Raise where nothing was saved: that would be no fair figure."""
    if not outcome:
        raise RuntimeError(f"it was not saved: {outcome}")


def _saver(manager: RedisSessionManager, session: UniversalSession) -> Ask:
    async def save() -> None:
        session.context["turn"] = 1 - int(session.context["turn"])
        check(await manager.save_session(session))

    return save


def _loader(manager: RedisSessionManager, id: str) -> Ask:
    async def load() -> None:
        found = await manager.load_session(id)
        assert found is not None, "it was saved"
        assert len(found.history) == TURNS, "whole"

    return load


def _setter(place: Place, data: bytes) -> Ask:
    async def put() -> None:
        await place.client.set("floor", data)

    return put


def _getter(place: Place) -> Ask:
    async def get() -> None:
        assert await place.client.get(f"{PREFIX}:session:s") is not None

    return get


def _repeat(ask: Ask) -> Work:
    async def work(count: int) -> None:
        for _ in range(count):
            await ask()

    return work


TOPIC: Final = Topic((TRIPS, *(f"{NAME}/{kind}" for kind in KINDS), P99), run)
HISTORY: Final = Topic((HISTORY_NAME,), run_history)
