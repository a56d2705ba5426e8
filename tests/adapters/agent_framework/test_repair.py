"""A history that a model would refuse is mended when it is loaded; the store keeps what it has."""

from __future__ import annotations

from agent_framework import AgentSession, Content, Message

from clew import Ref, Store
from clew.adapters.agent_framework import ClewHistoryProvider
from clew.adapters.agent_framework.repair import LOST_RESULT, mend

from .driver import ScriptedChatClient, calls, make_agent, shape


def result(*ids: str) -> Message:
    return Message("tool", [Content.from_function_result(id, result=f"sunny in {id}") for id in ids])


async def test_a_call_that_a_crash_left_open_gets_a_result_that_says_so(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages("t1", [Message("user", ["Weather?"]), calls("c1", "c2")])
    client = ScriptedChatClient(["Never mind."])
    await make_agent(client, provider).run("Well?", session=AgentSession(session_id="t1"))
    sent = [m for m in client.sent[0] if m.role != "system"]
    assert shape(sent) == [("user", "Weather?"), ("assistant", "c1,c2"), ("tool", "c1,c2"), ("user", "Well?")]
    assert [content.result for content in sent[2].contents] == [LOST_RESULT, LOST_RESULT]
    assert len(await store.items.tail(Ref("ada", "t1"))) == 4


async def test_a_crash_between_two_model_calls_does_not_stop_the_next_run(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    client = ScriptedChatClient([calls("c1"), ConnectionError("model away"), "Here again."])
    agent = make_agent(client, provider, require_per_service_call_history_persistence=True)
    session = agent.create_session()
    try:
        await agent.run("Weather?", session=session)
    except ConnectionError:
        pass
    else:
        raise AssertionError("the model's error did not arrive")
    await agent.run("Well?", session=session)
    assert shape(m for m in client.sent[-1] if m.role != "system") == [
        ("user", "Weather?"),
        ("assistant", "c1"),
        ("tool", "c1"),
        ("user", "Well?"),
    ]


async def test_results_whose_call_is_gone_are_left_out(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    await provider.save_messages("t1", [result("lost"), Message("assistant", ["sunny"]), Message("user", ["thanks"])])
    assert shape(await provider.get_messages("t1")) == [("assistant", "sunny"), ("user", "thanks")]
    assert len(await store.items.tail(Ref("ada", "t1"))) == 3


async def test_an_approval_that_was_given_runs_its_tool_and_is_not_mended(store: Store) -> None:
    provider = ClewHistoryProvider(store, owner="ada")
    client = ScriptedChatClient([calls("c1", name="guarded_weather"), "Windy.", "Bye."])
    agent = make_agent(client, provider)
    session = agent.create_session()
    asked = await agent.run("Weather?", session=session)
    (request,) = asked.user_input_requests
    await agent.run(Message("user", [request.to_function_approval_response(True)]), session=session)
    await agent.run("Thanks.", session=session)
    assert shape(m for m in client.sent[-1] if m.role != "system") == [
        ("user", "Weather?"),
        ("assistant", "c1"),
        ("tool", "c1"),
        ("assistant", "Windy."),
        ("user", "Thanks."),
    ]
    assert client.sent[-1][-3].contents[0].result == "windy in c1"


def test_a_result_in_the_coming_input_answers_its_call() -> None:
    history = [Message("user", ["q"]), calls("c1", "c2"), result("c1")]
    assert mend(history, [result("c2")]) == history
    assert shape(mend(history)) == [("user", "q"), ("assistant", "c1,c2"), ("tool", "c1"), ("tool", "c2")]


def test_call_ids_that_a_server_uses_again_are_matched_in_their_order() -> None:
    history = [calls("call_1"), result("call_1"), Message("user", ["q"]), calls("call_1"), Message("user", ["well?"])]
    assert shape(mend(history)) == [
        ("assistant", "call_1"),
        ("tool", "call_1"),
        ("user", "q"),
        ("assistant", "call_1"),
        ("tool", "call_1"),
        ("user", "well?"),
    ]


def test_a_message_with_an_orphan_and_a_good_result_keeps_the_good_one() -> None:
    history = [calls("c1"), result("lost", "c1")]
    mended = mend(history)
    assert shape(mended) == [("assistant", "c1"), ("tool", "c1")]
    assert len(history[1].contents) == 2


def test_calls_that_the_service_ran_itself_are_left_alone() -> None:
    hosted = Message(
        "assistant", [Content.from_function_call(call_id="h1", name="search", arguments="{}", informational_only=True)]
    )
    assert shape(mend([hosted, Message("user", ["q"])])) == [("assistant", "h1"), ("user", "q")]
