"""An optional power: taking away all that is kept of an owner, whatever made it, and looking whether anything is left.

It goes by keys and rows, not by what they mean: what nobody lists goes too, and so do tombstones. Each verb is a step of a walk,
in bounded memory; a walk ends where a step gives no cursor. Errors are the Backend's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

__all__ = ["Erased", "Erasing"]


@dataclass(frozen=True, slots=True)
class Erased:
    """What one step found, and took away unless it only looked.

    Attributes:
        found: how many keys (Redis) or rows (SQLite) of each kind. A later step may count a key of Redis again.
        cursor: where the next step goes on; None at the end of the walk.
    """

    found: Mapping[str, int] = field(default_factory=dict)
    cursor: str | None = None


@runtime_checkable
class Erasing(Protocol):
    """Erasing. What is written while a walk is under way may stay: walk again until a walk finds nothing."""

    async def list_owners(self, *, cursor: str | None = None) -> tuple[Sequence[str], str | None]:
        """Return some owners who have partitions that are listed, and the cursor of the next step; None at the end.

        A step may bring none, and an owner may come twice; one who is there throughout comes at least once.
        """
        ...

    async def erase_owner(self, owner: str, *, cursor: str | None = None, dry: bool = False) -> Erased:
        """Take away some of the partitions of an owner with all that belongs to them: runs, leases, listings, tombstones.

        Followers are told that they are gone. No tombstone is left, so that a name may be used again at once.

        Args:
            cursor: of the step before; None for the first.
            dry: only count.
        """
        ...

    async def erase_keys(
        self, prefix: str, *, member: bytes | None = None, cursor: str | None = None, dry: bool = False
    ) -> Erased:
        """Take away some of the values, sets and lists whose literal keys begin with `prefix`, also where it holds a `*`.

        Args:
            member: leave the keys; take only those members out of the sets that begin with these bytes.
            cursor: of the step before; None for the first.
            dry: only count.
        """
        ...

    async def scrub(self) -> Sequence[str]:
        """Overwrite what erased data left behind in files of the store that this program can reach.

        Returns:
            sentences on where erased data may stand still, and what removes it.

        Raises:
            FullError: there is no room for it; what was erased stays erased.
        """
        ...
