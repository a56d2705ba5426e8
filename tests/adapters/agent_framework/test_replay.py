"""Input that was said before is told from input that is only alike."""

from __future__ import annotations

from collections.abc import Collection

from agent_framework import AgentSession, Message

from clew import Store
from clew.adapters.agent_framework import ClewHistoryProvider
from clew.adapters.agent_framework.replay import find_new

from .driver import ScriptedChatClient, make_agent, shape


def user(text: str, id: str | None = None) -> Message:
    return Message("user", [text], message_id=id)


def said(text: str, id: str | None = None) -> Message:
    return Message("assistant", [text], message_id=id)


async def test_a_client_that_sends_its_whole_transcript_adds_only_what_is_new(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(ScriptedChatClient(["a1", "a2"]), provider)
    session = AgentSession(session_id="t1")
    await agent.run([user("q1", "u1")], session=session)
    await agent.run([user("q1", "u1"), said("a1"), user("q2", "u2")], session=session)
    assert shape(await provider.get_messages("t1")) == [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2")]


async def test_two_messages_of_one_id_are_kept_once(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages("t1", [user("q1", "u1"), user("q1", "u1")])
    await provider.save_messages("t1", [user("q1", "u1"), user("q2", "u2")])
    assert [m.text for m in await provider.get_messages("t1")] == ["q1", "q2"]


async def test_an_id_that_no_store_can_take_is_kept_in_the_message(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    ids = ["x" * 600, "", "\ud800"]
    await provider.save_messages("t1", [user("q", id) for id in ids])
    assert [m.message_id for m in await provider.get_messages("t1")] == ids


def new(history: list[Message], incoming: list[Message], known: Collection[str] = ()) -> list[tuple[str, str]]:
    return shape(find_new(history, incoming, known))


def test_the_same_words_of_a_person_are_new() -> None:
    history = [user("continue"), said("Done.")]
    assert new(history, [user("continue")]) == [("user", "continue")]
    assert new([user("continue")], [user("continue")]) == [("user", "continue")]


def test_a_replayed_transcript_without_ids_ends_where_the_history_ends() -> None:
    history = [user("continue"), said("Done."), user("continue"), said("Done.")]
    assert new(history, [*history, user("continue")]) == [("user", "continue")]
    assert new(history[2:], [*history, user("continue")]) == [("user", "continue")]
    assert new(history, [*history[2:], user("more")]) == [("user", "more")]


def test_a_transcript_that_the_history_does_not_know_is_new() -> None:
    shots = [user("2+2?"), said("4"), user("3+3?")]
    assert new([user("1+1?"), said("2")], shots) == shape(shots)


def test_what_stands_before_a_known_message_of_a_transcript_is_older() -> None:
    trimmed = [said("a2", "m4")]
    replay = [user("q1", "m1"), said("a1", "m2"), user("q2", "m3"), said("a2", "m4"), user("q3", "m5")]
    assert new(trimmed, replay) == [("user", "q3")]


def test_ids_beyond_the_loaded_history_are_known_too() -> None:
    assert new([], [user("q1", "u1"), user("q2", "u2")], {"u1"}) == [("user", "q2")]
