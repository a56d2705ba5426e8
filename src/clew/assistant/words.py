"""The words of a text, as the search and the rule of the local model take them: without what every sentence has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

MOST_WORDS: Final = 32
LONGEST_WORD: Final = 64
LONGEST_TEXT: Final = 4_000

# Contractions fall apart at their apostrophe: "what's" is "what" and "s".
_STOP: Final = """
a about after again all also am an and any anything are as at be because been before being between but by can cannot
come could d did didn do does doesn doing don done down else every explain few find for from further get gets
getting give go goes going had happen happens has have having he help her here hers him his how i if in into is isn
it its itself just know let ll look looking m make may me mean means might mine more most much must my need no nor
not of off on once one only or other our ours out over own please possible question re s same say says search shall
she should show so some something such t tell than thank thanks that the their theirs them then there these they
thing things this those through to too under until up us use used using ve very want was we well were what whats
when where which while who whom whose why will with work works would yes you your yours
clew
"""
STOP: Final = frozenset(_STOP.split())
"""English words that tell nothing about what is asked, and clew's own name, which every page has."""

SAME: Final[Mapping[str, tuple[str, ...]]] = {
    "biggest": ("limit", "largest"),
    "largest": ("limit",),
    "maximum": ("limit", "largest"),
    "max": ("limit", "largest"),
    "quick": ("fast", "cost"),
    "fast": ("cost",),
    "slow": ("cost",),
    "speed": ("cost",),
    "erase": ("delete",),
    "destroy": ("delete",),
    "conversation": ("thread",),
    "chats": ("thread",),
    "message": ("item",),
    "messages": ("item",),
    "location": ("folder",),
    "directory": ("folder",),
    "where": ("folder",),
    "version": ("newer",),
    "versions": ("newer",),
    "setting": ("variable",),
    "settings": ("variable",),
    "postgres": ("database",),
}
"""What people say, and what the pages say for it."""


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, in order; of a very long text those of its first 4,000 characters."""
    return [word[:LONGEST_WORD] for word in re.findall(r"[^\W_]+", text[:LONGEST_TEXT].lower())]


def content_words(text: str) -> list[str]:
    """Return the words that tell what is asked, each once, at most 32; all its words where it has no others."""
    words = list(dict.fromkeys(words_of(text)))
    return ([word for word in words if word not in STOP] or words)[:MOST_WORDS]


def search_words(text: str) -> list[str]:
    """Return what to look for: the content words, two neighbours written together, and a few words that mean the same."""
    words = content_words(text)
    every = words_of(text)
    joined = [a + b for a, b in pairwise(every) if a in words or b in words]
    same = [other for word in words for other in SAME.get(word, ())]
    return list(dict.fromkeys([*words, *joined, *same]))[: 2 * MOST_WORDS]
