"""What a call came to. Nothing is raised into a tool, and nothing that failed looks like success."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from ...errors import ClewError, ConflictError, UnavailableError, UnreadableError

T = TypeVar("T")

Status: TypeAlias = Literal[
    "saved", "deleted", "found", "pending", "missing", "disabled", "unavailable", "conflict", "unreadable", "refused"
]
"""
`saved`, `deleted`, `found`: it is done.
`pending`: the store is away, and the write is in a journal on this machine's disk: it is done when the store is back.
`missing`: the store has been asked, and there is no such thing.
`disabled`: persistence is switched off; the store was not asked.
`unavailable`: the store could not be asked in time; a write may or may not have happened. It is tried until it is back.
`conflict`: others changed the same fields; nothing was written.
`unreadable`: what is stored is corrupt or from a newer release; it is kept as it is.
`refused`: it cannot be done as asked: a wrong argument, no room in the store, no right to it. The error says which.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a write came to. It is true only where the write was done, and so not where it is pending.

    Attributes:
        status: in one word.
        error: why it was not done.
        merged: others had written meanwhile, and what they wrote was kept: the session has it now too.
    """

    status: Status
    error: ClewError | None = None
    merged: bool = False

    def __bool__(self) -> bool:
        return self.status in ("saved", "deleted")

    @property
    def pending(self) -> bool:
        """Whether the write was accepted and waits: neither done nor lost. To save again is safe."""
        return self.status == "pending"


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """What a read came to. It is true only where something was found.

    Attributes:
        value: what was found.
        status: `found`, or why not: `missing` and `unavailable` are told apart.
        error: the reason, where there is one.
    """

    value: T | None
    status: Status
    error: ClewError | None = None

    def __bool__(self) -> bool:
        return self.status == "found"


class Ids(list[str]):
    """The ids that a list found: a list, which knows whether it is all of them.

    Attributes:
        status: `found`, also of an empty list, or why the store could not be asked.
        cursor: where to go on; None where every id was seen.
        error: the reason, where there is one.
    """

    def __init__(
        self, found: Iterable[str] = (), *, status: Status = "found", cursor: str | None = None, error: ClewError | None = None
    ) -> None:
        super().__init__(found)
        self.status = status
        self.cursor = cursor
        self.error = error


def status_of(error: ClewError) -> Status:
    """Return the word for an error."""
    if isinstance(error, UnavailableError):
        return "unavailable"
    if isinstance(error, ConflictError):
        return "conflict"
    if isinstance(error, UnreadableError):
        return "unreadable"
    return "refused"
