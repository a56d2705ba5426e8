"""Routes: made once among many, moved by compare-and-set, literal for other programs, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

import clew
from clew.backend import Values
from clew.store import Routes
from clew.testing import Recorder, WholeBackend


@pytest.fixture
def routes(store: clew.Store) -> Routes:
    """Routes under a prefix."""
    return store.routes("bot:conv:")


def bare(store: clew.Store) -> Values:
    """Return the store's plain values, as another program sees them."""
    assert isinstance(store.backend, Values)
    return store.backend


async def test_a_route_is_plain_text_under_its_literal_key(store: clew.Store, routes: Routes) -> None:
    await routes.set("telegram:123", "session-ø")
    assert await bare(store).get_value("bot:conv:telegram:123") == "session-ø".encode()

    await bare(store).put_value("bot:conv:slack:456", b"theirs")
    assert await routes.get("slack:456") == "theirs"
    assert await routes.resolve("slack:456") == clew.Resolved("theirs", created=False)


async def test_many_makers_of_one_route_agree(routes: Routes) -> None:
    makers: list[Callable[[], str]] = [lambda n=n: f"session-{n}" for n in range(20)]  # type: ignore[misc]  # a default binds n
    found = await asyncio.gather(*(routes.resolve("c", make) for make in makers))
    assert len({route.session_id for route in found}) == 1
    assert [route.created for route in found].count(True) == 1


async def test_a_new_route_may_expire_and_one_that_is_there_keeps_its_time(store: clew.Store, routes: Routes) -> None:
    await routes.resolve("c", ttl=60)
    await routes.resolve("c", ttl=6_000)
    left = await bare(store).value_ttl("bot:conv:c")
    assert left is not None
    assert 0 < left <= 60_000

    await routes.resolve("d")
    assert await bare(store).value_ttl("bot:conv:d") == -1


async def test_a_route_that_moves_keeps_its_time(store: clew.Store, routes: Routes) -> None:
    await routes.set("c", "one", ttl=60)
    await routes.rebind("c", expect="one", to="two")
    left = await bare(store).value_ttl("bot:conv:c")
    assert left is not None
    assert 0 < left <= 60_000

    await routes.set("d", "one")
    await routes.rebind("d", expect="one", to="two")
    assert await bare(store).value_ttl("bot:conv:d") == -1


async def test_of_many_who_move_a_route_from_the_same_session_one_does(routes: Routes) -> None:
    await routes.set("c", "one")
    done = await asyncio.gather(*(routes.rebind("c", expect="one", to=f"s{n}") for n in range(20)), return_exceptions=True)
    assert done.count(None) == 1
    assert await routes.get("c") == f"s{done.index(None)}"
    assert all(each is None or isinstance(each, clew.ConflictError) for each in done)


async def test_a_route_that_is_not_there_is_not_found_and_no_conflict(routes: Routes) -> None:
    with pytest.raises(clew.NotFoundError):
        await routes.rebind("c", expect="one", to="two")
    assert await routes.get("c") is None


async def test_a_route_is_deleted_from_the_session_expected(routes: Routes) -> None:
    await routes.set("c", "one")
    with pytest.raises(clew.ConflictError) as caught:
        await routes.delete("c", expect="two")
    assert (caught.value.expected, caught.value.actual) == ("two", "one")
    assert await routes.delete("c", expect="one")
    assert not await routes.delete("c", expect="one")


async def test_what_is_no_text_is_unreadable(store: clew.Store, routes: Routes) -> None:
    await bare(store).put_value("bot:conv:c", b"\xff\xfe")
    for asked in (routes.get("c"), routes.resolve("c"), routes.rebind("c", expect="a", to="b"), routes.delete("c", expect="a")):
        with pytest.raises(clew.UnreadableError):
            await asked
    assert await routes.delete("c")


async def test_a_repeated_call_that_finds_its_own_session_says_that_it_made_it(store: clew.Store, routes: Routes) -> None:
    # As after a lost answer: the first try wrote, and the second one meets what it wrote.
    class Repeating(Recorder):
        """A backend that sends a put twice, and answers as the second one."""

        async def put_value(self, key: str, data: bytes | None, **options: Any) -> tuple[bool, bytes | None]:
            """See Values.put_value."""
            await super().put_value(key, data, **options)
            return await super().put_value(key, data, **options)

    repeating = clew.Store(Repeating(cast(WholeBackend, store.backend))).routes("bot:conv:")
    assert (await repeating.resolve("c")).created
    assert await repeating.resolve("d", lambda: "mine") == clew.Resolved("mine", created=True)
    assert await routes.get("d") == "mine"


@pytest.mark.parametrize("conversation", ["", None, 7, "\ud800", "x" * 4_090])
async def test_a_bad_conversation_id_is_refused(plain: clew.Store, conversation: Any) -> None:
    routes = plain.routes("bot:conv:")
    for asked in (
        routes.get(conversation),
        routes.resolve(conversation),
        routes.set(conversation, "s"),
        routes.delete(conversation),
    ):
        with pytest.raises(clew.InvalidError, match="conversation"):
            await asked


@pytest.mark.parametrize("session_id", ["", None, b"s", "x" * 513])
async def test_a_bad_session_id_is_refused(plain: clew.Store, session_id: Any) -> None:
    routes = plain.routes("bot:conv:")
    for asked in (
        routes.set("c", session_id),
        routes.resolve("c", lambda: session_id),
        routes.rebind("c", expect="a", to=session_id),
        routes.rebind("c", expect=session_id, to="a"),
    ):
        with pytest.raises(clew.InvalidError, match="session id"):
            await asked
    assert await routes.get("c") is None


@pytest.mark.parametrize("prefix", ["", None, "x" * 4_000, "\ud800"])
def test_a_bad_prefix_is_refused(plain: clew.Store, prefix: Any) -> None:
    with pytest.raises(clew.InvalidError, match="prefix"):
        plain.routes(prefix)


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), True, "1"])
async def test_a_bad_time_is_refused(plain: clew.Store, ttl: Any) -> None:
    routes = plain.routes("r:")
    for asked in (routes.set("c", "s", ttl=ttl), routes.resolve("c", ttl=ttl)):
        with pytest.raises(clew.InvalidError, match="seconds"):
            await asked
    assert await routes.get("c") is None
