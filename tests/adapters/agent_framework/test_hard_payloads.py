"""Whatever a message holds comes back, or is refused by a typed error that is reported."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from agent_framework import AgentSession, Content, Message

from clew import Ref, Store
from clew.adapters.agent_framework import ClewHistoryProvider
from clew.errors import InvalidError

from .driver import ScriptedChatClient, make_agent

TEXTS = {
    "unicode": "žluťoučký кон 馬 🐎 \u202eolleh \u0301",
    "NUL": "a\0b",
    "control characters": "".join(chr(n) for n in range(32)) + "\x7f\x85\u2028\u2029",
    "a lone surrogate": "half \ud83d a pair",
    "100 kB": "x\u00e9" * 50_000,
    "nothing": "",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_a_turn_comes_back_as_it_was_said(store: Store, text: str) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    client = ScriptedChatClient([text, "ok"])
    agent = make_agent(client, provider)
    session = AgentSession(session_id="t1")
    await agent.run(f"q {text}", session=session)
    assert session.state["clew"]["saved"] is True
    await agent.run("again", session=session)
    assert client.texts_sent() == [f"q {text}", text, "again"]
    assert [thread.title is not None for thread in await provider.list_sessions()] == [True]


async def test_every_kind_of_content_comes_back(store: Store) -> None:
    call = Content.from_function_call(call_id="c1", name="weather", arguments={"city": "Brno"})
    message = Message(
        "assistant",
        [
            Content.from_text("text"),
            Content.from_text_reasoning(text="why", protected_data="opaque"),
            Content.from_data(b"\x89PNG" + bytes(100_000), media_type="image/png"),
            Content.from_uri("https://example.com/a.png", media_type="image/png"),
            Content.from_error(message="bad", error_code="500"),
            Content.from_usage({"input_token_count": 3, "output_token_count": 4}),
            Content.from_hosted_file("file_1"),
            call,
            Content.from_function_approval_request("r1", call),
            Content.from_function_approval_response(True, "r1", call),
        ],
        author_name="guide",
        additional_properties={"nested": {"list": [1, 2.5, None, True]}},
    )
    result = Message("tool", [Content.from_function_result("c1", result={"sunny": True})])
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages("t1", [message, result])
    first, second = await provider.get_messages("t1")
    assert first.contents == message.contents
    assert (first.author_name, first.additional_properties) == (message.author_name, message.additional_properties)
    assert second.contents == result.contents


async def test_a_number_that_json_has_no_word_for_comes_back(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages("t1", [Message("user", ["q"], additional_properties={"score": math.nan, "top": math.inf})])
    (message,) = await provider.get_messages("t1")
    assert math.isnan(message.additional_properties["score"])
    assert message.additional_properties["top"] == math.inf


async def test_a_time_in_the_properties_does_not_lose_the_turn(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    moment = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    agent = make_agent(ScriptedChatClient(["a"]), provider)
    content = Content.from_text("q", additional_properties={"at": moment})
    await agent.run(Message("user", [content]), session=AgentSession(session_id="t1"))
    assert [m.text for m in await provider.get_messages("t1")] == ["q", "a"]


ENDLESS: dict[str, Any] = {}
ENDLESS["within"] = ENDLESS
POISONS = {
    "too large": Content.from_text("x" * 9_000_000),
    "no JSON": Content.from_function_result("c1", result=None, additional_properties={"endless": ENDLESS}),
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS.keys())
async def test_what_cannot_be_stored_is_reported_and_does_not_hold_up_the_next_turn(store: Store, poison: Any) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(ScriptedChatClient(["a1", "a2", "a3"]), provider)
    session = AgentSession(session_id="t1")
    await agent.run("q1", session=session)
    answer = await agent.run(Message("user", [poison]), session=session)
    assert answer.text == "a2"
    assert session.state["clew"]["saved"] is False
    assert [m.role for m in provider.unsaved(session)] == ["user", "assistant"]
    await agent.run("q3", session=session)
    assert session.state["clew"]["saved"] is False
    assert [m.text for m in await provider.get_messages("t1")] == ["q1", "a1", "q3", "a3"]
    assert len(provider.unsaved(session)) == 2


async def test_a_caller_who_saves_what_cannot_be_stored_is_told(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    with pytest.raises(InvalidError):
        await provider.save_messages("t1", [Message("user", ["x" * 9_000_000])])
    assert provider.unsaved("t1") == []
    await provider.save_messages("t1", [Message("user", ["q"])])
    assert len(await store.items.tail(Ref("ada", "t1"))) == 1


@pytest.mark.parametrize("id", ["a/b:c{d}%", "ü" * 100, " ", "a\0b", "../../etc"])
async def test_any_session_id_is_a_thread_of_its_own(store: Store, id: str) -> None:
    provider = ClewHistoryProvider(store, owner="ada:{x}/")
    await provider.save_messages(id, [Message("user", [id])])
    assert [m.text for m in await provider.get_messages(id)] == [id]
    assert [t.id for t in await provider.list_sessions()] == [id]


@pytest.mark.parametrize("id", ["", "\ud800", "x" * 600])
async def test_a_session_id_that_is_none_is_refused(store: Store, id: str) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    with pytest.raises(InvalidError):
        await provider.get_messages(id)
    with pytest.raises(InvalidError):
        await provider.save_messages(id, [Message("user", ["q"])])
    assert provider.unsaved(id) == []
