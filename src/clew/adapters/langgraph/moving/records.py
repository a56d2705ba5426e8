"""What every layout gives when it is read: checkpoints with their writes, and what could not be read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol, Self

Kind = Literal["thread", "checkpoint", "write", "value"]


@dataclass(frozen=True, slots=True)
class FoundWrite:
    """One write of a task, on the way from its checkpoint to the next one; `index` is below 0 for special channels."""

    path: str
    task: str
    index: int
    channel: str
    value: Any  # whatever a program's channel holds


@dataclass(frozen=True, slots=True)
class Found:
    """A checkpoint as it was found.

    Attributes:
        branch: LangGraph's `checkpoint_ns`; empty for the root graph.
        checkpoint: with its `channel_values`.
        writes: in no order.
    """

    thread: str
    branch: str
    id: str
    parent: str | None
    checkpoint: dict[str, Any]
    metadata: dict[str, Any]
    writes: tuple[FoundWrite, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that is left behind, and why. It holds no payload.

    Attributes:
        kind: what it is; of a broken write or value, the checkpoint comes all the same, without it.
        where: the key or the row, as the source names it.
    """

    kind: Kind
    where: str
    reason: str
    thread: str | None = None
    branch: str | None = None
    id: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """Return it for programs."""
        return {
            "kind": self.kind,
            "thread": self.thread,
            "checkpoint_ns": self.branch,
            "checkpoint_id": self.id,
            "where": self.where,
            "reason": self.reason,
        }


class Source(Protocol):
    """A layout, opened. Reading changes nothing in it."""

    def read(self) -> AsyncIterator[Found | Broken]:
        """Yield everything: one branch of a thread after the other, in each the oldest checkpoint first."""
        ...

    async def aclose(self) -> None:
        """Close what was opened."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Closing:
    """A source as a context manager."""

    async def aclose(self) -> None:
        """Close what was opened."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()


@dataclass(slots=True)
class Report:
    """What a move did.

    Attributes:
        threads: threads that were looked at.
        checkpoints, writes: those that were put.
        there: checkpoints that were there already, and stayed as they are.
        left: how many things were left behind.
        details: the first of them.
    """

    threads: int = 0
    checkpoints: int = 0
    writes: int = 0
    there: int = 0
    left: int = 0
    details: list[Broken] = field(default_factory=list)


def reason_of(error: BaseException) -> str:
    """Say what is wrong without what was being read: only errors that never quote it are told whole."""
    from ....errors import ClewError

    if isinstance(error, ClewError | NotImplementedError):
        return str(error)
    return f"it cannot be read ({type(error).__name__})"
