"""Redis away at the start, killed, hanging, and back: nothing is raised, or taken for saved or missing; no restart is needed."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest

from clew.adapters.flywheel import RedisExecutionCache, RedisSessionManager
from servers import Server

from ...support import wait_until, with_options
from .conftest import make_session

Open = Callable[..., RedisSessionManager]


@pytest.fixture(autouse=True)
def _nothing_goes_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No task is destroyed while it waits, and no failure goes unread: asyncio would only log it."""
    yield
    gc.collect()
    records = [*caplog.get_records("call"), *caplog.records]
    assert [each.getMessage() for each in records if each.name == "asyncio" and each.levelno >= logging.ERROR] == []


@pytest.fixture
async def open_at() -> AsyncIterator[Open]:
    """`open_at(url, **options)`: a manager that gives up soon, closed after the test."""
    async with AsyncExitStack() as stack:

        def make(url: str, **options: Any) -> RedisSessionManager:  # passed through
            made = RedisSessionManager(url=with_options(url, timeout=0.3), **options)
            stack.push_async_callback(made.close)
            return made

        yield make


@pytest.mark.parametrize("kind", ["redis-8.2", "valkey-9.1"])
async def test_what_is_not_saved_is_not_taken_for_saved_and_it_goes_on_when_redis_returns(
    own_server: Callable[..., Server], open_at: Open, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.INFO, "clew.flywheel")
    server = own_server(kind, durable=True, password="s3cret")
    manager = open_at(server.url)
    session = make_session()
    assert await manager.save_session(session)
    server.kill()
    session.history.append({"while": "away"})
    for _ in range(3):
        for outcome in (
            await manager.save_session(session),
            await manager.append_history("s1", {"lost": 1}),
            await manager.append_history(session, {"lost": 1}),
            await manager.delete_session("s1"),
            await manager.fetch_session("s1"),
            await manager.fetch_session("never"),
            await manager.list_sessions(),
        ):
            assert (bool(outcome), outcome.status) == (False, "unavailable")
    assert await manager.load_session("s1") is None
    assert manager.enabled
    assert not await manager.health_check()
    server.restart()
    await wait_until(manager.health_check)
    assert (await manager.fetch_session("never")).status == "missing"
    assert await manager.save_session(session)
    assert await manager.load_session("s1") == session
    assert session.history[1:] == [{"while": "away"}]
    events = [record.__dict__["event"] for record in caplog.records if record.name == "clew.flywheel"]
    assert events == ["flywheel_away", "flywheel_back"]
    assert server.address in caplog.text
    assert "s3cret" not in caplog.text


async def test_a_server_that_starts_later_is_used_by_itself(own_server: Callable[..., Server], open_at: Open) -> None:
    server = own_server("redis-8.2", durable=True)
    server.kill()
    manager = open_at(server.url)
    assert (await manager.save_session(make_session())).status == "unavailable"
    server.restart()

    async def saves() -> bool:
        return bool(await manager.save_session(make_session()))

    await wait_until(saves)
    async with RedisExecutionCache(url=server.url) as cache:
        assert await cache.cache_result("e", {"a": 1}, session_id="s1", flow_id="f")
        assert await cache.get_result("e") == {"a": 1}


async def test_a_server_that_hangs_holds_up_one_call_and_no_more(own_server: Callable[..., Server], open_at: Open) -> None:
    server = own_server("redis-8.2")
    manager = open_at(server.url)
    await manager.save_session(make_session())
    server.pause()
    assert (await manager.fetch_session("s1")).status == "unavailable"
    start = time.monotonic()
    outcomes = await asyncio.gather(*(manager.append_history("s1", {"n": n}) for n in range(500)))
    assert {outcome.status for outcome in outcomes} == {"unavailable"}
    assert time.monotonic() - start < 0.25, "500 calls together wait less than one did"
    server.resume()

    async def loads() -> bool:
        return await manager.load_session("s1") is not None

    await wait_until(loads)


async def test_a_refused_login_or_a_full_store_is_said_once_and_raises_nothing(
    own_server: Callable[..., Server], open_at: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clew.flywheel")
    server = own_server("redis-8.2", password="right")
    wrong = open_at(server.url_for("", "wrong"))
    for _ in range(3):
        outcome = await wrong.save_session(make_session())
        assert (bool(outcome), outcome.status) == (False, "refused")
        assert "password" in str(outcome.error).lower()
    manager = open_at(server.url)
    assert await manager.save_session(make_session())
    server.call("CONFIG", "SET", "maxmemory", "1")
    for outcome in (await manager.save_session(make_session("s2")), await manager.append_history("s1", {"a": 1})):
        assert (bool(outcome), outcome.status) == (False, "refused")
    assert (await manager.load_session("s1")) is not None
    server.call("CONFIG", "SET", "maxmemory", "0")
    assert await manager.append_history("s1", {"a": 1})
    said = [record.__dict__["event"] for record in caplog.records if record.name == "clew.flywheel"]
    assert said == ["flywheel_refused", "flywheel_refused", "flywheel_in_order"], "the login; no room; room again"


async def test_thousands_of_calls_at_once_are_answered_over_a_few_connections(
    own_server: Callable[..., Server],
) -> None:
    server = own_server("redis-8.2")
    async with RedisSessionManager(url=server.url) as manager:
        assert await manager.save_session(make_session(history=[]))
        outcomes = await asyncio.gather(*(manager.append_history("s1", {"n": n}) for n in range(1_000)))
        assert all(outcomes)
        found = await manager.load_session("s1")
        assert found is not None
        assert sorted(each["n"] for each in found.history) == list(range(1_000))
        assert cast(dict[str, int], server.call("INFO", "clients"))["connected_clients"] < 10
