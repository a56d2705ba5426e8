"""The same turns on every kind of server: alone, with TLS, in a cluster, behind Sentinel."""

from __future__ import annotations

from agent_framework import AgentSession

from clew.adapters.agent_framework import ClewHistoryProvider

from .driver import ScriptedChatClient, calls, make_agent, run_streaming, shape


async def test_a_conversation_is_kept_and_cut_on_every_kind_of_server(redis_url: str) -> None:
    client = ScriptedChatClient(["a1", calls("c1", "c2"), "a2", "a3"])
    async with ClewHistoryProvider(redis_url, owner="ada:{x}", prefix="lab11:", max_messages=5) as provider:
        agent = make_agent(client, provider)
        session = AgentSession(session_id="thread_1")
        await agent.run("q1", session=session)
        await agent.run("q2", session=session)
        await run_streaming(agent, "q3", session)
        assert shape(await provider.get_messages("thread_1")) == [
            ("assistant", "c1,c2"),
            ("tool", "c1,c2"),
            ("assistant", "a2"),
            ("user", "q3"),
            ("assistant", "a3"),
        ]
        assert [(t.id, t.title) for t in await provider.list_sessions()] == [("thread_1", "q1")]
