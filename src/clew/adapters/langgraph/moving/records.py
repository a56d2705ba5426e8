"""What every layout gives when it is read: checkpoints with their writes, and what could not be read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from ....moving import records as moving
from ....moving.records import Closing, Leaving, reason_of

__all__ = ["Broken", "Closing", "Found", "FoundWrite", "Kind", "Report", "Source", "reason_of"]

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
class Broken(moving.Broken):
    """Something that is left behind: a thread, a checkpoint, or of a checkpoint that comes all the same a write or a value."""

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


@dataclass(slots=True)
class Report(Leaving[Broken]):
    """What a move did.

    Attributes:
        threads: threads that were looked at.
        checkpoints, writes: those that were put; of a dry run, those that were read.
        there: checkpoints that were there already, and stayed as they are.
    """

    threads: int = 0
    checkpoints: int = 0
    writes: int = 0
    there: int = 0
