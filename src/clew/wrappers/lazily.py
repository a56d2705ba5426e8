"""A mapping of which some values cannot be read, so that one of them does not hide the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from ..errors import UnreadableError

K = TypeVar("K", bound=str | int | tuple[str, str])
V = TypeVar("V")
W = TypeVar("W")


class Lazily(Mapping[K, V]):
    """Some values by key, and errors by key: whoever asks for one of those gets it raised, and nobody else."""

    def __init__(self, found: Mapping[K, V], wrong: Mapping[K, UnreadableError]) -> None:
        self._found = found
        self._wrong = wrong

    def __getitem__(self, key: K) -> V:
        if key in self._wrong:
            raise self._wrong[key]
        return self._found[key]

    def __contains__(self, key: object) -> bool:
        return key in self._found or key in self._wrong

    def __iter__(self) -> Iterator[K]:
        yield from self._found
        yield from self._wrong

    def __len__(self) -> int:
        return len(self._found) + len(self._wrong)


def decode_each(stored: Mapping[K, W], decode: Callable[[K, W], V], what: str) -> Mapping[K, V]:
    """Return what `decode` makes of each value; where it raises UnreadableError, so does a look at that key."""
    found: dict[K, V] = {}
    wrong: dict[K, UnreadableError] = {}
    for key, value in stored.items():
        try:
            found[key] = decode(key, value)
        except UnreadableError as e:
            wrong[key] = UnreadableError(f"{what} {key!r} cannot be read: {e}")
    return Lazily(found, wrong) if wrong else found
