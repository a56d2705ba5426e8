"""Turns with a model that calls tools: it looks things up, cites them, and shows the profiles."""

from __future__ import annotations

import asyncio
import socket
from contextlib import aclosing
from typing import Any

import pytest
from chatkit.errors import CustomStreamError
from chatkit.types import (
    AssistantMessageItem,
    ClientToolCallItem,
    FileSource,
    SDKHiddenContextItem,
    ThreadItem,
    ThreadStreamEvent,
)

from clew.assistant import calling
from clew.assistant.agent import SearchAgent
from clew.assistant.completion import complete
from clew.assistant.profiles import TOOL
from clew.assistant.search import DocsSearch
from clew.errors import UnavailableError

from .models import BREAKS, ENDS, RAVES, SPEAKS_ON, Script, ScriptedModel, scripted, supply_at
from .support import Failing, animation, answer_of, collect, completed, done_items, make_thread, said, text_of

SEARCH = DocsSearch()
LOOK: tuple[str, str] = ("search_docs", '{"query": "tombstone"}')


def agent_of(url: str, search: Any = SEARCH) -> SearchAgent:
    """Return an agent with a model that calls tools."""
    return SearchAgent(search, supply_at(url))


async def ask(model: ScriptedModel, *items: ThreadItem) -> list[ThreadStreamEvent]:
    """Return the events of a turn."""
    return await collect(agent_of(model.url).respond(make_thread(), items or [said("What is a tombstone?")]))


async def test_the_model_looks_up_what_it_wants_and_cites_it() -> None:
    with scripted([LOOK], ["It is what stays ", "of a thread [1], for a week [2]. Not [99]."]) as model:
        events = await ask(model)
        first, second = model.asked
    assert animation(events) == ["start", "stop"]
    content = answer_of(events).content[0]
    assert content.text == "It is what stays of a thread [1], for a week [2]. Not [99]."
    sources = [each.source for each in content.annotations]
    assert [isinstance(each, FileSource) for each in sources] == [True, True]
    assert sources[0].title == "Glossary: Tombstone"
    assert [each.index for each in content.annotations] == [content.text.index("[1]") + 3, content.text.index("[2]") + 3]
    assert [tool["function"]["name"] for tool in first["tools"]] == ["search_docs", TOOL]
    assert first["tool_choice"] == "auto"
    call, result = second["messages"][-2:]
    assert call["tool_calls"][0]["function"] == {"name": "search_docs", "arguments": '{"query": "tombstone"}'}
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    assert result["content"].startswith("[1] Glossary: Tombstone (docs/glossary.md)")


async def test_the_best_passages_are_named_where_the_model_cites_none() -> None:
    with scripted([LOOK], ["It is what stays."]) as model:
        content = answer_of(await ask(model)).content[0]
    assert [each.index for each in content.annotations] == [len(content.text)] * 3


async def test_several_searches_each_start_and_stop_and_keep_their_numbers() -> None:
    again = ("search_docs", '{"query": "tombstone lease"}')
    with scripted(["Let me look. ", LOOK, again], [("search_docs", '{"query": "lease"}')], ["Done [1]."]) as model:
        events = await ask(model)
        shown = [each["content"] for each in model.asked[-1]["messages"] if each["role"] == "tool"]
    assert animation(events) == ["start", "stop"] * 3
    assert text_of(events) == "Let me look. \n\nDone [1]."
    numbered: dict[str, str] = {}
    for text in shown:
        for line in text.splitlines():
            if line.startswith("["):
                number, _, heading = line.partition(" ")
                assert numbered.setdefault(number, heading) == heading


async def test_the_client_tool_ends_the_turn_and_the_model_goes_on_with_its_output() -> None:
    with scripted(["Look: ", (TOOL, "{}"), LOOK], ["Those were they."]) as model:
        agent, thread = agent_of(model.url), make_thread()
        items: list[ThreadItem] = [said("Who are you?")]
        events = await collect(agent.respond(thread, items))
        answer, call = done_items(events)
        assert animation(events) == []
        assert isinstance(answer, AssistantMessageItem)
        assert isinstance(call, ClientToolCallItem)
        items += [answer, completed(call, {"displayed": True})]
        assert text_of(await collect(agent.respond(thread, items))) == "Those were they."
        asked = model.asked[1]
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["search_docs"]
    made, output = asked["messages"][-2:]
    assert made["tool_calls"][0]["id"] == output["tool_call_id"] == call.call_id
    assert output["content"] == '{"displayed": true}'
    assert "svg" not in str(asked)


async def test_the_tool_that_the_person_chose_is_asked_for() -> None:
    with scripted([LOOK], ["Found."]) as model:
        await ask(model, said("tombstone", tool="search_docs"))
        assert [asked["tool_choice"] for asked in model.asked] == [
            {"type": "function", "function": {"name": "search_docs"}},
            "auto",
        ]


async def test_a_model_that_only_looks_up_is_stopped() -> None:
    many: Script = [LOOK] * 3
    with scripted(many, many, many, many, ["Enough."]) as model:
        events = await ask(model)
        choices = [asked["tool_choice"] for asked in model.asked]
    assert choices == ["auto"] * 4 + ["none"]
    assert animation(events) == ["start", "stop"] * calling.MOST_SEARCHES
    assert text_of(events) == "Enough."


@pytest.mark.parametrize("arguments", ["", "{", "[]", '{"query": 7}', '{"query": " "}', "null"])
async def test_bad_arguments_are_told_to_the_model(arguments: str) -> None:
    with scripted([("search_docs", arguments), ("format_disk", "{}")], ["Sorry."]) as model:
        events = await ask(model)
        results = [each["content"] for each in model.asked[1]["messages"] if each["role"] == "tool"]
    assert animation(events) == []
    assert results == ['Give the arguments as JSON: {"query": "a few words"}.', "There is no tool format_disk."]


async def test_a_search_that_fails_is_told_to_the_model() -> None:
    with scripted([LOOK], ["I could not look."]) as model:
        agent = agent_of(model.url, Failing(UnavailableError("the pages are away")))
        events = await collect(agent.respond(make_thread(), [said("tombstone?")]))
        assert model.asked[1]["messages"][-1]["content"].endswith("the pages are away.")
    assert animation(events) == ["start", "stop"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ([401, "bad key"], "m refused the key"),
        ([429, "slow down"], "m is asked too much"),
        ([404, "no such model"], "there is no model m"),
        ([500, "secret detail"], "m did not answer (InternalServerError with status 500)"),
    ],
)
async def test_a_model_that_refuses_ends_the_turn_with_a_sentence(script: Script, words: str) -> None:
    with scripted(script) as model, pytest.raises(CustomStreamError) as caught:
        await ask(model)
    assert caught.value.message.startswith(f"There is no answer: {words}")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("how", [BREAKS, ENDS, RAVES])
async def test_what_was_written_before_the_model_broke_off_is_finished(how: int) -> None:
    seen: list[ThreadStreamEvent] = []

    async def read(url: str) -> None:
        async for event in agent_of(url).respond(make_thread(), [said("tombstone?")]):
            seen.append(event)

    with scripted([LOOK], ["Half an ", how]) as model, pytest.raises(CustomStreamError, match="broke off"):
        await read(model.url)
    assert text_of(seen) == "Half an "
    assert answer_of(seen).content[0].annotations
    assert animation(seen) == ["start", "stop"]


async def test_a_server_that_takes_no_tools_is_answered_by_the_rule_from_then_on() -> None:
    with scripted([400, "tools are not supported by this model"], ["What stays of a deleted thread."]) as model:
        agent = agent_of(model.url)
        first = await collect(agent.respond(make_thread(), [said("What is a tombstone?")]))
        second = await collect(agent.respond(make_thread(), [said("What is a tombstone?")]))
        assert ["tools" in asked for asked in model.asked] == [True, False, False]
    for events in (first, second):
        assert animation(events) == ["start", "stop"]
        assert "*In the words of m:* What stays of a deleted thread." in text_of(events)


async def test_a_real_server_that_ignores_tools_still_answers(llama_url: str) -> None:
    agent = SearchAgent(SEARCH, supply_at(llama_url, options={"max_tokens": 20, "temperature": 0.0}))
    events = await collect(agent.respond(make_thread(), [said("Hello!")]))
    assert text_of(events)


async def test_what_a_model_cannot_use_is_left_out_of_its_history() -> None:
    hidden = SDKHiddenContextItem.model_validate(
        {"id": "h", "thread_id": "t", "created_at": "2026-01-01T00:00:00", "content": "stop"}
    )
    pending = ClientToolCallItem.model_validate(
        {"id": "c", "thread_id": "t", "created_at": "2026-01-01T00:00:00", "call_id": "x", "name": "y", "arguments": {}}
    )
    with scripted(["Hi."]) as model:
        await ask(model, pending, hidden, said("Hello", quoted_text="a\nb"))
        messages = model.asked[0]["messages"]
    assert [each["content"] for each in messages[1:]] == ["<HiddenContext>\nstop\n</HiddenContext>", "> a\n> b\nHello"]


async def test_leaving_in_the_middle_of_an_answer_ends_the_request() -> None:
    with scripted(["word ", SPEAKS_ON]) as model:
        async with aclosing(agent_of(model.url).respond(make_thread(), [said("Hello")])) as events:
            for _ in range(5):
                await anext(events)
        assert await asyncio.to_thread(model.left.wait, 10)


async def test_a_cancelled_turn_ends_the_request() -> None:
    begun = asyncio.Event()

    async def read(url: str) -> None:
        async for _ in agent_of(url).respond(make_thread(), [said("Hello")]):
            begun.set()

    with scripted(["word ", SPEAKS_ON]) as model:
        task = asyncio.create_task(read(model.url))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(model.left.wait, 10)


async def test_a_model_that_is_silent_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        model = await supply_at(f"http://127.0.0.1:{server.getsockname()[1]}/v1").get()
        with pytest.raises(UnavailableError, match="m was silent for too long"):
            await anext(complete(model, [], patience_s=0.05))
