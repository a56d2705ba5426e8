"""Whatever a session holds comes back, and whatever several writers do in whatever order, no turn is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clew
from clew.adapters.flywheel import BackendType, FlowStatus, RedisSessionManager, UniversalSession
from clew.ids import new_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TIMES = st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30))]))
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT | TIMES
)
NAMES = TEXT.filter(lambda name: name != "_datetimes")
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
SESSIONS = st.builds(
    UniversalSession,
    TEXT.filter(bool),
    st.sampled_from(BackendType) | TEXT.filter(bool),
    st.none() | TEXT,
    st.sampled_from(FlowStatus),
    st.none() | TEXT,
    OBJECTS,
    st.lists(OBJECTS, max_size=4),
    st.none() | TIMES,
    st.none() | TIMES,
    st.none() | TIMES,
    st.none() | TEXT,
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.floats(0, 1e9),
    metadata=OBJECTS,
    ttl_seconds=st.none() | st.integers(1, 10**6) | st.floats(0.5, 1e6),
)
STEPS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["remember", "save", "append", "by id", "reload"])), max_size=25)


Run = Callable[[Callable[[clew.Store], Coroutine[Any, Any, None]]], None]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """`run(test)`: on a store in memory, which all examples share."""
    with asyncio.Runner() as runner:
        store = runner.run(open_memory())
        yield lambda test: runner.run(test(store))
        runner.run(store.aclose())


async def open_memory() -> clew.Store:
    """Return an open store in memory."""
    return await clew.connect("memory://")


@settings(max_examples=25, deadline=None)
@given(session=SESSIONS, more=st.lists(OBJECTS, min_size=1, max_size=3))
def test_whatever_a_session_holds_comes_back(run: Run, session: UniversalSession, more: list[dict[str, Any]]) -> None:
    async def test(store: clew.Store) -> None:
        manager = RedisSessionManager(store=store, key_prefix=new_id())
        session._origin = None
        outcome = await manager.save_session(session)
        assert outcome, outcome
        assert await manager.load_session(session.id) == session
        assert await manager.append_history(session.id, *more)
        loaded = await manager.load_session(session.id)
        assert loaded is not None
        assert loaded.history == session.history + more
        assert await manager.save_session(session)
        assert session == loaded

    run(test)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_whatever_writers_do_in_whatever_order_no_turn_is_lost_or_doubled(run: Run, steps: list[tuple[int, str]]) -> None:
    async def test(store: clew.Store) -> None:
        prefix = new_id()
        managers = [RedisSessionManager(store=store, key_prefix=prefix) for _ in range(3)]
        await managers[0].save_session(UniversalSession("s", "mine", None))
        sessions = [await manager.load_session("s") for manager in managers]
        unsaved: list[list[int]] = [[], [], []]
        told: list[int] = []
        for number, (who, what) in enumerate(steps):
            session = sessions[who]
            assert session is not None
            if what == "remember":
                session.history.append({"n": number})
                session.total_queries += 1
                unsaved[who].append(number)
            elif what == "save":
                assert await managers[who].save_session(session)
                told += unsaved[who]
                unsaved[who] = []
            elif what == "append" and not unsaved[who]:
                assert await managers[who].append_history(session, {"n": number, "quick": True})
                told.append(number)
            elif what == "by id":
                assert await managers[who].append_history("s", {"n": number, "quick": True})
                told.append(number)
            elif what == "reload":
                sessions[who], unsaved[who] = await managers[who].load_session("s"), []
        found = await managers[0].load_session("s")
        assert found is not None
        assert sorted(each["n"] for each in found.history) == sorted(told)
        assert found.total_queries == sum("quick" not in each for each in found.history)

    run(test)
