"""What surrounds the messages: threads with titles, lists, clearing, and a state that pauses and resumes."""

from __future__ import annotations

import json

import pytest
from agent_framework import AgentSession, Message

import clew
from clew import Ref, Store
from clew.adapters.agent_framework import ClewHistoryProvider
from clew.errors import ClosedError, GoneError, InvalidError

from .driver import ScriptedChatClient, make_agent


async def test_the_first_user_message_is_the_title(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(ScriptedChatClient(["a", "b"]), provider)
    session = agent.create_session()
    await agent.run("  How do I\n\x1b[31m bake bread, and why would anybody want to know that at all today?", session=session)
    await agent.run("And cake?", session=session)
    thread = await store.threads.get(Ref("ada", session.session_id))
    assert thread.title == "How do I [31m bake bread, and why would anybody want to kno…"
    assert len(thread.title) <= 60


async def test_sessions_are_listed_newest_first_and_paged(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    for n in range(5):
        await provider.save_messages(f"t{n}", [Message("user", [f"q{n}"])])
    await provider.save_messages("t1", [Message("user", ["again"])])
    first = await provider.list_sessions(limit=3)
    second = await provider.list_sessions(limit=3, cursor=first.cursor)
    assert [t.id for t in [*first, *second]] == ["t1", "t4", "t3", "t2", "t0"]
    assert (first.has_more, second.has_more) == (True, False)
    assert first.data[0].title == "q1"


async def test_a_prefix_keeps_two_applications_of_one_owner_apart(store: Store) -> None:
    lab, web = (ClewHistoryProvider(store, owner="ada", prefix=prefix) for prefix in ("lab11:", "web:"))
    await lab.save_messages("t1", [Message("user", ["lab"])])
    await web.save_messages("t1", [Message("user", ["web"])])
    assert [m.text for m in await lab.get_messages("t1")] == ["lab"]
    assert [t.id for t in await lab.list_sessions()] == ["t1"]
    assert len(await store.items.tail(Ref("ada", "lab11:t1"))) == 1


async def test_a_cleared_session_is_empty_and_goes_on(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    client = ScriptedChatClient(["a1", "a2"])
    agent = make_agent(client, provider)
    session = agent.create_session()
    await agent.run("secret", session=session)
    await provider.clear(session.session_id)
    assert await provider.get_messages(session.session_id) == []
    assert [t.title for t in await provider.list_sessions()] == [None]
    await agent.run("q2", session=session)
    assert client.texts_sent() == ["q2"]
    await provider.clear("never was")


async def test_a_deleted_session_is_gone_and_says_so_before_the_model_is_paid(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    client = ScriptedChatClient(["a1"])
    agent = make_agent(client, provider)
    session = agent.create_session()
    await agent.run("q1", session=session)
    assert await provider.delete(session.session_id) is True
    assert await provider.delete("never was") is False
    with pytest.raises(GoneError):
        await agent.run("q2", session=session)
    assert len(client.sent) == 1
    assert (await provider.list_sessions()).data == []


async def test_calls_without_a_session_use_the_providers_own_thread(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages(None, [Message("user", ["q"])])
    assert [m.text for m in await provider.get_messages(None)] == ["q"]
    assert [t.id for t in await provider.list_sessions()] == [provider.thread_id]
    assert ClewHistoryProvider(store, owner="ada").thread_id != provider.thread_id


async def test_a_state_resumes_on_the_same_store(lasting_url: str) -> None:
    async with ClewHistoryProvider(lasting_url, owner="ada", prefix="lab11:", max_messages=3, thread_id="thread_1") as provider:
        await provider.save_messages(None, [Message("user", ["s3cret"])])
        paused = json.dumps(provider.to_dict())
    assert "s3cret" not in paused
    async with ClewHistoryProvider.from_dict(json.loads(paused)) as resumed:
        assert (resumed.thread_id, resumed.prefix, resumed.max_messages) == ("thread_1", "lab11:", 3)
        assert [m.text for m in await resumed.get_messages(None)] == ["s3cret"]


async def test_a_state_from_an_open_store_needs_a_store_again(store: Store) -> None:
    state = ClewHistoryProvider(store, owner="ada").to_dict()
    assert state["url"] is None
    with pytest.raises(InvalidError, match="no store is given"):
        ClewHistoryProvider.from_dict(state)
    assert ClewHistoryProvider.from_dict(state, store=store).thread_id == state["thread_id"]
    with pytest.raises(InvalidError, match="owner"):
        ClewHistoryProvider.from_dict({}, store=store)


@pytest.mark.parametrize("url", [None, "", "localhost:6379"])
def test_a_url_that_is_missing_fails_at_once(url: str | None) -> None:
    with pytest.raises(InvalidError, match=r"no store is given|no scheme"):
        ClewHistoryProvider(url, owner="ada")
    with pytest.raises(InvalidError, match=r"no store is given|no scheme"):
        ClewHistoryProvider(url=url, owner="ada")


@pytest.mark.parametrize(
    "options", [{"owner": ""}, {"owner": "ada", "on_save_error": "ignore"}, {"owner": "ada", "url": "memory://"}]
)
def test_options_that_make_no_sense_fail_at_once(options: dict[str, str]) -> None:
    with pytest.raises(InvalidError):
        ClewHistoryProvider("memory://", **options)  # type: ignore[arg-type]


async def test_a_closed_provider_says_so_and_leaves_a_given_store_open(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages("t1", [Message("user", ["q"])])
    await provider.aclose()
    await provider.aclose()
    with pytest.raises(ClosedError):
        await provider.get_messages("t1")
    assert len(await store.items.tail(Ref("ada", "t1"))) == 1


async def test_neither_the_name_nor_an_error_shows_a_password() -> None:
    provider = ClewHistoryProvider("redis://:s3cret@127.0.0.1:1/0?timeout=0.2", owner="ada")
    assert "s3cret" not in repr(provider)
    with pytest.raises(clew.errors.UnavailableError) as caught:
        await provider.get_messages("t1")
    assert "s3cret" not in str(caught.value)
    await provider.aclose()


async def test_the_sessions_state_is_plain_json_without_messages(store: Store) -> None:
    agent = make_agent(ScriptedChatClient(["a1"]), ClewHistoryProvider(store, owner="ada", branching=True))
    session = agent.create_session()
    await agent.run("s3cret", session=session)
    text = json.dumps(session.to_dict())
    assert "s3cret" not in text
    assert AgentSession.from_dict(json.loads(text)).state == session.state
