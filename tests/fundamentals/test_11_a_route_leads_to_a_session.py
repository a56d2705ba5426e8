"""A route leads from a conversation in another system to a session. Of all who meet a new conversation, one makes its session."""

from __future__ import annotations

import asyncio

import pytest

import clew


async def test_a_new_conversation_gets_a_session_and_keeps_it(store: clew.Store) -> None:
    routes = store.routes(prefix="bot:conv:")

    first = await routes.resolve("telegram:123")
    second = await routes.resolve("telegram:123")

    assert first.created
    assert not second.created
    assert second.session_id == first.session_id


async def test_of_many_who_meet_it_at_once_one_makes_the_session(store: clew.Store) -> None:
    routes = store.routes(prefix="bot:conv:")

    found = await asyncio.gather(*(routes.resolve("slack:456") for _ in range(20)))

    assert len({route.session_id for route in found}) == 1
    assert [route.created for route in found].count(True) == 1


async def test_a_session_may_be_named_by_the_caller(store: clew.Store) -> None:
    routes = store.routes(prefix="bot:conv:")

    made = await routes.resolve("telegram:123", lambda: "session-1")

    assert made == clew.Resolved("session-1", created=True)
    assert await routes.get("telegram:123") == "session-1"


async def test_a_conversation_moves_to_another_session_from_the_one_expected(store: clew.Store) -> None:
    routes = store.routes(prefix="bot:conv:")
    await routes.set("telegram:123", "session-1")

    await routes.rebind("telegram:123", expect="session-1", to="session-2")
    with pytest.raises(clew.ConflictError) as caught:
        await routes.rebind("telegram:123", expect="session-1", to="session-3")

    assert caught.value.actual == "session-2"


async def test_a_deletion_tells_whether_there_was_a_route(store: clew.Store) -> None:
    routes = store.routes(prefix="bot:conv:")
    await routes.set("telegram:123", "session-1")

    assert await routes.delete("telegram:123")
    assert not await routes.delete("telegram:123")
    assert await routes.get("telegram:123") is None
