"""Messages that were put before are not serialized again, and one that was changed in place is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

import clew
from bench.savers.conversation import Conversation
from clew.adapters.langgraph import ClewSaver
from clew.adapters.langgraph.prints import make_print


class Counting(JsonPlusSerializer):
    """Counts the messages that it is given in lists."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Count and serialize."""
        if isinstance(obj, list) and obj and isinstance(obj[0], HumanMessage | AIMessage | ToolMessage):
            self.count += len(obj)
        return super().dumps_typed(obj)


async def test_a_put_serializes_the_messages_that_are_new() -> None:
    async with clew.connect("memory://") as store:
        serde = Counting()
        saver = ClewSaver(store, owner="ada", serde=serde)
        talk = Conversation(saver, "t")
        for step in (talk.begin(20), *(talk.go_on() for _ in range(3))):
            before = serde.count
            talk.note(await saver.aput(step.config, step.checkpoint, step.metadata, step.changed))
            assert serde.count - before == (20 if before == 0 else 1)
        found = await saver.aget_tuple(talk.config)
        assert found is not None
        assert found.checkpoint["channel_values"]["messages"] == talk.messages


def change_content(message: AnyMessage) -> None:
    message.content = "another"


def change_a_flag_to_its_equal(message: AnyMessage) -> None:
    message.additional_kwargs["flag"] = 1


def change_deep_inside(message: AnyMessage) -> None:
    message.response_metadata["deep"]["list"].append(2)


@pytest.mark.parametrize("change", [change_content, change_a_flag_to_its_equal, change_deep_inside])
async def test_a_message_that_was_changed_in_place_is_stored_as_it_is_now(change: Callable[[AnyMessage], None]) -> None:
    async with clew.connect("memory://") as store:
        saver = ClewSaver(store, owner="ada")
        talk = Conversation(saver, "t")
        step = talk.begin(4)
        talk.messages[1].additional_kwargs["flag"] = True
        talk.messages[1].response_metadata["deep"] = {"list": [1]}
        talk.note(await saver.aput(step.config, step.checkpoint, step.metadata, step.changed))
        change(talk.messages[1])
        step = talk.go_on()
        await saver.aput(step.config, step.checkpoint, step.metadata, step.changed)
        found = await saver.aget_tuple(talk.config)
        assert found is not None
        got = found.checkpoint["channel_values"]["messages"]
        assert got == talk.messages
        assert type(got[1].additional_kwargs["flag"]) is type(talk.messages[1].additional_kwargs["flag"])


def test_what_is_not_plain_has_no_print() -> None:
    class Mine(HumanMessage):
        pass

    assert make_print([HumanMessage("a"), AIMessage("b")]) is not None
    assert make_print([HumanMessage("a"), Mine(content="b")]) is None
    assert make_print([ToolMessage("a", tool_call_id="1", artifact=object())]) is None
    assert make_print([HumanMessage("a", extra="more")]) is None
    for odd in ((1,), {1: 2}, {1}, object(), 1 << 70):
        assert make_print([HumanMessage("a", additional_kwargs={"odd": odd})]) is None
