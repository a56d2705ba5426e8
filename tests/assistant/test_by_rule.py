"""Turns with the local model: the rule decides, the passage is quoted, and the model's words come after it."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from chatkit.errors import CustomStreamError
from chatkit.types import ClientToolCallItem, FileSource, NoticeEvent, ThreadItem, URLSource

from clew.assistant.agent import SearchAgent
from clew.assistant.models import LOCAL_ANSWER, LOCAL_INSTRUCTIONS, LOCAL_ROOM, Model
from clew.assistant.profiles import PROFILES, TOOL
from clew.assistant.search import DocsSearch
from clew.assistant.supply import ModelSupply
from clew.errors import MissingExtraError, UnavailableError

from .models import scripted, supply_at
from .support import Failing, animation, answer_of, collect, completed, done_items, make_thread, replied, said, text_of

SEARCH = DocsSearch()


def supply_of(url: str) -> ModelSupply:
    """Return a supply of a small model there."""
    return supply_at(url, calls_tools=False, room=1_500)


@pytest.fixture
def supply(llama_url: str) -> ModelSupply:
    """The local model, as `open_model` sets it up."""
    options = {"temperature": 0.0, "max_tokens": LOCAL_ANSWER}
    return supply_at(llama_url, calls_tools=False, room=LOCAL_ROOM, instructions=LOCAL_INSTRUCTIONS, options=options)


def missing() -> ModelSupply:
    """Return a supply that has no model."""

    async def opener(_: AsyncExitStack) -> Model:
        raise MissingExtraError("no model is set up, and the local one", "local-model")

    return ModelSupply(opener, calls_tools=False)


async def test_a_question_is_answered_by_a_quotation_with_its_sources(supply: ModelSupply) -> None:
    thread = make_thread()
    events = await collect(SearchAgent(SEARCH, supply).respond(thread, [said("How do I drop a thread?")]))
    assert animation(events) == ["start", "stop"]
    content = answer_of(events).content[0]
    assert content.text.startswith("From **The command line: drop**:")
    assert "> Deletes a thread for good." in content.text
    source = content.annotations[0].source
    assert isinstance(source, FileSource)
    assert source.filename == "docs/cli.md"
    assert all(0 < (each.index or 0) <= len(content.text) for each in content.annotations)
    assert thread.title == "How do I drop a thread?"


async def test_sources_are_links_where_the_pages_have_an_address() -> None:
    agent = SearchAgent(SEARCH, missing(), docs_url="https://docs.example/")
    content = answer_of(await collect(agent.respond(make_thread(), [said("How do I drop a thread?")]))).content[0]
    sources = [each.source for each in content.annotations]
    assert isinstance(sources[0], URLSource)
    assert sources[0].url == "https://docs.example/cli.md#drop"
    assert len({source.title for source in sources}) == len(sources)


async def test_small_talk_is_streamed_from_the_model_and_nothing_is_looked_up(supply: ModelSupply) -> None:
    agent, items = SearchAgent(SEARCH, supply), list[ThreadItem]()
    for text in ("My name is Ada.", "What is my name?"):
        items.append(said(text))
        events = await collect(agent.respond(make_thread(), items))
        items += done_items(events)
        assert animation(events) == []
        assert len(events) >= 5
        # What it says is not told here: it depends on what else its process was asked before.
        assert text_of(events).strip()


async def test_the_client_tool_ends_the_turn_and_its_output_is_answered() -> None:
    agent, thread = SearchAgent(SEARCH, missing()), make_thread()
    items: list[ThreadItem] = [said("Who are the agents?")]
    events = await collect(agent.respond(thread, items))
    assert animation(events) == []
    (call,) = done_items(events)
    assert isinstance(call, ClientToolCallItem)
    assert (call.name, call.status) == (TOOL, "pending")
    assert [each["name"] for each in call.arguments["profiles"]] == [each.name for each in PROFILES]

    items.append(completed(call, {"displayed": True}))
    text = text_of(await collect(agent.respond(thread, items)))
    assert all(each.name in text for each in PROFILES)

    # A call that never got its output is no hindrance.
    again = await collect(agent.respond(thread, [*items[:1], call, said("What is a tombstone?")]))
    assert "Tombstone" in text_of(again)


async def test_without_a_model_the_passage_is_quoted_and_a_notice_says_why() -> None:
    events = await collect(SearchAgent(SEARCH, missing()).respond(make_thread(), [said("What is a tombstone?")]))
    assert animation(events) == ["start", "stop"]
    assert "> **Tombstone**:" in text_of(events)
    (notice,) = [event for event in events if isinstance(event, NoticeEvent)]
    assert "pip install 'clew[local-model]'" in notice.message


async def test_without_a_model_small_talk_ends_with_a_sentence() -> None:
    with pytest.raises(CustomStreamError, match="no model is set up") as caught:
        await collect(SearchAgent(SEARCH, missing()).respond(make_thread(), [said("Hello!")]))
    assert caught.value.message.endswith(".")
    assert caught.value.allow_retry


async def test_a_model_that_went_away_is_named_and_the_quotation_stays() -> None:
    agent = SearchAgent(SEARCH, supply_of("http://127.0.0.1:1/v1"))
    events = await collect(agent.respond(make_thread(), [said("What is a tombstone?")]))
    assert "> **Tombstone**:" in text_of(events)
    (notice,) = [event for event in events if isinstance(event, NoticeEvent)]
    assert "m cannot be reached" in notice.message


async def test_a_search_that_fails_is_told_in_the_answer() -> None:
    agent = SearchAgent(Failing(UnavailableError("the pages are away")), missing())
    events = await collect(agent.respond(make_thread(), [said("What is a tombstone?")]))
    assert animation(events) == ["start", "stop"]
    assert text_of(events) == "The documentation could not be searched: the pages are away."


async def test_what_the_documentation_does_not_have_is_said() -> None:
    events = await collect(SearchAgent(SEARCH, missing()).respond(make_thread(), [said("zebra giraffe?")]))
    assert animation(events) == ["start", "stop"]
    assert "nothing on that" in text_of(events)


async def test_of_the_models_words_only_those_are_shown_that_the_passage_bears_out() -> None:
    with scripted(["It is what stays of a thread that ", "was deleted. Unicorns eat it."]) as model:
        agent = SearchAgent(SEARCH, supply_of(model.url))
        text = text_of(await collect(agent.respond(make_thread(), [said("What is a tombstone?")])))
    assert "*In the words of m, which is often wrong:* It is what stays of a thread that was deleted." in text
    assert "Unicorns" not in text


async def test_a_small_model_is_not_shown_what_was_looked_up_before_nor_more_than_its_room() -> None:
    old = replied("QUOTED")
    items: list[ThreadItem] = [said("hello " * 2_000), said("What is a tombstone?"), old, said("My name is Ada."), said("Hi!")]
    with scripted(["Hello"]) as model:
        await collect(SearchAgent(SEARCH, supply_of(model.url)).respond(make_thread(), items))
        (asked,) = model.asked
    assert [each["content"] for each in asked["messages"][1:]] == ["My name is Ada.", "Hi!"]
    assert "tools" not in asked


async def test_a_message_longer_than_the_models_room_is_cut_and_answered(supply: ModelSupply) -> None:
    events = await collect(SearchAgent(SEARCH, supply).respond(make_thread(), [said("hello friend " * 50_000)]))
    assert text_of(events)


async def test_a_model_that_says_nothing_is_told() -> None:
    with scripted([""]) as model, pytest.raises(CustomStreamError, match="said nothing"):
        await collect(SearchAgent(SEARCH, supply_of(model.url)).respond(make_thread(), [said("Hi!")]))


async def test_a_thread_without_anything_to_answer_gets_no_event() -> None:
    assert await collect(SearchAgent(SEARCH, missing()).respond(make_thread(), [])) == []


async def test_a_title_is_kept_and_a_long_one_is_cut() -> None:
    agent, kept, long = SearchAgent(SEARCH, missing()), make_thread("Mine"), make_thread()
    await collect(agent.respond(kept, [said("What is a tombstone?")]))
    await collect(agent.respond(long, [said("What is  a\ntombstone? " * 20)]))
    assert kept.title == "Mine"
    assert long.title is not None
    assert long.title.startswith("What is a tombstone? What")
    assert len(long.title) <= 60
    assert long.title.endswith("…")
