"""Where the model's service keeps the conversation, history is not sent along, and every message is still saved."""

from __future__ import annotations

import logging

import pytest
from agent_framework import AgentSession, Message

from clew import Store
from clew.adapters.agent_framework import ClewHistoryProvider

from .driver import ScriptedChatClient, make_agent, run_streaming, shape


@pytest.mark.parametrize("streaming", [False, True])
async def test_nothing_is_sent_twice_to_a_service_that_remembers(
    store: Store, streaming: bool, caplog: pytest.LogCaptureFixture
) -> None:
    client = ScriptedChatClient(["a1", "a2", "a3"], conversation="resp_1")
    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(client, provider)
    session = agent.create_session()
    with caplog.at_level(logging.WARNING, logger="clew"):
        for text in ("q1", "q2", "q3"):
            if streaming:
                await run_streaming(agent, text, session)
            else:
                await agent.run(text, session=session)
    assert [client.texts_sent(call) for call in range(3)] == [["q1"], ["q2"], ["q3"]]
    assert shape(await provider.get_messages(session.session_id)) == [
        (role, f"{letter}{n}") for n in (1, 2, 3) for role, letter in (("user", "q"), ("assistant", "a"))
    ]
    assert len([r for r in caplog.records if "twice" in r.getMessage()]) == 1


async def test_a_service_that_knows_nothing_yet_is_given_the_history_once(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages("t1", [Message("user", ["q0"]), Message("assistant", ["a0"])])
    client = ScriptedChatClient(["a1", "a2"], conversation="resp_1")
    agent = make_agent(client, provider)
    session = AgentSession(session_id="t1")
    await agent.run("q1", session=session)
    await agent.run("q2", session=session)
    assert [client.texts_sent(call) for call in range(2)] == [["q0", "a0", "q1"], ["q2"]]


async def test_a_conversation_named_in_the_options_counts_too(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages("t1", [Message("user", ["q0"])])
    client = ScriptedChatClient(["a1"])
    agent = make_agent(client, provider)
    await agent.run("q1", session=AgentSession(session_id="t1"), options={"conversation_id": "conv_1"})
    assert client.texts_sent() == ["q1"]


async def test_saving_round_each_model_call_works_with_store_false(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages("t1", [Message("user", ["q0"]), Message("assistant", ["a0"])])
    client = ScriptedChatClient(["a1"], conversation="resp_1")
    client.conversation = None
    agent = make_agent(client, provider, require_per_service_call_history_persistence=True)
    await agent.run("q1", session=AgentSession(session_id="t1"), options={"store": False})
    assert client.texts_sent() == ["q0", "a0", "q1"]


async def test_a_provider_that_only_records_loads_nothing(store: Store) -> None:
    recorder = ClewHistoryProvider(store, owner="audit", source_id="audit", load_messages=False)
    client = ScriptedChatClient(["Done.", "Done."], answer_id="chatcmpl-1")
    agent = make_agent(client, recorder)
    session = agent.create_session()
    for _ in range(2):
        await agent.run("continue", session=session)
    assert len(await recorder.get_messages(session.session_id)) == 4
