"""What every layout gives when it is read: threads with their items, values, routes, and what could not be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Generic, NamedTuple, Protocol, Self, TypeVar

from ..errors import ClewError
from ..limits import MAX_TITLE_BYTES
from ..model import JSON, NewItem
from .names import Place

DETAILS: Final = 100
"""The first things left behind are told one by one; all are counted."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that is left behind, and why. It holds no payload.

    Attributes:
        kind: what it is: thread, item, value, route, or a layout's own word.
        where: the key or the row, as the source names it.
        thread: the id of its thread, where it has one.
    """

    kind: str
    where: str
    reason: str
    thread: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """Return it for programs."""
        return {"kind": self.kind, "thread": self.thread, "where": self.where, "reason": self.reason}


Tell = Callable[[Broken], None]


class Row(NamedTuple):
    """Something to be opened: a thread, a value or a route.

    Attributes:
        owner: whose it is in the source; None where it does not say.
    """

    owner: str | None
    place: Place
    key: bytes


@dataclass(slots=True)
class FoundThread(ABC):
    """A thread as it was found; `items` reads it.

    Attributes:
        owner: whose it is in the source, None where it does not say.
        where: its key, by which a thread that was moved before is known again.
        notes: notes of an integration, as `threads.create` takes them.
        ttl_ms: milliseconds that it has left, None where it stays.
        mark: how far `items` has read, once it has: what the next move of the same thread is given.
    """

    owner: str | None
    id: str
    where: str
    title: str | None = None
    metadata: Mapping[str, JSON] = field(default_factory=dict)
    notes: Mapping[str, JSON] = field(default_factory=dict)
    ttl_ms: int | None = None
    mark: JSON = None

    @abstractmethod
    def items(self, mark: JSON) -> AsyncGenerator[list[NewItem | Broken]]:
        """Yield all items in order, some at a time, each under an id that is the same whenever it is read.

        Args:
            mark: what the last move of it left, None for the first.
        """


@dataclass(frozen=True, slots=True)
class FoundValue:
    """Bytes under a literal key."""

    key: str
    data: bytes
    ttl_ms: int | None


@dataclass(frozen=True, slots=True)
class FoundRoute:
    """Where a conversation leads, under a literal prefix, and the prefix of the index of its sessions."""

    prefix: str
    index: str
    conversation: str
    session: str
    ttl_ms: int | None


Found = FoundThread | FoundValue | FoundRoute


class Closing(ABC):
    """A source as a context manager."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close what was opened."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()


class Source(Protocol):
    """A layout, opened. Reading changes nothing in it."""

    async def learn(self, tell: Tell) -> None:
        """Find out what there is, and tell what cannot be anything. What comes later may be missed: the next move brings it."""
        ...

    def count(self) -> int:
        """Return how many rows there are."""
        ...

    def rows(self, size: int) -> Iterator[list[Row]]:
        """Yield what there is, `size` at a time, in the order in which it is to be moved."""
        ...

    async def open(self, row: Row) -> Found | Broken | None:
        """Return what a row is; None for what has gone meanwhile."""
        ...

    async def aclose(self) -> None:
        """Close what was opened."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


TBroken = TypeVar("TBroken", bound=Broken)


@dataclass(slots=True)
class Leaving(Generic[TBroken]):
    """What a move left behind.

    Attributes:
        left: how many things.
        details: the first of them.
    """

    left: int = 0
    details: list[TBroken] = field(default_factory=list)

    def leave(self, broken: TBroken) -> None:
        """Count something that is left behind."""
        self.left += 1
        if len(self.details) < DETAILS:
            self.details.append(broken)


@dataclass(slots=True)
class Report(Leaving[Broken]):
    """What a move did, or would do.

    Attributes:
        threads: threads that were looked at.
        items, values, routes: those that were put; of a dry run, those that were read.
        there: items, values and routes that were there already, and stayed as they are.
        others: threads of other owners than the one that was asked for.
    """

    threads: int = 0
    items: int = 0
    values: int = 0
    routes: int = 0
    there: int = 0
    others: int = 0


def reason_of(error: BaseException) -> str:
    """Say what is wrong without what was being read: only errors that never quote it are told whole."""
    # A NotImplementedError is LangGraph's serializer, which names the kind that it does not know.
    if isinstance(error, ClewError | NotImplementedError):
        return str(error)
    return f"it cannot be read ({type(error).__name__})"


def fit_title(text: Any) -> str | None:
    """Return what a stranger's title becomes, None where it is none."""
    if not isinstance(text, str) or not text:
        return None
    return text.encode(errors="replace")[:MAX_TITLE_BYTES].decode(errors="ignore")
