"""The search over the documentation: it finds the right page, and takes whatever a person writes as words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.assistant.corpus import Passage
from clew.assistant.search import MOST_FOUND, DocsSearch
from clew.errors import ClosedError, InvalidError

QUESTIONS = {
    "How do I delete a thread for good?": "cli.md",
    "What does Ctrl-C do in the chat?": "cli.md",
    "How can I copy everything from SQLite to Redis?": "cli.md",
    "Which exit code means that the store is unreachable?": "cli.md",
    "Which environment variables set the Redis password?": "configuration.md",
    "Where is the default database file kept?": "configuration.md",
    "How do I back up the embedded SQLite file?": "backends/sqlite.md",
    "Can several processes write to one SQLite file?": "backends/sqlite.md",
    "Which eviction policy should maxmemory have?": "backends/redis.md",
    "How do I clear stale keys in Redis?": "backends/redis.md",
    "Which ACL rights does clew need?": "backends/redis.md",
    "how do I run redis locally with docker": "backends/redis.md",
    "How do I use it with Microsoft Agent Framework?": "adapters/agent-framework.md",
    "What happens to my messages when a save fails?": "adapters/agent-framework.md",
    "What should I do about a ConflictError?": "errors.md",
    "What is a tombstone?": "glossary.md",
    "How do I write and judge my own backend?": "conformance.md",
    "How fast is an append compared with a bare Redis command?": "performance.md",
    "What stops the search animation?": "assistant.md",
    "what does a route do": "glossary.md",
    "how do I require replicas to acknowledge writes": "backends/redis.md",
    "is there a limit for the title length": "configuration.md",
    "how to use TLS certificates with redis": "backends/redis.md",
    "can I use it on NFS or a network share?": "backends/sqlite.md",
    "how do I pipe an export into gzip": "cli.md",
    "which versions of redis are supported": "backends/redis.md",
    "What does FullError mean?": "errors.md",
    "what happens when the store is closed": "errors.md",
    "can a store be in memory only for tests": "getting-started.md",
}
"""Plain questions, and the page that answers each."""


@pytest.fixture(scope="module")
def search() -> Iterator[DocsSearch]:
    """An index over clew's documentation."""
    made = DocsSearch()
    yield made
    made.close()


@pytest.mark.parametrize(("question", "page"), QUESTIONS.items())
def test_the_right_page_is_among_the_best_three(search: DocsSearch, question: str, page: str) -> None:
    assert page in [each.passage.page for each in search.find(question, 3)]


def test_the_right_page_is_mostly_the_best(search: DocsSearch) -> None:
    right = [search.find(question, 1)[0].passage.page == page for question, page in QUESTIONS.items()]
    assert sum(right) >= len(right) * 3 // 4


def test_a_term_is_answered_by_its_definition(search: DocsSearch) -> None:
    assert search.find("What is a cursor?", 1)[0].passage.heading == "Glossary: Cursor"


def test_the_snippet_shows_the_words_on_one_line(search: DocsSearch) -> None:
    (best,) = search.find("eviction policy", 1)
    assert "evict" in best.snippet
    assert "\n" not in best.snippet


def test_the_best_comes_first_and_no_more_than_asked(search: DocsSearch) -> None:
    found = search.find("redis persistence", 7)
    assert len(found) == 7
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


@pytest.mark.parametrize(
    "text",
    [
        '"',
        'thread"',
        "thread*",
        "NEAR(thread item)",
        "title:thread",
        "thread AND",
        "NOT thread",
        "thread OR OR",
        "-thread",
        "^thread",
        "{title section}: thread",
        "'; DROP TABLE passages; --",
        "thread\0item",
        "\ud800thread",
        "(((",
        "thread + item",
        "a" * 100_000,
        "thread " * 100_000,
    ],
    ids=repr,
)
def test_what_a_person_writes_is_never_a_query(text: str) -> None:
    found = SMALL.find(text)
    assert bool(found) == ("thread" in text)


@given(st.text(max_size=200))
def test_any_text_can_be_searched(text: str) -> None:
    SMALL.find(text)


SMALL = DocsSearch([Passage("a.md", "A", "A", "", "the thread"), Passage("b.md", "B", "B", "b", "naïve 数据库 text")])


def test_words_of_other_scripts_are_found_and_accents_do_not_matter() -> None:
    assert [each.passage.page for each in SMALL.find("NAIVE")] == ["b.md"]
    assert [each.passage.page for each in SMALL.find("数据库")] == ["b.md"]


def test_nothing_is_found_for_unknown_words_and_for_none() -> None:
    assert SMALL.find("zebra") == []
    assert SMALL.find("?!") == []
    assert SMALL.find("") == []


def test_a_word_that_every_sentence_has_counts_where_there_is_no_other() -> None:
    assert [each.passage.page for each in SMALL.find("the")] == ["a.md"]


@pytest.mark.parametrize("limit", [0, -1, MOST_FOUND + 1])
def test_a_limit_out_of_range_is_refused(search: DocsSearch, limit: int) -> None:
    with pytest.raises(InvalidError, match="1 to 20"):
        search.find("thread", limit)


def test_a_closed_search_says_so() -> None:
    made = DocsSearch([])
    made.close()
    made.close()
    with pytest.raises(ClosedError):
        made.find("thread")


async def test_many_search_at_once(search: DocsSearch) -> None:
    found = await asyncio.gather(*(search.search(question, 3) for question in [*QUESTIONS] * 5))
    alone = [search.find(question, 3) for question in [*QUESTIONS] * 5]
    assert found == alone
