"""Whether any of a store is there: some stores can be away in part, as a cluster of which one server is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Reaching(Protocol):
    """A backend that can say whether any of it answers. It needs no right to any key."""

    @property
    def fails_in_part(self) -> bool:
        """Whether a call can find it away while others go on: one of several servers is down, or writers wait for a lock."""
        ...

    async def reach(self) -> None:
        """Return when some part of it has answered; raise UnavailableError where none does in time."""
        ...
