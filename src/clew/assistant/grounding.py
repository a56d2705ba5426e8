"""Whether a sentence stands on a passage, judged by its words alone: what has words of its own was made up.

It keeps a small model from adding what it knows from elsewhere. It cannot tell whether a sentence turns the passage's words into
something wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .words import STOP, words_of

LEAST: Final = 0.8
"""The share of a sentence's words that has to be the passage's or the question's."""
STEM: Final = 5
"""Letters in which two words have to agree."""
_END = re.compile(r"(?<=[.!?])\s+|\n+")


class Judge:
    """Takes a text as it comes, and lets those sentences pass that stand on the passage and are not in it to the letter."""

    def __init__(self, question: str, passage: str) -> None:
        self._passage = " ".join(words_of(passage))
        self._known = {word[:STEM] for word in words_of(f"{passage}\n{question}")}
        self._waiting = ""

    def take(self, part: str) -> Iterator[str]:
        """Yield the sentences that end with this part, and pass."""
        self._waiting += part
        *whole, self._waiting = _END.split(self._waiting)
        for sentence in whole:
            if self.passes(sentence):
                yield f"{sentence} "

    def rest(self) -> Iterator[str]:
        """Yield the last sentence, where it ends as one and passes: what a limit cut off does not."""
        last, self._waiting = self._waiting.strip(), ""
        if last.endswith((".", "!", "?")) and self.passes(last):
            yield last

    def passes(self, sentence: str) -> bool:
        """Tell whether a sentence stands on the passage, and is not in it to the letter."""
        words = words_of(sentence)
        telling = [word for word in words if word not in STOP]
        if not telling or " ".join(words) in self._passage:
            return False
        return sum(word[:STEM] in self._known for word in telling) / len(telling) >= LEAST
