"""An optional power: writes that are accepted while the store is away, and written when it is back.

What is accepted is durable where the process runs, and pending: whether the store takes it is known only then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from .backend import Backend
from .records import Change, Commit, Once, Partition

__all__ = ["Accepting"]


@runtime_checkable
class Accepting(Protocol):
    """A backend whose `commit` may return a pending result (`Commit.pending`)."""

    async def outlast(
        self,
        partition: Partition,
        work: Callable[[Backend], Awaitable[Commit]],
        changes: Sequence[Change],
        header: Sequence[Change],
        *,
        once: str | Once | None = None,
    ) -> Commit:
        """Do `work` on the store, or accept what it would write: the changes, with the header where the partition is not there.

        Args:
            work: commits the changes to a partition that is there, or else the changes and the header; safe to repeat.
            changes: only appends.
            header: what makes the partition.

        Raises:
            UnavailableError: the store is away, and this cannot be accepted.
            FullError: nor is there room to accept it.
        """
        ...

    async def waiting(self) -> dict[str, int | str | None]:
        """Return how many writes wait (`depth`), how many were refused for good (`aside`), and why the store is `away`."""
        ...
