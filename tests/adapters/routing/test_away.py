"""Redis away at the start, stopped and started: health that is measured, errors at once, and no restart to route again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import pytest

import clew
from clew.adapters.routing import ConversationStore
from clew.testing import memory_store
from servers import Server
from servers.ports import reserve

from ...support import wait_until
from .conftest import CountedSessions, Open

FAST = {"command_timeout": 300, "connect_timeout": 200}


@pytest.mark.parametrize("kind", ["redis-8.2", "valkey-9.1"])
async def test_a_server_that_starts_later_is_routed_on_by_itself(
    own_server: Callable[..., Server], instance: Open, kind: str
) -> None:
    server = own_server(kind, durable=True)
    server.kill()
    routing = instance(server.url, FAST)
    with pytest.raises(clew.UnavailableError):
        await routing.init()
    assert not routing.is_initialized()
    assert not await routing.health_check()
    with pytest.raises(clew.UnavailableError):
        await routing.get("c")
    server.restart()
    await wait_until(routing.is_initialized)
    assert await routing.health_check()
    assert await routing.get("c") is None


@pytest.mark.parametrize("kind", ["redis-8.2", "valkey-9.1"])
async def test_no_mapping_is_lost_or_taken_for_gone_while_it_stops_and_starts(
    own_server: Callable[..., Server], instance: Open, kind: str
) -> None:
    server = own_server(kind, durable=True)
    sessions = CountedSessions()
    routings = [instance(server.url, FAST, sessions=sessions) for _ in range(2)]
    for routing in routings:
        await routing.init()
    known = {f"telegram:{n}": await routings[0].get_or_create_session(f"telegram:{n}") for n in range(10)}
    for _ in range(3):
        server.kill()
        for routing in routings:
            answers = await asyncio.gather(*(routing.get_or_create_session(each) for each in known), return_exceptions=True)
            assert {type(each) for each in answers} == {clew.UnavailableError}
            with pytest.raises(clew.UnavailableError):
                await routing.get_or_create_session("new")
            with pytest.raises(clew.UnavailableError):
                await routing.delete("telegram:1")
            assert not await routing.health_check()
            assert routing.is_initialized()
        server.restart()
        for routing in routings:
            await wait_until(routing.health_check)
            assert {each: await routing.get_or_create_session(each) for each in known} == known
    assert set(known.values()) == set(sessions.made)


async def test_a_lookup_fails_at_once_while_the_server_hangs(own_server: Callable[..., Server], instance: Open) -> None:
    server = own_server("redis-8.2")
    routing = instance(server.url, FAST)
    await routing.init()
    await routing.set("c", "s")
    server.pause()
    with pytest.raises(clew.UnavailableError):
        await routing.get("c")
    start = time.monotonic()
    for _ in range(100):
        with pytest.raises(clew.UnavailableError, match="tried again"):
            await routing.get("c")
    assert time.monotonic() - start < 0.2, "a hundred lookups together stall less than one did"
    server.resume()

    async def routes() -> bool:
        try:
            return await routing.get("c") == "s"
        except clew.UnavailableError:
            return False

    await wait_until(routes)


async def test_a_refused_connection_is_known_in_a_moment(instance: Open) -> None:
    port = reserve()
    routing = instance(f"redis://127.0.0.1:{port.number}/0", {"max_retries_per_request": 1})
    start = time.monotonic()
    with pytest.raises(clew.UnavailableError):
        await routing.init()
    assert time.monotonic() - start < 1.0, "it waits for its retries, and not for its time-out of 3 s"
    await routing.close()
    port.release()


async def test_the_log_names_a_store_that_was_given_open(
    own_server: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clew.routing")
    server = own_server("redis-8.2", password="s3cret")
    async with clew.connect(server.url) as store:
        routing = ConversationStore(FAST, store=store)
        await routing.init()
        await routing.close()
    assert server.address in caplog.text
    assert "s3cret" not in caplog.text


async def test_each_turn_is_one_line_in_the_log_and_no_credentials_are(
    own_server: Callable[..., Server], instance: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clew.routing")
    server = own_server("redis-8.2", password="s3cret")
    routing = instance(server.url, FAST)
    await routing.init()
    server.kill()
    for _ in range(5):
        with pytest.raises(clew.UnavailableError):
            await routing.get("c")
    server.restart()
    await wait_until(routing.health_check)
    events = [record.__dict__["event"] for record in caplog.records if record.name == "clew.routing"]
    assert events == ["routing_initialized", "routing_away", "routing_back"]
    assert server.address in caplog.text
    assert "***@" in caplog.text
    assert "s3cret" not in caplog.text


async def test_before_init_and_after_close_nothing_is_answered(url: str, instance: Open) -> None:
    routing = instance(url)
    for _ in range(2):
        assert not routing.is_initialized()
        assert not await routing.health_check()
        for asked in (routing.get("c"), routing.set("c", "s"), routing.delete("c"), routing.exists("c"), routing.resolve("c")):
            with pytest.raises(clew.ClosedError, match="init"):
                await asked
        await routing.init()
        await routing.init()
        assert await routing.health_check()
        await routing.close()
        await routing.close()


async def test_init_may_be_called_again_until_it_works(own_server: Callable[..., Server], instance: Open) -> None:
    server = own_server("redis-8.2")
    server.kill()
    routing = instance(server.url, FAST)
    for _ in range(3):
        with pytest.raises(clew.UnavailableError):
            await routing.init()
        assert not routing.is_initialized()
    server.restart()
    await routing.init()
    assert routing.is_initialized()
    assert await routing.get("c") is None


async def test_a_store_that_was_given_stays_open() -> None:
    async with memory_store() as store:
        async with ConversationStore(store=store) as routing:
            await routing.set("c", "s")
        assert await store.routes("codecoder:conv:").get("c") == "s"


async def test_a_server_that_refuses_the_user_is_not_waited_for(own_server: Callable[..., Server], instance: Open) -> None:
    server = own_server("redis-8.2", password="right")
    routing = instance(server.url_for("", "wrong"), FAST)
    with pytest.raises(clew.DeniedError) as caught:
        await routing.init()
    assert "wrong" not in str(caught.value).replace("WRONGPASS", "")
    assert not routing.is_initialized()
    with pytest.raises(clew.ClosedError):
        await routing.get("c")
    await routing.init(server.url)
    assert await routing.get("c") is None
