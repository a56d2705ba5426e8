"""A history longer than a page is loaded whole and in order, whatever was removed from it or added to it meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from agent_framework import AgentSession, Message

from clew import Ref, Store
from clew.adapters.agent_framework import ClewHistoryProvider, reading

from .driver import ScriptedChatClient, make_agent

THREAD = Ref("ada", "t1")


async def fill(store: Store, count: int, start: int = 0) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    for at in range(start, start + count, 500):
        batch = [Message("user", [f"m{n}"], message_id=f"id{n}") for n in range(at, min(at + 500, start + count))]
        await provider.save_messages("t1", batch)


async def test_a_thousand_messages_and_more_are_sent_in_order(store: Store) -> None:
    await fill(store, 2_300)
    client = ScriptedChatClient(["a", "b"])
    agent = make_agent(client, ClewHistoryProvider(store, owner="ada"))
    session = AgentSession(session_id="t1")
    await agent.run("q1", session=session)
    assert client.texts_sent() == [*(f"m{n}" for n in range(2_300)), "q1"]
    await agent.run("q2", session=session)
    assert client.texts_sent() == [*(f"m{n}" for n in range(2_300)), "q1", "a", "q2"]


async def test_a_limit_above_a_page_is_loaded_whole(store: Store) -> None:
    await fill(store, 2_300)
    provider = ClewHistoryProvider(store, owner="ada", max_messages=2_000)
    assert [m.text for m in await provider.get_messages("t1")] == [f"m{n}" for n in range(300, 2_300)]


@pytest.mark.parametrize(
    "span",
    [None, [1, 57], [1, 100], [30, 60], [1, 10], [95, 100], [1, 1_000_000], [200, 300], "nonsense", [0, 5], [7, 3], [1]],
)
async def test_a_remembered_span_is_only_a_hint(store: Store, monkeypatch: pytest.MonkeyPatch, span: Any) -> None:
    monkeypatch.setattr(reading, "PAGE", 7)
    monkeypatch.setattr(reading, "WAVE", 2)
    await fill(store, 100)
    provider = ClewHistoryProvider(store, owner="ada")
    expected = [f"m{n}" for n in range(100)]
    assert [m.text for m in await provider.get_messages("t1", state={"span": span})] == expected
    for n in (0, 12, 13, *range(20, 45), 98):
        await store.items.remove(THREAD, f"id{n}")
    expected = [f"m{n}" for n in range(100) if n not in (0, 12, 13, 98) and not 20 <= n < 45]
    assert [m.text for m in await provider.get_messages("t1", state={"span": span})] == expected
    await store.items.trim(THREAD, 20)
    assert [m.text for m in await provider.get_messages("t1", state={"span": span})] == expected[-20:]
    await fill(store, 40, 100)
    expected = expected[-20:] + [f"m{n}" for n in range(100, 140)]
    assert [m.text for m in await provider.get_messages("t1", state={"span": span})] == expected
    await store.items.truncate(THREAD, "id99")
    assert [m.text for m in await provider.get_messages("t1", state={"span": span})] == expected[:20]
    await store.items.truncate(THREAD, 0)
    assert await provider.get_messages("t1", state={"span": span}) == []
