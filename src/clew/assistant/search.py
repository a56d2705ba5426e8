"""A search over passages: SQLite's FTS5 with BM25, built in memory in a few milliseconds, and never out of step with its text.

Whatever a person writes is taken as words, never as FTS5's query language. It finds words and their stems, not meanings.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from ..errors import ClosedError, InvalidError, UnavailableError, UnsupportedError
from .corpus import Passage, load_corpus
from .words import content_words, search_words

MOST_FOUND: Final = 20
SNIPPET_WORDS: Final = 32
# How much a word counts in the page's title, in the section's heading, and in the text.
WEIGHTS: Final = (3.0, 5.0, 1.0)


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that a search found.

    Attributes:
        passage: the passage, whole.
        snippet: the words of it round what was looked for, on one line.
        score: how well it fits; higher is better, and only comparable within one search.
    """

    passage: Passage
    snippet: str
    score: float


class Searcher(Protocol):
    """What the agent needs of a search; bring your own to search something else."""

    async def search(self, query: str, limit: int = 5) -> list[Found]:
        """Return the best passages for a person's words, the best first."""
        ...


class DocsSearch:
    """An index over some passages, in memory. It may be used from any thread."""

    def __init__(self, passages: Iterable[Passage] | None = None) -> None:
        """Build the index.

        Args:
            passages: what is searched; None for clew's own documentation.

        Raises:
            UnavailableError: the documentation is not there.
            UnsupportedError: Python's SQLite was built without FTS5.
        """
        self._passages = list(load_corpus() if passages is None else passages)
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = sqlite3.connect(":memory:", check_same_thread=False)
        try:
            self._database.execute("CREATE VIRTUAL TABLE passages USING fts5(title, section, text, tokenize='porter unicode61')")
        except sqlite3.OperationalError as error:
            self._database.close()
            raise UnsupportedError("Python's SQLite was built without FTS5, which the search needs") from error
        rows = ((n, each.title, _parted(each.section), each.text) for n, each in enumerate(self._passages))
        self._database.executemany("INSERT INTO passages(rowid, title, section, text) VALUES (?, ?, ?, ?)", rows)
        self._database.commit()

    def find(self, query: str, limit: int = 5) -> list[Found]:
        """Return the best passages for a person's words, the best first; none where no word of them is known.

        BM25 ranks them, with headings above text. A passage whose heading is what was asked for goes before all others.

        Args:
            query: any text; only its words count, and words such as "the" only where there are no others.
            limit: at most so many, 1 to 20.

        Raises:
            InvalidError: the limit is out of its range.
            ClosedError: the index was closed.
            UnavailableError: SQLite failed.
        """
        if not 1 <= limit <= MOST_FOUND:
            raise InvalidError(f"a search finds 1 to {MOST_FOUND} passages, not {limit}")
        words = search_words(query)
        if not words:
            return []
        match = " OR ".join(f'"{word}"' for word in words)
        with self._lock:
            if self._database is None:
                raise ClosedError("the search was closed: make a new one")
            try:
                rows = self._database.execute(
                    "SELECT rowid, -bm25(passages, ?, ?, ?) AS score, snippet(passages, 2, '', '', '…', ?) FROM passages"
                    " WHERE passages MATCH ? ORDER BY score DESC, rowid LIMIT ?",
                    (*WEIGHTS, SNIPPET_WORDS, match, MOST_FOUND),
                ).fetchall()
            except sqlite3.Error as error:
                raise UnavailableError(f"the search failed ({type(error).__name__}): try again") from error
        found = [Found(self._passages[row], _one_line(snippet), score) for row, score, snippet in rows]
        # Who asks for a term by its name wants what defines it.
        asked = {_stem(word) for word in content_words(query)}
        found.sort(key=lambda each: asked != {_stem(word) for word in content_words(each.passage.section)})
        return found[:limit]

    async def search(self, query: str, limit: int = 5) -> list[Found]:
        """Do `find` in a thread of its own, so that nothing else waits for it."""
        return await asyncio.to_thread(self.find, query, limit)

    def close(self) -> None:
        """Free the index. May be called twice."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _parted(text: str) -> str:
    """Return a heading with the parts of its names behind it: who asks about a closed store means ClosedError too."""
    return " ".join([text, *re.findall(r"[A-Z][a-z]+(?=[A-Z])|(?<=[a-z])[A-Z][a-z]+", text)])


def _stem(word: str) -> str:
    return word.removesuffix("s")
