"""A turn costs one read and one commit, however it is run: counted at the waist, and in the server's own statistics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from agent_framework import AgentSession, Message

import clew
from clew import Store
from clew.adapters.agent_framework import ClewHistoryProvider
from servers import Server, find

from .driver import Line, ScriptedChatClient, calls, make_agent, run_streaming
from .wrapped import Watched

OPTIONS: list[dict[str, Any]] = [{}, {"max_messages": 4}, {"branching": True}, {"branching": True, "max_messages": 4}]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that nobody else talks to, so that its statistics are ours."""
    running = Server(find("valkey-9.1")).start()
    yield running
    running.stop()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("streaming", [False, True])
async def test_every_turn_is_one_read_and_one_commit(store: Store, options: dict[str, Any], streaming: bool) -> None:
    watched = Watched(store.backend)
    provider = ClewHistoryProvider(Store(watched), owner="ada", **options)
    agent = make_agent(ScriptedChatClient([line for n in range(6) for line in (calls(f"c{n}"), f"a{n}")]), provider)
    session = agent.create_session()
    for n in range(6):
        watched.calls.clear()
        if streaming:
            await run_streaming(agent, f"q{n}", session)
        else:
            await agent.run(f"q{n}", session=session)
        assert dict(watched.calls) == {"read": 1, "commit": 1}, f"turn {n}"


@pytest.mark.parametrize("options", OPTIONS, ids=str)
async def test_saving_round_each_model_call_is_one_read_and_one_commit_a_call(store: Store, options: dict[str, Any]) -> None:
    watched = Watched(store.backend)
    provider = ClewHistoryProvider(Store(watched), owner="ada", **options)
    script: list[Line] = [calls("c1"), calls("c2"), "a"]
    agent = make_agent(ScriptedChatClient(script), provider, require_per_service_call_history_persistence=True)
    await agent.run("q", session=AgentSession(session_id="t1"))
    assert dict(watched.calls) == {"read": 3, "commit": 3}


def trips(server: Server) -> tuple[int, dict[str, int]]:
    """Return how often the server has read a socket, and how often it has run each command."""
    stats: dict[str, Any] = server.info("commandstats")
    ran = {name.removeprefix("cmdstat_"): int(line["calls"]) for name, line in stats.items()}
    return int(server.info("stats")["total_reads_processed"]), ran


@pytest.mark.parametrize("options", [{}, {"max_messages": 4}], ids=str)
async def test_a_turn_is_two_requests_on_the_wire(server: Server, options: dict[str, Any]) -> None:
    async with clew.connect(server.url) as store:
        provider = ClewHistoryProvider(store, owner=f"wire{len(options)}", **options)
        agent = make_agent(ScriptedChatClient([f"a{n}" for n in range(9)]), provider)
        session = agent.create_session()
        for n in range(4):
            await agent.run(f"q{n}", session=session)
        reads, before = trips(server)
        overhead = trips(server)[0] - reads
        reads, before = trips(server)
        for n in range(4, 9):
            await agent.run(f"q{n}", session=session)
        reads_after, after = trips(server)
    assert reads_after - reads - overhead == 2 * 5
    ran = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    assert ran["evalsha"] + ran.get("evalsha_ro", 0) >= 5


async def test_a_long_thread_without_a_limit_is_asked_for_at_once(server: Server) -> None:
    async with clew.connect(server.url) as store:
        provider = ClewHistoryProvider(store, owner="long")
        for start in range(0, 3_500, 500):
            await provider.save_messages("t1", [Message("user", [f"m{n}"]) for n in range(start, start + 500)])
        client = ScriptedChatClient(["a", "b", "c"])
        agent = make_agent(client, provider)
        session = AgentSession(session_id="t1")
        await agent.run("q1", session=session)
        reads, _ = trips(server)
        overhead = trips(server)[0] - reads
        reads, _ = trips(server)
        await agent.run("q2", session=session)
        # Of four pages asked for at once, the first goes out by itself, and the others follow without waiting for it.
        assert trips(server)[0] - reads - overhead <= 3
    assert client.texts_sent() == [*(f"m{n}" for n in range(3_500)), "q1", "a", "q2"]
