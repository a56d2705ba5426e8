"""Long conversations over a store that fails at random: in the end every message is there once, and in order."""

from __future__ import annotations

import random
from typing import Any

import pytest
from agent_framework import AgentSession

from clew import Store
from clew.adapters.agent_framework import ClewHistoryProvider

from .driver import Line, ScriptedChatClient, calls, make_agent, run_streaming, shape
from .wrapped import Watched


@pytest.mark.parametrize("seed", [0, 1, 3, 8, 17, 30])
@pytest.mark.parametrize("options", [{}, {"branching": True}, {"per_call": True}, {"max_messages": 6}], ids=str)
async def test_every_message_is_there_once_and_in_order(store: Store, options: dict[str, Any], seed: int) -> None:
    chance = random.Random(seed)
    watched = Watched(store.backend)
    per_call = options.get("per_call", False)
    provider = ClewHistoryProvider(Store(watched), owner="ada", **{k: v for k, v in options.items() if k != "per_call"})
    script: list[Line] = []
    expected: list[tuple[str, str]] = []
    for n in range(25):
        question, answer = ("user", "go on"), ("assistant", "Done.")
        if chance.random() < 0.3:
            script += [calls(f"c{n}", f"d{n}"), "Done."]
            expected += [question, ("assistant", f"c{n},d{n}"), ("tool", f"c{n},d{n}"), answer]
        else:
            script += ["Done."]
            expected += [question, answer]
    client = ScriptedChatClient(script, answer_id="chatcmpl-1")
    agent = make_agent(client, provider, require_per_service_call_history_persistence=per_call)
    session = AgentSession(session_id="t1")
    for _ in range(25):
        watched.fail = chance.choice(["no", "before", "after"])
        if chance.random() < 0.3:
            await run_streaming(agent, "go on", session)
        else:
            await agent.run("go on", session=session)
        if chance.random() < 0.2 and not options.get("branching"):
            session = AgentSession.from_dict(session.to_dict())
    watched.fail = "no"
    await provider.aclose()
    assert provider.unsaved(session) == []
    fresh = ClewHistoryProvider(store, owner="ada")
    stored = shape(await fresh.get_messages("t1"))
    if "max_messages" in options:
        # Mended where a call had been parted from its results, which would show here.
        assert 0 < len(stored) < len(expected)
        assert stored == expected[-len(stored) :]
    else:
        assert stored == expected
        assert shape(client.sent[-1]) == expected[: len(client.sent[-1])]
