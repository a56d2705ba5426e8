"""What a person notices: the agent remembers, in this process and in the next, and says nothing twice."""

from __future__ import annotations

import time

from agent_framework import AgentSession, Message

import clew
from clew import Ref, Store
from clew.adapters.agent_framework import CODEC, ClewHistoryProvider

from .driver import ScriptedChatClient, calls, make_agent, run_streaming, shape


async def test_the_model_is_sent_what_was_said_before(store: Store) -> None:
    client = ScriptedChatClient(["Hello Ada.", "You are Ada."])
    agent = make_agent(client, ClewHistoryProvider(store, owner="ada"))
    session = agent.create_session()
    await agent.run("I am Ada.", session=session)
    answer = await agent.run("Who am I?", session=session)
    assert answer.text == "You are Ada."
    assert client.texts_sent() == ["I am Ada.", "Hello Ada.", "Who am I?"]


async def test_another_process_goes_on_where_the_first_one_stopped(lasting_url: str) -> None:
    async with clew.connect(lasting_url) as first:
        agent = make_agent(ScriptedChatClient(["Hello Ada."]), ClewHistoryProvider(first, owner="ada"))
        await agent.run("I am Ada.", session=AgentSession(session_id="t1"))
    client = ScriptedChatClient(["You are Ada."])
    async with clew.connect(lasting_url) as second:
        agent = make_agent(client, ClewHistoryProvider(second, owner="ada"))
        await agent.run("Who am I?", session=AgentSession(session_id="t1"))
    assert client.texts_sent() == ["I am Ada.", "Hello Ada.", "Who am I?"]


async def test_identical_turns_are_all_kept(store: Store) -> None:
    client = ScriptedChatClient(["Done."] * 3)
    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(client, provider)
    session = agent.create_session()
    for _ in range(3):
        await agent.run("continue", session=session)
    assert shape(await provider.get_messages(session.session_id)) == [("user", "continue"), ("assistant", "Done.")] * 3


async def test_one_message_object_sent_three_times_is_three_turns(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(ScriptedChatClient(["Done."] * 3), provider)
    session = agent.create_session()
    message = Message("user", ["continue"])
    for _ in range(3):
        await agent.run(message, session=session)
    assert message.message_id is None
    assert len(await provider.get_messages(session.session_id)) == 6


async def test_answers_that_a_server_gives_one_id_are_all_kept(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(ScriptedChatClient(["Done."] * 3, answer_id="chatcmpl-1"), provider)
    session = agent.create_session()
    for _ in range(2):
        await agent.run("continue", session=session)
    await run_streaming(agent, "continue", session)
    assert shape(await provider.get_messages(session.session_id)) == [("user", "continue"), ("assistant", "Done.")] * 3


async def test_a_streamed_turn_is_kept_as_one_message_each(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(ScriptedChatClient(["Streamed answer."]), provider)
    session = agent.create_session()
    assert await run_streaming(agent, "Stream it.", session) == "Streamed answer."
    assert shape(await provider.get_messages(session.session_id)) == [("user", "Stream it."), ("assistant", "Streamed answer.")]
    assert session.state["clew"]["saved"] is True


async def test_a_tool_loop_is_kept_whole_and_in_order(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    agent = make_agent(ScriptedChatClient([calls("c1", "c2"), calls("c3"), "All sunny."]), provider)
    session = agent.create_session()
    await agent.run("Weather?", session=session)
    assert shape(await provider.get_messages(session.session_id)) == [
        ("user", "Weather?"),
        ("assistant", "c1,c2"),
        ("tool", "c1,c2"),
        ("assistant", "c3"),
        ("tool", "c3"),
        ("assistant", "All sunny."),
    ]


async def test_saving_round_each_model_call_keeps_the_same_messages(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    client = ScriptedChatClient([calls("c1"), calls("c2"), "All sunny."])
    agent = make_agent(client, provider, require_per_service_call_history_persistence=True)
    session = agent.create_session()
    await agent.run("Weather?", session=session)
    expected = [
        ("user", "Weather?"),
        ("assistant", "c1"),
        ("tool", "c1"),
        ("assistant", "c2"),
        ("tool", "c2"),
        ("assistant", "All sunny."),
    ]
    assert shape(await provider.get_messages(session.session_id)) == expected
    assert shape(m for m in client.sent[-1] if m.role != "system") == expected[:-1]


async def test_an_item_says_who_said_it_what_it_is_and_when(store: Store) -> None:
    agent = make_agent(ScriptedChatClient([calls("c1"), "Sunny."]), ClewHistoryProvider(store, owner="ada"))
    session = agent.create_session()
    before = int(time.time() * 1000)
    await agent.run("Weather?", session=session)
    items = await store.items.tail(Ref("ada", session.session_id))
    assert [(item.author, item.kind, item.links) for item in items] == [
        ("user", "message", ()),
        ("guide", "tool_call", ("c1",)),
        ("tool", "tool_result", ("c1",)),
        ("guide", "message", ()),
    ]
    assert {item.codec for item in items} == {CODEC}
    assert len({item.id for item in items}) == 4
    assert all(before <= item.created_ms <= int(time.time() * 1000) for item in items)


async def test_loaded_messages_carry_the_ids_of_their_items(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages("t1", [Message("user", ["hi"]), Message("assistant", ["ho"], message_id="m2")])
    loaded = await provider.get_messages("t1")
    items = await store.items.tail(Ref("ada", "t1"))
    assert [message.message_id for message in loaded] == [items[0].id, "m2"]
    assert items[1].id == "m2"


async def test_two_providers_on_one_session_see_each_others_turns(store: Store) -> None:
    one = make_agent(ScriptedChatClient(["1"]), ClewHistoryProvider(store, owner="ada"))
    client = ScriptedChatClient(["2"])
    two = make_agent(client, ClewHistoryProvider(store, owner="ada"))
    here, there = AgentSession(session_id="t1"), AgentSession(session_id="t1")
    await one.run("one", session=here)
    await two.run("two", session=there)
    assert client.texts_sent() == ["one", "1", "two"]


async def test_another_owners_session_of_the_same_name_is_another_one(store: Store) -> None:
    ada, eve = ClewHistoryProvider(store, owner="ada"), ClewHistoryProvider(store, owner="eve")
    await ada.save_messages("t1", [Message("user", ["secret"])])
    assert await eve.get_messages("t1") == []
    assert (await eve.list_sessions()).data == []
