"""Many writers and more than one event loop: nothing is lost, doubled or torn."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest
from agent_framework import AgentSession, Message

import clew
from clew import Store
from clew.adapters.agent_framework import ClewHistoryProvider

from .driver import ScriptedChatClient, make_agent


async def test_eight_concurrent_saves_of_two_messages_keep_each_once(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    pair = [Message("user", ["q"], message_id="m1"), Message("assistant", ["a"], message_id="m2")]
    await asyncio.gather(*(provider.save_messages("t1", pair) for _ in range(8)))
    assert [m.message_id for m in await provider.get_messages("t1")] == ["m1", "m2"]


async def test_concurrent_turns_stay_whole(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")

    async def turn(n: int) -> None:
        agent = make_agent(ScriptedChatClient([f"a{n}"]), provider)
        await agent.run(f"q{n}", session=AgentSession(session_id="t1"))

    await asyncio.gather(*(turn(n) for n in range(20)))
    texts = [m.text for m in await provider.get_messages("t1")]
    assert sorted(texts) == sorted([f"q{n}" for n in range(20)] + [f"a{n}" for n in range(20)])
    assert all(texts[i + 1] == "a" + texts[i][1:] for i in range(0, 40, 2))


@pytest.fixture
def ending_loops() -> Iterator[None]:
    """Event loops end in this test, and nobody closes what was opened in them: the interpreter says so when it finds it."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("ending_loops")
def test_one_provider_serves_one_event_loop_after_the_other(lasting_url: str) -> None:
    provider = ClewHistoryProvider(lasting_url, owner="ada")
    client = ScriptedChatClient(["a1", "a2", "a3"])
    agent = make_agent(client, provider)
    session = AgentSession(session_id="t1")

    async def turn(text: str, *, last: bool = False) -> None:
        await agent.run(text, session=session)
        if last:
            await provider.aclose()

    asyncio.run(turn("q1"))
    asyncio.run(turn("q2"))
    asyncio.run(turn("q3", last=True))
    assert client.texts_sent() == ["q1", "a1", "q2", "a2", "q3"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("ending_loops")
def test_a_store_opened_in_one_event_loop_serves_the_next(lasting_url: str) -> None:
    client = ScriptedChatClient(["a1", "a2"])

    async def first() -> Store:
        store = await clew.connect(lasting_url)
        await make_agent(client, ClewHistoryProvider(store, owner="ada")).run("q1", session=AgentSession(session_id="t1"))
        return store

    async def second(store: Store) -> None:
        await make_agent(client, ClewHistoryProvider(store, owner="ada")).run("q2", session=AgentSession(session_id="t1"))
        await store.aclose()

    asyncio.run(second(asyncio.run(first())))
    assert client.texts_sent() == ["q1", "a1", "q2"]


async def test_concurrent_first_calls_open_the_store_once(lasting_url: str) -> None:
    async with ClewHistoryProvider(lasting_url, owner="ada") as provider:
        await asyncio.gather(*(provider.save_messages(f"t{n}", [Message("user", ["q"])]) for n in range(10)))
        assert len(await provider.list_sessions()) == 10


async def test_two_processes_in_one_thread_see_each_others_turns(lasting_url: str) -> None:
    async with clew.connect(lasting_url) as one, clew.connect(lasting_url) as two:
        clients = [ScriptedChatClient([f"{name}{n}" for n in range(9)]) for name in "ab"]
        agents = [
            make_agent(client, ClewHistoryProvider(store, owner="ada")) for client, store in zip(clients, (one, two), strict=True)
        ]
        sessions = [AgentSession(session_id="t1") for _ in agents]
        said: list[str] = []
        for n in range(3):
            for client, agent, session, name in zip(clients, agents, sessions, "ab", strict=True):
                await agent.run(f"q{name}{n}", session=session)
                said += [f"q{name}{n}"]
                assert client.texts_sent() == said
                said += [f"{name}{n}"]
