"""`max_messages`: the newest are kept, and a call is never parted from its results."""

from __future__ import annotations

import pytest
from agent_framework import AgentSession, Message

from clew import Ref, Store
from clew.adapters.agent_framework import ClewHistoryProvider
from clew.errors import InvalidError

from .driver import ScriptedChatClient, calls, make_agent, run_streaming, shape


async def stored(store: Store, thread: str) -> int:
    return len(await store.items.tail(Ref("ada", thread), 1000))


async def test_only_the_newest_messages_stay(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada", max_messages=4)
    agent = make_agent(ScriptedChatClient([str(n) for n in range(5)]), provider)
    session = agent.create_session()
    for n in range(5):
        await agent.run(f"q{n}", session=session)
    assert shape(await provider.get_messages(session.session_id)) == [
        ("user", "q3"),
        ("assistant", "3"),
        ("user", "q4"),
        ("assistant", "4"),
    ]
    assert await stored(store, session.session_id) == 4


async def test_the_cut_never_parts_a_call_from_its_results(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada", max_messages=4)
    client = ScriptedChatClient(
        [calls("a1", "a2", "a3"), "sunny", calls("b1", "b2"), "sunny", calls("c1"), "sunny", "fine", "bye"]
    )
    agent = make_agent(client, provider)
    session = agent.create_session()
    for n in range(5):
        await agent.run(f"q{n}", session=session)
        items = await store.items.tail(Ref("ada", session.session_id), 1000)
        called = {link for item in items if item.kind == "tool_call" for link in item.links}
        answered = {link for item in items if item.kind == "tool_result" for link in item.links}
        assert called == answered
        assert len(items) <= 8
    for sent in client.sent:
        opened: set[str | None] = set()
        for message in sent:
            for content in message.contents:
                if content.type == "function_call":
                    opened.add(content.call_id)
                elif content.type == "function_result":
                    assert content.call_id in opened
                    opened.remove(content.call_id)
        assert not opened


async def test_a_thread_that_grew_without_a_limit_is_cut_at_the_next_save(store: Store) -> None:
    free = ClewHistoryProvider(store, owner="ada")
    for n in range(30):
        await free.save_messages("t1", [Message("user", [f"q{n}"])])
    limited = ClewHistoryProvider(store, owner="ada", max_messages=5)
    agent = make_agent(ScriptedChatClient(["a"]), limited)
    await agent.run("q", session=AgentSession(session_id="t1"))
    assert await stored(store, "t1") == 5


async def test_a_direct_save_is_cut_too(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada", max_messages=3)
    for n in range(6):
        await provider.save_messages("t1", [Message("user", [f"q{n}"])])
    assert await stored(store, "t1") == 3
    assert [m.text for m in await provider.get_messages("t1")] == ["q3", "q4", "q5"]


async def test_a_batch_longer_than_the_limit_is_cut_when_it_is_read(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada", max_messages=3)
    await provider.save_messages("t1", [Message("user", [f"q{n}"]) for n in range(10)])
    assert [m.text for m in await provider.get_messages("t1")] == ["q7", "q8", "q9"]
    await provider.save_messages("t1", [Message("user", ["last"])])
    assert await stored(store, "t1") == 3


async def test_the_cut_works_for_streams(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada", max_messages=2)
    agent = make_agent(ScriptedChatClient(["one", "two", "three"]), provider)
    session = agent.create_session()
    for n in range(3):
        await run_streaming(agent, f"q{n}", session)
    assert shape(await provider.get_messages(session.session_id)) == [("user", "q2"), ("assistant", "three")]


@pytest.mark.parametrize("limit", [0, -1, True, 2.5, "4"])
async def test_a_limit_that_is_none_is_refused_at_once(limit: object) -> None:
    with pytest.raises(InvalidError, match="max_messages"):
        ClewHistoryProvider("memory://", owner="ada", max_messages=limit)  # type: ignore[arg-type]
