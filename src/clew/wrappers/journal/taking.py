"""What a journal is written to: one verb of a backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...records import Change, Commit, Once, Partition


class Taker(Protocol):
    """What a drainer writes to, as Backend.commit does; each commit with a token of its own."""

    async def commit(
        self,
        partition: Partition,
        changes: Sequence[Change],
        *,
        expect: int | None = None,
        once: str | Once | None = None,
        listed: bool = False,
    ) -> Commit:
        """See Backend.commit."""
        ...
