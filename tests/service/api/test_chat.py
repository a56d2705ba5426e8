"""Channels: one conversation leads to one session, on every instance and across restarts, and each message is answered once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
import redis.asyncio

import clew
from clew.ids import new_id
from clew.service.channels import talks
from clew.settings import Settings

from ...support import wait_until
from ..running import read_events, says
from ..scripted import words
from .conftest import JSON, THREADS, Api, Serve, problem, serving

CHAT = "/api/v1/chat"
ON_ONE = pytest.mark.parametrize("start", ["sqlite"], indirect=True)
"""On one kind of store: the test is of what is the same on all."""


@pytest.fixture(params=["sqlite", "redis-8.2"])
async def start(request: pytest.FixtureRequest, serve: Serve) -> AsyncIterator[Callable[[], object]]:
    """`await start()`: an instance; all of a test are on one store, of each kind in turn, with keys of the test's own."""
    prefix = f"t{new_id()[-12:]}:"
    url: str | None = None if request.param == "sqlite" else request.getfixturevalue("url_of")(request.param)
    yield lambda: serve(url, CLEW_CHAT_PREFIX=prefix)
    if url is not None:
        async with redis.asyncio.Redis.from_url(url.partition("?")[0]) as raw:
            found = [key async for key in raw.scan_iter(f"{prefix}*")]
            if found:
                await raw.delete(*found)


@pytest.fixture
async def one(start: Callable[[], JSON]) -> Api:
    """An instance."""
    instance: Api = await start()
    return instance


@pytest.fixture
async def other(one: Api, start: Callable[[], JSON]) -> Api:
    """Another one on the same store."""
    instance: Api = await start()
    return instance


def said(message: str, conversation: str = "telegram:123", **more: JSON) -> JSON:
    """Return the body of a message."""
    return {"message": message, "user_id": "4711", "channel": "telegram", "conversation_id": conversation, **more}


async def say(client: httpx2.AsyncClient, message: str, conversation: str = "telegram:123", **headers: str) -> JSON:
    """Say something, and return the answer."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    reply = await client.post(CHAT, json=said(message, conversation), headers=named)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def begin(client: httpx2.AsyncClient, message: str) -> JSON:
    """Say something, leave the stream at its first event, and return what that says."""
    async with client.stream("POST", CHAT, json=said(message, stream=True)) as response:
        assert response.status_code == 200
        async for event in read_events(response):
            assert event["event"] == "chat"
            return event["data"]
    raise AssertionError("the stream is empty")


async def items_of(client: httpx2.AsyncClient, session: str) -> list[JSON]:
    """Return the items of a session, the oldest first."""
    found: list[JSON] = (await client.get(f"{THREADS}/{session}/items?limit=100")).json()["data"]
    return found


async def sessions_of(client: httpx2.AsyncClient) -> list[str]:
    """Return the ids of a caller's sessions."""
    return [each["id"] for each in (await client.get(f"{THREADS}?limit=100")).json()["data"]]


async def test_a_conversation_keeps_its_session_on_every_instance_and_the_page_goes_on_with_it(one: Api, other: Api) -> None:
    first = await say(one.ada, "words 3 0")
    session = first["session_id"]
    assert first == {
        "reply": words(3).strip(), "conversation_id": "telegram:123", "session_id": session, "created": True, "persisted": True,
        "run": {"id": first["run"]["id"], "state": "done"}, "error": None,
    }  # fmt: skip
    # With its channel before it or not, it is the same conversation.
    second = await say(other.ada, "words 2 0", "123")
    assert (second["session_id"], second["created"]) == (session, False)
    params = {"thread_id": session, "input": says("words 1 0")}
    page = await one.ada.post("/chatkit", json={"type": "threads.add_user_message", "params": params})
    assert page.status_code == 200
    items = await items_of(other.ada, session)
    # Who wrote it is noted, and is nobody's identity.
    assert [item["author"] for item in items] == ["4711", "assistant", "4711", "assistant", "user", "assistant"]
    messages = (await one.ada.get(f"/api/sessions/{session}/messages?limit=2")).json()["data"]
    assert [message["role"] for message in messages] == ["user", "assistant"]
    thread = (await one.ada.get(f"{THREADS}/{session}")).json()
    assert thread["metadata"] == {"channel": "telegram", "conversation_id": "telegram:123"}
    # Another caller's conversation of the same name is another one.
    theirs = await say(one.eve, "words 1 0")
    assert theirs["created"]
    assert (await one.eve.get(f"{THREADS}/{session}")).status_code == 404


async def test_a_conversation_keeps_its_session_across_restarts_under_the_keys_of_its_founders(
    tmp_path: JSON, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEW_FILES_URL", "memory://")
    url = f"sqlite:///{tmp_path}/clew.db"
    settings = Settings.from_env({"CLEW_URL": url, "CLEW_OWNER": "ada", "CLEW_AUTH": "none"}, None)
    found = []
    for _ in range(2):
        async with serving(settings) as api:
            found.append(await say(api.nobody, "words 1 0"))
    assert [each["created"] for each in found] == [True, False]
    async with clew.connect(url) as store:
        assert await store.routes("codecoder:conv:").get("telegram:123") == found[0]["session_id"] == found[1]["session_id"]


async def test_first_messages_on_two_instances_at_once_make_one_session(one: Api, other: Api) -> None:
    replies = await asyncio.gather(
        *(api.ada.post(CHAT, json=said("words 30 0.03")) for api in (one, other) for _ in range(4)),
    )
    answered = [reply.json() for reply in replies if reply.status_code == 200]
    refused = [reply.json() for reply in replies if reply.status_code == 409]
    assert (len(answered), len(refused)) == (1, 7)
    session, run = answered[0]["session_id"], answered[0]["run"]["id"]
    assert {(each["type"], each["actual"], each["thread"]) for each in refused} == {("/problems/answering", run, session)}
    assert await sessions_of(one.ada) == [session]
    assert len(await items_of(one.ada, session)) == 2


async def test_an_answer_is_streamed_and_can_be_come_back_to_and_stopped(one: Api, other: Api) -> None:
    reply = await one.ada.post(CHAT, json=said("words 3 0.01"), headers={"accept": "text/event-stream"})
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [event async for event in read_events(reply)]
    assert [event["event"] for event in events[:2]] == ["chat", "start"]
    assert [event["event"] for event in events[-2:]] == ["done", "reply"]
    opening, whole = events[0]["data"], events[-1]["data"]
    assert opening | {"reply": words(3).strip(), "run": {**opening["run"], "state": "done"}} == whole
    said_so = "".join(event["data"].get("update", {}).get("delta", "") for event in events)
    assert said_so == words(3)
    # Who leaves comes back on another instance, with the last id; and stops it there.
    left = await begin(one.ada, "words 500 0.02")
    run = f"{THREADS}/{left['session_id']}/runs/{left['run']['id']}"
    async with other.ada.stream("GET", f"{run}/events", headers={"last-event-id": "1-0"}) as response:
        async for event in read_events(response):
            if "word5" in str(event["data"]):
                assert problem(await other.ada.post(CHAT, json=said("words 1 0"))) == "answering"
                assert (await other.ada.post(f"{run}/stop")).status_code == 202
            last = event
    assert last["event"] == "cancelled"
    kept = (await items_of(one.ada, left["session_id"]))[-2]["data"]["content"][0]["text"]
    assert words(500).startswith(kept)
    assert "word5" in kept


@ON_ONE
async def test_who_waits_for_an_answer_that_is_stopped_gets_what_was_said(one: Api) -> None:
    waiting = asyncio.create_task(say(one.ada, "words 500 0.02"))

    async def stop() -> bool:
        for session in await sessions_of(one.ada):
            standing = (await one.ada.get(f"{THREADS}/{session}/runs/active")).json()
            if standing["run"] is not None:
                await asyncio.sleep(0.2)
                await one.ada.post(f"{THREADS}/{session}/runs/{standing['run']['id']}/stop")
                return True
        return False

    await wait_until(stop)
    answer = await waiting
    assert (answer["run"]["state"], answer["persisted"], answer["error"]) == ("cancelled", True, "The answer was stopped.")
    assert words(500).startswith(answer["reply"])
    assert answer["reply"]


async def test_a_message_that_is_delivered_twice_is_answered_once(one: Api, other: Api) -> None:
    async def deliver(api: Api, **more: JSON) -> httpx2.Response:
        return await api.ada.post(CHAT, json=said("words 10 0.03", **more), headers={"idempotency-key": "update-1"})

    first, again = await asyncio.gather(deliver(one), deliver(other))
    late = await deliver(other)
    assert first.json()["reply"] == words(10).strip()
    for reply in (again, late):
        assert {**reply.json(), "created": None} == {**first.json(), "created": None}
    assert ["idempotency-replayed" in reply.headers for reply in (first, again, late)].count(True) == 2
    assert (await one.ada.post(f"{CHAT}/clear", json=CONVERSATION)).json()["cleared"]
    session = first.json()["session_id"]
    # Also after it was cleared, and as events.
    stream = await deliver(other, stream=True)
    events = [event async for event in read_events(stream)]
    assert (events[0]["event"], events[-1]["data"]["session_id"]) == ("chat", session)
    assert events[-1]["data"]["reply"] == words(10).strip()
    assert await sessions_of(one.ada) == [session]
    assert len(await items_of(one.ada, session)) == 2
    # The same key with another message is told, and nothing is answered.
    reused = await one.ada.post(CHAT, json=said("words 3 0"), headers={"idempotency-key": "update-1"})
    assert (problem(reused), reused.status_code) == ("key-reused", 422)
    assert len(await items_of(one.ada, session)) == 2
    # Another key is another message, of the conversation that begins anew.
    fresh = await say(other.ada, "words 1 0", idempotency_key="update-2")
    assert fresh["session_id"] != session


CONVERSATION = {"channel": "telegram", "conversation_id": "123"}


async def test_a_conversation_is_cleared_and_one_whose_session_was_deleted_gets_another(one: Api, other: Api) -> None:
    first = await say(one.ada, "words 1 0")
    cleared = [(await other.ada.post(f"{CHAT}/clear", json=CONVERSATION)).json() for _ in range(2)]
    assert cleared == [{"conversation_id": "123", "cleared": True}, {"conversation_id": "123", "cleared": False}]
    second = await say(one.ada, "words 1 0")
    assert second["created"]
    assert (await one.ada.get(f"{THREADS}/{first['session_id']}")).status_code == 200
    assert (await other.ada.delete(f"{THREADS}/{second['session_id']}")).status_code == 204
    third = await say(one.ada, "words 1 0")
    assert (third["created"], third["session_id"] != second["session_id"]) == (True, True)
    assert (await say(other.ada, "words 1 0"))["session_id"] == third["session_id"]


@ON_ONE
async def test_an_answer_that_fails_says_so_and_what_a_page_would_show_is_answered_in_words(one: Api) -> None:
    failed = await say(one.ada, "words 3 0; fail")
    assert (failed["reply"], failed["run"]["state"], failed["persisted"]) == (words(3).strip(), "error", True)
    assert failed["error"]
    shown = await say(one.ada, "profiles")
    assert (shown["reply"], shown["error"], shown["run"]["state"]) == (words(3).strip(), None, "done")
    assert "pending" not in [item["status"] for item in await items_of(one.ada, shown["session_id"])]
    # Also where nobody reads it.
    before = (await items_of(one.ada, shown["session_id"]))[-1]["id"]
    left = await begin(one.ada, "profiles")

    async def is_answered() -> bool:
        last = (await items_of(one.ada, left["session_id"]))[-1]["data"]
        return bool(last["type"] == "assistant_message" and last["id"] != before)

    await wait_until(is_answered)


@ON_ONE
async def test_who_waits_at_a_worker_that_ends_is_sent_to_another_one_and_gets_the_same_answer(
    one: Api, other: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talks, "CLOSING_S", 0.1)
    body, key = said("words 50 0.02"), {"idempotency-key": "update-1"}
    waiting = asyncio.create_task(one.ada.post(CHAT, json=body, headers=key))

    async def is_begun() -> bool:
        return len(await sessions_of(other.ada)) == 1

    await wait_until(is_begun)
    one.app.state.room.close_readers()
    assert problem(await waiting) == "unavailable"
    assert problem(await one.ada.post(CHAT, json=body)) == "unavailable"
    again = await other.ada.post(CHAT, json=body, headers=key)
    assert (again.json()["reply"], again.json()["run"]["state"]) == (words(50).strip(), "done")


@ON_ONE
async def test_a_new_conversation_needs_no_id_and_what_cannot_be_taken_is_refused(one: Api) -> None:
    body = {"message": "words 1 0", "user_id": "4711", "channel": "slack"}
    first = (await one.ada.post(CHAT, json=body)).json()
    again = (await one.ada.post(CHAT, json={**body, "conversation_id": first["conversation_id"]})).json()
    assert (again["session_id"], again["created"]) == (first["session_id"], False)
    for wrong in ({"channel": "a:b"}, {"channel": ""}, {"message": ""}, {"user_id": ""}, {"conversation_id": ""}, {"agent": "x"},
                  {"user_id": "é" * 300}, {"conversation_id": "é" * 300}):  # fmt: skip
        assert problem(await one.ada.post(CHAT, json={**body, **wrong})) == "invalid"
    for missing in ("message", "user_id", "channel"):
        left = {name: text for name, text in body.items() if name != missing}
        assert problem(await one.ada.post(CHAT, json=left)) == "invalid"
    assert (await one.nobody.post(CHAT, json=body)).status_code == 401
    assert len(await sessions_of(one.ada)) == 1
    for odd in ("\0", "%2F/..", "slack:", "a b\n*?[", "😀" * 128):
        assert (await one.ada.post(CHAT, json={**body, "conversation_id": odd})).json()["conversation_id"] == odd
