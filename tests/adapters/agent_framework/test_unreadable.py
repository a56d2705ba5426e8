"""A record that cannot be read is left out, reported once, and kept; the session goes on."""

from __future__ import annotations

import logging

import pytest
from agent_framework import AgentSession, Message

from clew import NewItem, Ref, Store
from clew.adapters.agent_framework import CODEC, ClewHistoryProvider, Unreadable

from .driver import ScriptedChatClient, make_agent

BAD = {
    "no JSON": b"{",
    "no object": b'"message"',
    "no contents": b'{"type":"message","role":"user"}',
    "contents of another kind": b'{"type":"message","role":"user","contents":7}',
    "an unknown key in a content": b'{"type":"message","role":"user","contents":[{"type":"text","text":"x","colour":"red"}]}',
    "an unknown key in the message": b'{"type":"message","role":"user","contents":[],"colour":"red"}',
    "another type": b'{"type":"chat_response","messages":[]}',
    "a role that is none": b'{"type":"message","role":7,"contents":[]}',
    "a text that is none": b'{"type":"message","role":"user","contents":[{"type":"text","text":7}]}',
    "nesting without end": b'{"type":"message","role":"user","contents":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "broken UTF-8": b'{"type":"message","role":"user","contents":[{"type":"text","text":"\xff"}]}',
}


async def spoil(store: Store, data: bytes, codec: str = CODEC) -> None:
    """Put a bad record between two good ones."""
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages("t1", [Message("user", ["before"])])
    await store.items.append(Ref("ada", "t1"), NewItem(data, codec=codec, id="bad"))
    await provider.save_messages("t1", [Message("assistant", ["after"])])


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
async def test_a_corrupt_record_is_left_out_and_reported_once(
    store: Store, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await spoil(store, data)
    reported: list[Unreadable] = []
    provider = ClewHistoryProvider(store, owner="ada", on_unreadable=reported.append)
    client = ScriptedChatClient(["one", "two"])
    agent = make_agent(client, provider)
    session = AgentSession(session_id="t1")
    with caplog.at_level(logging.WARNING):
        await agent.run("q1", session=session)
        await agent.run("q2", session=session)
    assert client.texts_sent() == ["before", "after", "q1", "one", "q2"]
    assert [(r.thread_id, r.position, r.id) for r in reported] == [("t1", 2, "bad")]
    assert provider.unreadable == tuple(reported)
    assert [r.getMessage() for r in caplog.records if "position 2" in r.getMessage()] != []
    assert len([r for r in caplog.records if "position 2" in r.getMessage()]) == 1
    assert (await store.items.get(Ref("ada", "t1"), "bad")).data == data


@pytest.mark.parametrize(("codec", "word"), [("agent_framework.message/2", "newer"), ("openai.responses/1", "another program")])
async def test_a_record_of_another_codec_is_left_out_and_says_whose_it_is(store: Store, codec: str, word: str) -> None:
    await spoil(store, b"{}", codec)
    provider = ClewHistoryProvider(store, owner="ada")
    assert [m.text for m in await provider.get_messages("t1")] == ["before", "after"]
    assert word in provider.unreadable[0].reason
    assert codec in provider.unreadable[0].reason


async def test_a_report_never_holds_what_was_said(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    await spoil(store, b'{"type":"message","role":"user","contents":[{"type":"text","text":"s3cret","s3cret":1}]}')
    provider = ClewHistoryProvider(store, owner="ada")
    with caplog.at_level(logging.DEBUG):
        await provider.get_messages("t1")
    assert "s3cret" not in caplog.text
    assert "s3cret" not in repr(provider.unreadable)


async def test_a_callback_that_fails_does_not_stop_the_session(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    await spoil(store, b"{")

    def fail(record: Unreadable) -> None:
        raise RuntimeError("no mail today")

    provider = ClewHistoryProvider(store, owner="ada", on_unreadable=fail)
    with caplog.at_level(logging.ERROR):
        assert [m.text for m in await provider.get_messages("t1")] == ["before", "after"]
    assert "no mail today" in caplog.text
