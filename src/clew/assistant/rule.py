"""What to do with a message where the model cannot be trusted to decide: a rule that always decides the same.

1. Who asks who the agents are is shown their profiles.
2. Nothing is looked up for greetings and thanks, for what people tell of themselves ("My name is Ada."), and for questions about
   that ("What is my name?"): these need what was said, and the documentation does not know it. "Where is my data?" is not one.
3. For everything else the documentation is searched. Where a message has only one word that says what it is about, as in
   "And on Redis?", the words of the one before it are looked for too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from .profiles import TOOL as PROFILES_TOOL
from .words import LONGEST_TEXT, STOP, words_of

SEARCH_TOOL: Final = "search_docs"
_AGENTS = re.compile(
    r"^\W*who (are|r) (you|u)( all| guys)?\W*$|\bintroduce (yourself|yourselves)\b|\b(agents?|team) profiles?\b"
    r"|\bwho\b.{0,20}\b(agents|assistants|team)\b|\bwho is (the|this) (agent|assistant)\b"
    r"|\b(what|which)( other| kinds? of)? (agents|assistants)\b.{0,10}\b(are|do|can|have|is)\b"
    r"|\b(show|list|display|see|meet|introduce|tell (me|us) about)( me| us)?( all)?( of)?( the| your| our)?"
    r" (agents|assistants|team)\b",
    re.IGNORECASE | re.DOTALL,
)
_ABOUT_A_THING = re.compile(r"\b(agent|assistant) framework\b|\b(agents?|assistants?) (sdk|protocol|memory)\b", re.IGNORECASE)
_GREETINGS: Final = """
    afternoon bye cheers cool day evening fine friend good goodbye great greetings haha hello hey hi hiya howdy lol lot love
    morning nice night ok okay perfect please sorry sure thanks thx today welcome wonderful yeah yep yo
"""
_SMALL_TALK: Final = frozenset(_GREETINGS.split())
_OURS: Final = """
    backend backup cache chat chats cluster conversation conversations data database disk error errors file files history
    item items key keys lease log message messages model namespace password redis route routes run runs sentinel server session
    sessions setting settings sqlite store thread threads url valkey value values
"""
_OF_CLEW: Final = frozenset(_OURS.split())
"""What is "my" in a question about clew."""
_OF_ONESELF = re.compile(
    r"^\W*(my \w+( \w+){0,2} (is|are|was)\b|(i am|i'm|im|i was|i live|i work|i like|i love|i have|i've|call me)\b)", re.IGNORECASE
)
_ABOUT_ONESELF = re.compile(
    r"\b(what|who|where|how|which|when)\b.{0,20}\b(am i|is my|are my|was my|do i (live|like|love|work)|did i (say|tell))\b"
    r"|\bdo you (remember|know) (me|my|what i)\b|\bremind me\b",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do: `profiles`, `search` with the words to look for, or `talk`."""

    action: Literal["profiles", "search", "talk"]
    query: str = ""


def asks_for_profiles(text: str) -> bool:
    """Tell whether a message asks who the agents are."""
    return bool(_AGENTS.search(text)) and not _ABOUT_A_THING.search(text)


def decide(text: str, before: Sequence[str] = (), *, chosen: str | None = None) -> Decision:
    """Return what to do with a person's message.

    Args:
        before: the person's earlier messages in the thread, oldest first.
        chosen: the tool that they chose in the composer, which goes before the rule.
    """
    text = text[:LONGEST_TEXT]
    if chosen == SEARCH_TOOL:
        return Decision("search", text)
    if chosen == PROFILES_TOOL or asks_for_profiles(text):
        return Decision("profiles")
    told = [word for word in words_of(text) if word not in STOP and word not in _SMALL_TALK]
    if not told:
        return Decision("talk")
    is_personal = _ABOUT_ONESELF.search(text) or ("?" not in text and _OF_ONESELF.search(text))
    if is_personal and _OF_CLEW.isdisjoint(told):
        return Decision("talk")
    if len(set(told)) > 1 or not before:
        return Decision("search", text)
    earlier = decide(before[-1])
    return Decision("search", f"{text}\n{earlier.query}" if earlier.action == "search" else text)
