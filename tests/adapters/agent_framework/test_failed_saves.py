"""A save that fails: the answer arrives all the same, everybody can see that it is not saved, and it is saved later, once."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from agent_framework import AgentSession, Message

import clew
from clew import Store
from clew.adapters.agent_framework import ClewHistoryProvider, outbox
from clew.adapters.agent_framework.selection import Run
from clew.errors import FullError, UnavailableError
from servers import Server, find
from tests.support import wait_until, with_options

from .driver import ScriptedChatClient, hang, make_agent, run_streaming, shape
from .wrapped import Watched

TURN = [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2"), ("user", "q3"), ("assistant", "a3")]


@pytest.fixture
async def watched(store: Store) -> Watched:
    """The backend of the test's store."""
    return Watched(store.backend)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this module's own, which keeps what it acknowledged when it is killed."""
    running = Server(find("valkey-9.1"), durable=True).start()
    yield running
    running.stop()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_failed_save_gives_the_answer_and_is_made_good_by_the_next_one(
    watched: Watched, when: Any, streaming: bool, caplog: pytest.LogCaptureFixture
) -> None:
    provider = ClewHistoryProvider(Store(watched), owner="ada")
    client = ScriptedChatClient(["a1", "a2", "a3"])
    agent = make_agent(client, provider)
    session = AgentSession(session_id="t1")
    await agent.run("q1", session=session)
    watched.fail = when
    with caplog.at_level(logging.ERROR):
        if streaming:
            assert await run_streaming(agent, "q2", session) == "a2"
        else:
            assert (await agent.run("q2", session=session)).text == "a2"
    assert [r.levelname for r in caplog.records if "2 messages are not saved yet" in r.getMessage()] == ["ERROR"]
    assert session.state["clew"]["saved"] is False
    assert shape(provider.unsaved(session)) == TURN[2:4]
    watched.fail = "no"
    await agent.run("q3", session=session)
    assert client.texts_sent() == ["q1", "a1", "q2", "a2", "q3"]
    assert session.state["clew"]["saved"] is True
    assert provider.unsaved(session) == []
    assert shape(await ClewHistoryProvider(Store(watched), owner="ada").get_messages("t1")) == TURN


@pytest.mark.parametrize("when", ["before", "after"])
async def test_with_raise_the_error_arrives_and_the_messages_still_wait(watched: Watched, when: Any) -> None:
    provider = ClewHistoryProvider(Store(watched), owner="ada", on_save_error="raise")
    agent = make_agent(ScriptedChatClient(["a1", "a2", "a3"]), provider)
    session = AgentSession(session_id="t1")
    await agent.run("q1", session=session)
    watched.fail = when
    with pytest.raises(UnavailableError):
        await agent.run("q2", session=session)
    assert session.state["clew"]["saved"] is False
    watched.fail = "no"
    await provider.flush()
    await agent.run("q3", session=session)
    assert shape(await provider.get_messages("t1")) == TURN


async def test_closing_tries_once_more(watched: Watched) -> None:
    provider = ClewHistoryProvider(Store(watched), owner="ada")
    agent = make_agent(ScriptedChatClient(["a1"]), provider)
    watched.fail = "before"
    await agent.run("q1", session=AgentSession(session_id="t1"))
    watched.fail = "no"
    await provider.aclose()
    assert shape(await ClewHistoryProvider(Store(watched), owner="ada").get_messages("t1")) == TURN[:2]


@pytest.mark.parametrize("mode", ["report", "raise"])
async def test_closing_says_what_could_not_be_saved(watched: Watched, mode: Any, caplog: pytest.LogCaptureFixture) -> None:
    provider = ClewHistoryProvider(Store(watched), owner="ada", on_save_error=mode)
    watched.fail = "before"
    agent = make_agent(ScriptedChatClient(["a1"]), provider)
    if mode == "raise":
        with pytest.raises(UnavailableError):
            await agent.run("q1", session=AgentSession(session_id="t1"))
        with pytest.raises(UnavailableError):
            await provider.aclose()
    else:
        await agent.run("q1", session=AgentSession(session_id="t1"))
        with caplog.at_level(logging.ERROR):
            await provider.aclose()
        assert "closed with 2 messages that could not be saved" in caplog.text
    assert shape(provider.unsaved("t1")) == TURN[:2]


async def test_what_waits_is_bounded_and_then_refused_aloud(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 3)
    provider = ClewHistoryProvider(Store(watched), owner="ada")
    agent = make_agent(ScriptedChatClient(["a1", "a2"]), provider)
    watched.fail = "before"
    await agent.run("q1", session=AgentSession(session_id="t1"))
    with pytest.raises(FullError, match="wait to be saved"):
        await agent.run("q2", session=AgentSession(session_id="t2"))


async def test_concurrent_saves_that_fail_are_all_made_good_in_one_commit(watched: Watched) -> None:
    provider = ClewHistoryProvider(Store(watched), owner="ada")
    agent = make_agent(ScriptedChatClient([f"a{n}" for n in range(9)]), provider)
    await agent.run("q", session=AgentSession(session_id="t1"))
    watched.fail = "after"
    await asyncio.gather(*(agent.run(f"q{n}", session=AgentSession(session_id="t1")) for n in range(8)))
    # What another run's load has found in the store meanwhile does not wait any more.
    assert provider.unsaved("t1") != []
    watched.fail = "no"
    watched.calls.clear()
    await provider.flush()
    assert watched.calls["commit"] == 1
    assert provider.unsaved("t1") == []
    stored = [m.text for m in await provider.get_messages("t1")]
    assert sorted(stored) == sorted(["q", *(f"q{n}" for n in range(8)), *(f"a{n}" for n in range(9))])


async def test_a_caller_of_its_own_is_told_and_keeps_its_messages(watched: Watched) -> None:
    provider = ClewHistoryProvider(Store(watched), owner="ada")
    message = Message("user", ["q"], message_id="m1")
    watched.fail = "after"
    with pytest.raises(UnavailableError):
        await provider.save_messages("t1", [message])
    assert provider.unsaved("t1") == []
    watched.fail = "no"
    await provider.save_messages("t1", [message])
    assert len(await provider.get_messages("t1")) == 1


async def test_a_store_that_is_away_fails_before_the_model_is_paid(watched: Watched) -> None:
    provider = ClewHistoryProvider(Store(watched), owner="ada")
    client = ScriptedChatClient(["a1"])
    watched.away = True
    with pytest.raises(UnavailableError):
        await make_agent(client, provider).run("q1", session=AgentSession(session_id="t1"))
    assert client.sent == []


async def test_a_server_killed_between_load_and_save_does_not_take_the_answer_with_it(server: Server) -> None:
    async with clew.connect(with_options(server.url, timeout=0.5)) as store:
        provider = ClewHistoryProvider(store, owner="killed")

        async def answer_while_it_dies() -> str:
            await asyncio.to_thread(server.kill)
            return "a2"

        client = ScriptedChatClient(["a1", answer_while_it_dies, "a3"])
        agent = make_agent(client, provider)
        session = AgentSession(session_id="t1")
        await agent.run("q1", session=session)
        assert (await agent.run("q2", session=session)).text == "a2"
        assert session.state["clew"]["saved"] is False
        await asyncio.to_thread(server.restart)
        await agent.run("q3", session=session)
        assert session.state["clew"]["saved"] is True
        assert client.texts_sent() == ["q1", "a1", "q2", "a2", "q3"]
        assert shape(await ClewHistoryProvider(store, owner="killed").get_messages("t1")) == TURN


async def test_a_model_that_fails_leaves_the_history_as_it_was(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(ScriptedChatClient(["a1", ConnectionError("model away"), "a2"]), provider)
    session = AgentSession(session_id="t1")
    await agent.run("q1", session=session)
    with pytest.raises(ConnectionError):
        await agent.run("lost", session=session)
    await agent.run("q2", session=session)
    assert shape(await provider.get_messages("t1")) == TURN[:4]


async def test_runs_are_forgotten_when_they_are_over(store: Store) -> None:
    async def fail() -> str:
        raise ConnectionError("model away")

    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(ScriptedChatClient(["a1", fail]), provider)
    await agent.run("q1", session=AgentSession(session_id="t1"))
    with pytest.raises(ConnectionError):
        await agent.run("q2", session=AgentSession(session_id="t1"))
    gc.collect()
    assert [thing for thing in gc.get_objects() if isinstance(thing, Run)] == []


async def test_a_run_that_is_cancelled_leaves_the_history_as_it_was(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    client = ScriptedChatClient(["a1", hang, "a2"])
    agent = make_agent(client, provider)
    session = AgentSession(session_id="t1")
    await agent.run("q1", session=session)
    run = asyncio.ensure_future(agent.run("lost", session=session))
    await wait_until(lambda: len(client.sent) == 2)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await agent.run("q2", session=session)
    assert shape(await provider.get_messages("t1")) == TURN[:4]


async def test_a_run_that_is_cancelled_while_it_saves_is_saved_by_the_next_one(watched: Watched) -> None:
    provider = ClewHistoryProvider(Store(watched), owner="ada")
    agent = make_agent(ScriptedChatClient(["a1", "a2", "a3"]), provider)
    session = AgentSession(session_id="t1")
    await agent.run("q1", session=session)
    watched.held = asyncio.Event()
    before = watched.calls["commit"]
    run = asyncio.ensure_future(agent.run("q2", session=session))
    await wait_until(lambda: watched.calls["commit"] > before)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert session.state["clew"]["saved"] is False
    assert shape(provider.unsaved(session)) == TURN[2:4]
    watched.held = None
    await agent.run("q3", session=session)
    assert session.state["clew"]["saved"] is True
    assert shape(await provider.get_messages("t1")) == TURN


async def test_a_stream_that_is_abandoned_leaves_the_history_as_it_was(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(ScriptedChatClient(["a1", "abandoned", "a2"]), provider)
    session = AgentSession(session_id="t1")
    await agent.run("q1", session=session)
    async for _ in agent.run("lost", session=session, stream=True):
        break
    await agent.run("q2", session=session)
    assert shape(await provider.get_messages("t1")) == TURN[:4]
