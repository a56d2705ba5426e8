"""Messages are made as LangGraph's serializer makes them, also those that it makes in ways of its own."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from clew.adapters.langgraph.loading import load_messages

CALL = {"name": "look", "args": {"q": "x"}, "id": "1", "type": "tool_call"}
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
PLAIN = [
    HumanMessage("a", id="1"),
    AIMessage("", tool_calls=[CALL], usage_metadata=USAGE),
    ToolMessage("b", tool_call_id="1", artifact={"deep": [1, 2.5, None, True]}),
    SystemMessage([{"type": "text", "text": "c"}]),
]


@pytest.mark.parametrize(
    "messages",
    [
        PLAIN,
        [*PLAIN, ChatMessage(content="d", role="critic")],
        [*PLAIN, AIMessageChunk(content="e")],
        [HumanMessage("f", additional_kwargs={"when": {1, 2}})],
        [HumanMessage("g", more="fields")],
        [ToolMessage.model_construct(content="h", type="tool")],
    ],
    ids=["plain", "another class", "a chunk", "a set", "more fields", "what its class refuses"],
)
def test_messages_are_those_that_the_serializer_makes(messages: list[AnyMessage]) -> None:
    serde = JsonPlusSerializer()
    kind, data = serde.dumps_typed(messages)
    expected = serde.loads_typed((kind, data))
    found = load_messages(serde, data)
    assert found == expected
    assert [type(each) for each in found] == [type(each) for each in expected]
    assert [each.__dict__ for each in found] == [each.__dict__ for each in expected]
    assert [each.model_fields_set for each in found] == [each.model_fields_set for each in expected]


def test_a_hook_of_the_serializers_own_is_asked() -> None:
    serde = JsonPlusSerializer(__unpack_ext_hook__=lambda code, data: code)
    assert load_messages(serde, serde.dumps_typed(PLAIN)[1]) == [5, 5, 5, 5]
