"""The mapping: system 4's names and keys to the letter, one session for one conversation, and the way back from a session."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

import clew
from clew import Resolved
from clew.adapters.routing import ConversationStore, ThreadSessions
from clew.backend import Values
from clew.testing import FixedClock, Recorder, WholeBackend, memory_store
from servers import Server

from ...conftest import Pool
from .conftest import CountedSessions, Open


async def test_a_mapping_is_set_read_overwritten_and_deleted(routing: ConversationStore) -> None:
    assert routing.is_initialized()
    assert await routing.health_check()
    assert await routing.get("telegram:123") is None
    assert not await routing.exists("telegram:123")
    await routing.set("telegram:123", "sess_1")
    assert await routing.get("telegram:123") == "sess_1"
    assert await routing.exists("telegram:123")
    await routing.set("telegram:123", "sess_2")
    assert await routing.get("telegram:123") == "sess_2"
    assert await routing.delete("telegram:123") is True
    assert await routing.delete("telegram:123") is False
    assert await routing.get("telegram:123") is None
    assert await routing.clear("telegram:123") is False
    await routing.set("telegram:123", "sess_3")
    assert await routing.clear("telegram:123") is True


@pytest.mark.parametrize(
    ("prefix", "key"),
    [
        (None, "codecoder:conv:slack:456"),
        ("bot:", "bot:conv:slack:456"),
        ("bot:conv:", "bot:conv:slack:456"),
        ("b", "bconv:slack:456"),
    ],
)
async def test_the_keys_are_those_that_other_instances_read(pool: Pool, instance: Open, prefix: str | None, key: str) -> None:
    server = pool.get("redis-8.2")
    assert isinstance(server, Server)
    routing = instance(server.url, {} if prefix is None else {"key_prefix": prefix})
    await routing.init()
    try:
        await routing.set("slack:456", "sess_ø")
        assert (server.call("GET", key), server.call("TTL", key)) == ("sess_ø", -1)
        server.call("SET", key, "theirs")
        assert await routing.get("slack:456") == "theirs"
        assert await routing.get_or_create_session("slack:456") == "theirs"
        await routing.delete("slack:456")
        assert server.call("EXISTS", key) == 0
    finally:
        server.call("FLUSHALL")


async def test_a_new_conversation_gets_one_session_and_keeps_it(routing: ConversationStore) -> None:
    first = await routing.resolve("telegram:1")
    assert first.created
    assert await routing.resolve("telegram:1") == Resolved(first.session_id, created=False)
    assert await routing.get_or_create_session("telegram:1") == first.session_id
    assert await routing.get_or_create_session("telegram:2") != first.session_id


async def test_a_known_conversation_costs_one_call() -> None:
    async with memory_store() as store:
        recorder = Recorder(cast(WholeBackend, store.backend))
        for ttl in (None, 3600):
            routing = ConversationStore(store=clew.Store(recorder), ttl=ttl)
            await routing.init()
            await routing.get_or_create_session("c")
            recorder.clear()
            for _ in range(5):
                await routing.get_or_create_session("c")
            assert recorder.verbs == ["get_value"] * 5
            await routing.close()


async def test_a_session_knows_its_conversations(routing: ConversationStore) -> None:
    session = await routing.get_or_create_session("telegram:1")
    await routing.set("slack:2", session)
    await routing.set("slack:3", session)
    await routing.set("slack:4", "another")
    assert await routing.conversations(session) == ["slack:2", "slack:3", "telegram:1"]
    await routing.set("slack:3", "another")
    await routing.delete("telegram:1")
    assert await routing.conversations(session) == ["slack:2"]
    assert await routing.conversations("another") == ["slack:3", "slack:4"]
    assert await routing.conversations("nobody's") == []


async def test_the_index_is_right_after_many_wrote_at_once(url: str, instance: Open) -> None:
    first, second = instance(url), instance(url)
    await asyncio.gather(first.init(), second.init())

    async def churn(routing: ConversationStore, n: int) -> None:
        for turn in range(5):
            await routing.set("c", f"s{(n + turn) % 3}")
            await routing.delete("c")
        await routing.set("c", f"s{n % 3}")

    await asyncio.gather(*(churn(routing, n) for n, routing in enumerate([first, second] * 4)))
    leads_to = await first.get("c")
    assert leads_to is not None
    for session in ("s0", "s1", "s2"):
        assert await second.conversations(session) == (["c"] if session == leads_to else [])


async def test_a_mapping_that_nobody_looks_at_vanishes_and_one_in_use_stays_with_its_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FixedClock()
    start = clock.now
    monkeypatch.setattr("clew.store.route_index.monotonic", lambda: (clock.now - start).total_seconds())
    async with memory_store(clock=clock) as store:
        routing = ConversationStore(store=store, ttl=100)
        await routing.init()
        session = await routing.get_or_create_session("in use")
        await routing.set("idle", session)
        for turn in range(20):
            clock.advance(90)
            assert await routing.get_or_create_session("in use") == session
            assert await routing.exists("idle") == (turn == 0), "whether it exists is no look"
            assert await routing.conversations(session) == (["idle", "in use"] if turn == 0 else ["in use"])
        clock.advance(101)
        assert await routing.get("in use") is None
        assert await routing.conversations(session) == []
        await routing.close()


# -- sessions -------------------------------------------------------------------------------------------------------------


async def test_a_mapping_to_a_session_that_is_gone_is_replaced(url: str, instance: Open, sessions: CountedSessions) -> None:
    routing = instance(url, sessions=sessions)
    await routing.init()
    await routing.set("c", "dead")
    made = await routing.get_or_create_session("c")
    assert (made in sessions.alive, await routing.get("c"), len(sessions.made)) == (True, made, 1)
    assert await routing.resolve("c") == Resolved(made, created=False)
    assert await routing.conversations("dead") == []


async def test_an_error_of_the_lookup_is_never_gone(url: str, instance: Open, sessions: CountedSessions) -> None:
    routing = instance(url, sessions=sessions)
    await routing.init()
    session = await routing.get_or_create_session("c")
    for fault in (clew.UnavailableError("the other store is away"), OSError("a disk"), TimeoutError()):
        sessions.fault = fault
        with pytest.raises(type(fault)):
            await routing.get_or_create_session("c")
        assert await routing.get("c") == session
    sessions.fault = None
    assert await routing.get_or_create_session("c") == session
    assert len(sessions.made) == 1


async def test_an_answer_that_is_neither_yes_nor_no_is_never_gone(url: str, instance: Open, sessions: CountedSessions) -> None:
    async def shrug(session_id: str) -> Any:
        return None

    routing = instance(url, sessions=sessions)
    await routing.init()
    session = await routing.get_or_create_session("c")
    sessions.exists = shrug  # type: ignore[method-assign]
    with pytest.raises(clew.InvalidError, match="True or False"):
        await routing.get_or_create_session("c")
    assert await routing.get("c") == session


async def test_a_session_that_the_caller_found_gone_is_replaced_once(url: str, instance: Open) -> None:
    first, second = instance(url), instance(url)
    await asyncio.gather(first.init(), second.init())
    old = await first.get_or_create_session("c")
    found = await asyncio.gather(*(each.get_or_create_session("c", gone=old) for each in [first, second] * 5))
    assert len(set(found)) == 1
    assert found[0] != old
    assert await first.get("c") == found[0]


async def test_sessions_may_be_threads_of_clew() -> None:
    async with memory_store() as store:
        routing = ConversationStore(store=store, sessions=ThreadSessions(store, "bot"))
        await routing.init()
        session = await routing.get_or_create_session("telegram:1")
        thread = await store.threads.get(clew.Ref("bot", session))
        assert thread.metadata == {"conversation_id": "telegram:1"}
        await store.threads.delete(thread)
        other = await routing.get_or_create_session("telegram:1")
        assert other != session
        assert (await store.threads.get(clew.Ref("bot", other))).id == other
        await routing.close()


@pytest.mark.parametrize("bad", ["", None, 7, "\ud800", "x" * 5_000])
async def test_bad_ids_are_refused(routing: ConversationStore, bad: Any) -> None:
    for asked in (routing.get(bad), routing.set(bad, "s"), routing.delete(bad), routing.exists(bad), routing.resolve(bad)):
        with pytest.raises(clew.InvalidError):
            await asked
    with pytest.raises(clew.InvalidError):
        await routing.set("c", bad)
    assert await routing.health_check()


async def test_what_is_no_text_is_unreadable_and_not_replaced(routing: ConversationStore, url: str) -> None:
    async with clew.connect(url) as store:
        assert isinstance(store.backend, Values)
        await store.backend.put_value("codecoder:conv:c", b"\xff")
        for asked in (routing.get("c"), routing.get_or_create_session("c")):
            with pytest.raises(clew.UnreadableError):
                await asked
        assert await store.backend.get_value("codecoder:conv:c") == b"\xff"
        assert await routing.delete("c")
