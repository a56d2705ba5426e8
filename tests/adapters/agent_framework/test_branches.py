"""Copies of one session: by default one thread that all see, with `branching` each its own."""

from __future__ import annotations

import json
from typing import Any

from agent_framework import AgentSession

from clew import Store
from clew.adapters.agent_framework import ClewHistoryProvider

from .driver import ScriptedChatClient, make_agent


def copy_of(session: AgentSession) -> AgentSession:
    """Return the session as another process restores it."""
    return AgentSession.from_dict(json.loads(json.dumps(session.to_dict())))


async def play(store: Store, **options: Any) -> tuple[ScriptedChatClient, AgentSession, AgentSession, Any]:
    provider = ClewHistoryProvider(store, owner="ada", branching=True, **options)
    client = ScriptedChatClient([f"a{n}" for n in range(20)])
    agent = make_agent(client, provider)
    a = agent.create_session()
    await agent.run("root", session=a)
    return client, a, copy_of(a), agent


async def test_a_branch_never_sees_the_turns_of_the_other(store: Store) -> None:
    client, a, b, agent = await play(store)
    await agent.run("A1", session=a)
    await agent.run("B1", session=b)
    assert client.texts_sent() == ["root", "a0", "B1"]
    await agent.run("A2", session=a)
    assert client.texts_sent() == ["root", "a0", "A1", "a1", "A2"]
    await agent.run("B2", session=b)
    assert client.texts_sent() == ["root", "a0", "B1", "a2", "B2"]


async def test_a_branch_of_a_branch_sees_both_its_parents(store: Store) -> None:
    client, a, b, agent = await play(store)
    await agent.run("A1", session=a)
    await agent.run("B1", session=b)
    c = copy_of(b)
    await agent.run("B2", session=b)
    await agent.run("C1", session=c)
    assert client.texts_sent() == ["root", "a0", "B1", "a2", "C1"]


async def test_branches_restored_in_another_process_stay_apart(store: Store) -> None:
    _, a, b, agent = await play(store)
    await agent.run("A1", session=a)
    await agent.run("B1", session=b)
    client = ScriptedChatClient(["x", "y"])
    other = make_agent(client, ClewHistoryProvider(store, owner="ada", branching=True))
    await other.run("A2", session=copy_of(a))
    assert client.texts_sent() == ["root", "a0", "A1", "a1", "A2"]
    await other.run("B2", session=copy_of(b))
    assert client.texts_sent() == ["root", "a0", "B1", "a2", "B2"]


async def test_a_session_without_a_state_goes_on_with_the_newest_branch(store: Store) -> None:
    client, a, b, agent = await play(store)
    await agent.run("A1", session=a)
    await agent.run("B1", session=b)
    await agent.run("new", session=AgentSession(session_id=a.session_id))
    assert client.texts_sent() == ["root", "a0", "B1", "a2", "new"]


async def test_a_limit_counts_the_branch_and_not_what_stands_between(store: Store) -> None:
    client, a, b, agent = await play(store, max_messages=4)
    for n in range(5):
        await agent.run(f"A{n}", session=a)
    await agent.run("B1", session=b)
    await agent.run("B2", session=b)
    await agent.run("A", session=a)
    assert client.texts_sent() == ["A3", "a4", "A4", "a5", "A"]
    await agent.run("B3", session=b)
    assert client.texts_sent()[-5:] == ["B1", "a6", "B2", "a7", "B3"]


async def test_without_branching_every_copy_sees_every_turn(store: Store) -> None:
    client = ScriptedChatClient([f"a{n}" for n in range(5)])
    agent = make_agent(client, ClewHistoryProvider(store, owner="ada"))
    a = agent.create_session()
    await agent.run("root", session=a)
    b = copy_of(a)
    await agent.run("A1", session=a)
    await agent.run("B1", session=b)
    assert client.texts_sent() == ["root", "a0", "A1", "a1", "B1"]
