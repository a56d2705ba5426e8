"""The rule that decides for the local model what to do with a message, and what of the model's words is shown."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.assistant.grounding import Judge
from clew.assistant.profiles import TOOL
from clew.assistant.rule import SEARCH_TOOL, decide


@pytest.mark.parametrize(
    "text",
    [
        "Who are the agents?",
        "who are you?",
        "Show me the agent profiles",
        "What agents are there?",
        "Which assistants can I talk to",
        "Introduce yourself, please",
        "meet the team",
        "tell me about your agents",
        "please list all the agents",
        "Who is the assistant?",
    ],
)
def test_who_asks_for_the_agents_is_shown_their_profiles(text: str) -> None:
    assert decide(text).action == "profiles"


@pytest.mark.parametrize(
    "text",
    [
        "Hello!",
        "thanks a lot",
        "",
        "  ",
        "?",
        "My name is Ada.",
        "I live in Paris",
        "What is my name?",
        "Where do I live?",
        "Do you remember me?",
        "good morning",
        "my favourite colour is red",
        "what did I say before?",
        "I'm Ada, nice to meet you",
    ],
)
def test_nothing_is_looked_up_for_small_talk_and_for_what_people_tell_of_themselves(text: str) -> None:
    assert decide(text).action == "talk"


@pytest.mark.parametrize(
    "text",
    [
        "How do I delete a thread?",
        "redis cluster",
        "I have a ConflictError, what now?",
        "How do I keep the history of an Agent Framework agent?",
        "Which agent framework works with it?",
        "Which model does the assistant use?",
        "What does the assistant search?",
        "How do I list the threads of an agent?",
        "show me what the agents keep",
        "what is an agent",
        "tell me about leases",
        "Where is my data stored?",
        "My store is full. What can I do?",
        "my redis is down",
        "How do I delete my threads",
        "Wie lösche ich einen Thread?",
    ],
)
def test_everything_else_is_looked_up(text: str) -> None:
    decision = decide(text)
    assert (decision.action, decision.query) == ("search", text)


def test_a_message_of_one_telling_word_takes_those_before_it_along() -> None:
    assert decide("And on Redis?", ["How do I make a backup?"]).query == "And on Redis?\nHow do I make a backup?"
    assert decide("And on Redis?", ["Hello!"]).query == "And on Redis?"
    assert decide("And on Redis?", ["who are you?"]).query == "And on Redis?"
    assert decide("How do leases on Redis work?", ["How do I make a backup?"]).query == "How do leases on Redis work?"


def test_the_tool_that_was_chosen_goes_before_the_rule() -> None:
    assert decide("hello", chosen=SEARCH_TOOL).action == "search"
    assert decide("How do I delete a thread?", chosen=TOOL).action == "profiles"
    assert decide("hello", chosen="another").action == "talk"


PASSAGE = "Deletes a thread for good. It asks first on a terminal, and needs `--yes` elsewhere."


def judge(*parts: str) -> list[str]:
    """Return what passes of a text that comes in parts."""
    made = Judge("How do I delete a thread?", PASSAGE)
    return [*(sentence for part in parts for sentence in made.take(part)), *made.rest()]


def test_a_sentence_in_the_passages_words_is_shown() -> None:
    assert judge("You delete", " a thread at the terminal, with --yes elsewhere.") == [
        "You delete a thread at the terminal, with --yes elsewhere."
    ]


def test_a_sentence_with_words_of_its_own_is_not_shown() -> None:
    assert judge("You can delete a thread using `del` in Python. ", "Deleting asks first.") == ["Deleting asks first."]


def test_a_sentence_that_only_repeats_the_passage_is_not_shown() -> None:
    assert judge("It asks first on a terminal, and needs `--yes` elsewhere.") == []


def test_a_sentence_that_was_cut_off_is_not_shown() -> None:
    assert judge("Deleting asks first. A thread needs") == ["Deleting asks first. "]


@given(st.text(max_size=300), st.lists(st.text(max_size=50), max_size=2))
def test_every_message_is_decided(text: str, before: list[str]) -> None:
    assert decide(text, before).action in ("profiles", "search", "talk")


@pytest.mark.parametrize(
    "part", ["who ", "my a ", "what is my ", "\n", " ", "tell me about the ", "i am i am", "show all of the "]
)
def test_a_very_long_message_is_decided_at_once(part: str) -> None:
    begun = time.perf_counter()
    decide(part * 100_000, [part * 100_000])
    assert time.perf_counter() - begun < 1


@given(st.lists(st.text(max_size=60), max_size=8))
def test_a_sentence_passes_the_same_however_it_is_parted(parts: list[str]) -> None:
    assert "".join(judge(*parts)).split() == "".join(judge("".join(parts))).split()
