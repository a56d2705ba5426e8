r"""The globs of `scan_values`: `*`, `?`, `[ab]`, `[a-c]`, `[^a]`, and a backslash before what is meant literally, as in Redis.

Matching never goes back over a star: no pattern can hold up a thread.
"""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(r"\*+|\?|\[\^?(?:\\.|[^\]\\])*\]?|\\.|.", re.DOTALL)
_CLASS_PART: Final = re.compile(r"(\\.|.)(?:-(\\.|.))?", re.DOTALL)
_NOTHING: Final = r"(?!)"


class Glob:
    """A pattern, and the literal text that every match starts with."""

    def __init__(self, pattern: str) -> None:
        self.prefix = ""
        is_prefix = True
        parts, sizes = [""], [0]
        for token in _TOKEN.findall(pattern):
            literal = _read_literal(token)
            if token[0] == "*":
                parts.append("")
                sizes.append(0)
            else:
                parts[-1] += _translate(token) if literal is None else re.escape(literal)
                sizes[-1] += 1
            is_prefix = is_prefix and literal is not None
            if is_prefix and literal is not None:
                self.prefix += literal
        self._head, *self._rest = (re.compile(part, re.DOTALL) for part in parts)
        self._tail_size = sizes[-1]

    def matches(self, key: str) -> bool:
        """Tell whether the whole key matches."""
        if not self._rest:
            return self._head.fullmatch(key) is not None
        found = self._head.match(key)
        for part in self._rest[:-1]:
            if found is None:
                return False
            # The leftmost place is the best one for what stands between two stars.
            found = part.search(key, found.end())
        tail = len(key) - self._tail_size
        return found is not None and tail >= found.end() and self._rest[-1].fullmatch(key, tail) is not None


def _read_literal(token: str) -> str | None:
    """Return the character a token means, None where it means more than one."""
    if token[0] == "\\":
        return token[-1]
    return None if token[0] in "*?[" else token


def _translate(token: str) -> str:
    """Return the regular expression of `?` or a class, which always takes one character."""
    if token == "?":
        return "."
    inside = token[1:].removesuffix("]") if token.endswith("]") else token[1:]
    negated = inside.startswith("^")
    ranges = ""
    for low, high in _CLASS_PART.findall(inside[negated:]):
        first, last = low[-1], (high or low)[-1]
        first, last = min(first, last), max(first, last)
        ranges += f"{re.escape(first)}-{re.escape(last)}"
    if not ranges:
        return "." if negated else _NOTHING
    return f"[{'^' if negated else ''}{ranges}]"
