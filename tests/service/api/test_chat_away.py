"""Channels while Redis is away: at the start, later, and in the middle of an answer. Every answer says what is kept of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

import httpx2
import pytest

from clew.service import keys
from servers import Server

from ...support import find_program, wait_until, with_options
from ..running import read_events
from ..scripted import words
from .conftest import JSON, THREADS, Api, Serve, problem
from .test_chat import CHAT, CONVERSATION, items_of, said, say, sessions_of


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own, which keeps what it is given."""
    with Server(find_program("valkey-9.1"), durable=True) as running:
        yield running


def events_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says of the store, in order."""
    events = [str(getattr(record, "event", "")) for record in caplog.records]
    return [event for event in events if event.startswith(("store_", "routing_"))]


async def say_by(api: Api, key: str) -> JSON:
    """Say something by an API key, and return the answer."""
    async with api.client(key) as machine:
        return await say(machine, "words 1 0")


async def count(client: httpx2.AsyncClient) -> int:
    """Return how many items a caller's only session has."""
    return sum([len(await items_of(client, session)) for session in await sessions_of(client)])


async def wait_until_kept(api: Api, message: str = "words 1 0") -> JSON:
    """Say something until it is kept, and return that answer."""
    found: list[JSON] = []

    async def is_kept() -> bool:
        found.append(await say(api.ada, message))
        return bool(found[-1]["persisted"])

    await wait_until(is_kept, 30)
    return found[-1]


@pytest.mark.timeout(120)
async def test_without_redis_at_the_start_and_later_chat_goes_on_and_persistence_returns(
    server: Server, serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "clew")
    url = with_options(server.url, timeout=1)
    server.kill()
    api = await serve(url)
    first = await say(api.ada, "words 3 0")
    assert first == {
        "reply": words(3).strip(), "conversation_id": "telegram:123", "session_id": None, "created": True, "persisted": False,
        "run": None, "error": None,
    }  # fmt: skip
    for verb in ("clear", "compact"):
        assert problem(await api.ada.post(f"{CHAT}/{verb}", json=CONVERSATION)) == "unavailable"
    server.restart()
    kept = await wait_until_kept(api)
    assert (kept["created"], kept["session_id"]) == (True, (await sessions_of(api.ada))[0])
    # An API key speaks for a user; one that held goes on while the store cannot be asked about it.
    monkeypatch.setattr(keys, "FRESH_S", 0.0)
    _, key = await keys.create_key(api.app.state.room.store, "bot", "ada")
    assert (await say_by(api, key))["session_id"] == kept["session_id"]
    assert sorted(events_of(caplog)) == ["routing_initialized", "store_away", "store_back"]
    caplog.clear()

    server.kill()
    away = [await say(api.ada, "words 1 0")]
    began = time.monotonic()
    # With and without a key, as an answer and as events: nobody waits for what is known to be away.
    away += [await say(api.ada, "words 2 0", idempotency_key="update-1") for _ in range(2)]
    reused = await api.ada.post(CHAT, json=said("words 3 0"), headers={"idempotency-key": "update-1"})
    assert (problem(reused), reused.status_code) == ("key-reused", 422)
    away.append(await say_by(api, key))
    stream = await api.ada.post(CHAT, json=said("words 2 0", stream=True))
    events = [event async for event in read_events(stream)]
    # Each of the five would wait for a second at least.
    assert time.monotonic() - began < 4
    assert [event["event"] for event in (events[0], events[-1])] == ["chat", "reply"]
    away.append(events[-1]["data"])
    assert [(each["persisted"], each["session_id"], each["run"]) for each in away] == [(False, None, None)] * 5
    assert away[1] == away[2]
    busy = asyncio.create_task(say(api.ada, "words 15 0.04"))
    await asyncio.sleep(0.2)
    assert problem(await api.ada.post(CHAT, json=said("words 1 0"))) == "answering"
    assert not (await busy)["persisted"]
    server.restart()
    back = await wait_until_kept(api)
    assert (back["session_id"], back["created"]) == (kept["session_id"], False)
    # What was not kept is not made up later; and each turn was told in one line.
    assert len(await items_of(api.ada, back["session_id"])) == 6
    assert events_of(caplog) == ["routing_away", "routing_back"]


@pytest.mark.timeout(120)
async def test_an_answer_whose_store_dies_in_its_middle_is_finished_and_says_that_it_is_not_kept(
    server: Server, serve: Serve
) -> None:
    api = await serve(with_options(server.url, timeout=0.5))
    kept = await say(api.ada, "words 1 0")
    waiting = asyncio.create_task(say(api.ada, "words 50 0.02"))
    streaming = asyncio.create_task(api.eve.post(CHAT, json=said("words 50 0.02", stream=True)))

    async def are_begun() -> bool:
        return await count(api.ada) == 3 and await count(api.eve) == 1

    await wait_until(are_begun)
    await asyncio.sleep(0.1)
    server.kill()
    answer = await waiting
    assert (answer["reply"], answer["persisted"], answer["error"]) == (words(50).strip(), False, None)
    assert answer["run"]["state"] == "unknown"
    # The session is there, and is said to be.
    assert answer["session_id"] == kept["session_id"]
    # Its stream was cut off, and yet ends with all that was said, and the truth.
    events = [event async for event in read_events(await streaming)]
    assert events[0]["data"]["persisted"]
    whole = events[-1]["data"]
    assert (events[-1]["event"], whole["reply"], whole["persisted"]) == ("reply", words(50).strip(), False)
    server.restart()
    back = await wait_until_kept(api)
    assert back["session_id"] == kept["session_id"]
    standing = (await api.ada.get(f"{THREADS}/{kept['session_id']}/runs/active")).json()
    assert standing["run"] is None
