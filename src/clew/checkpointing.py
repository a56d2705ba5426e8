"""An optional power: checkpoints of programs in a partition, beside its log, so that a message is stored once.

They are written by `commit`, with the changes of `clew.checkpoints`, and read by the verbs here. They belong to the partition:
a drop takes them along, and its time to live is theirs, so that no half of it expires. Errors are the Backend's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

import msgspec

from .checkpoints import Checkpoint, Part, Write
from .records import Entry, Partition

__all__ = ["WINDOW", "CheckpointPage", "Checkpointing", "Trace"]

WINDOW: Final = 256
"""The newest entries of the log that come with a checkpoint in the same trip, where the caller does not know better."""


class CheckpointPage(msgspec.Struct, frozen=True):
    """Checkpoints, and what they consist of.

    Attributes:
        checkpoints: in the order asked.
        parts: every part that one of them uses, and those before it (`Part.after`), by name; spans have positions. Where two
            branches have different parts of one name, a page ends before the second branch, and has more.
        entries: every entry in a span of `parts` that is still there, by position.
        made_ms: when the partition was made; 0 where there is none.
        has_more: whether more follow in the order asked.
    """

    checkpoints: tuple[Checkpoint, ...] = ()
    parts: Mapping[str, Part] = {}
    entries: Mapping[int, Entry] = {}
    made_ms: int = 0
    has_more: bool = False


class Trace(msgspec.Struct, frozen=True):
    """The way back from a checkpoint.

    Attributes:
        ancestors: the parent, its parent and so on, each with those of its writes whose channel was asked for and not found yet.
        seeds: for each channel the name of the part in the nearest ancestor that uses one; those without one are left out.
        parts, entries: as of `CheckpointPage`, for the seeds.
    """

    ancestors: tuple[tuple[str, tuple[Write, ...]], ...] = ()
    seeds: Mapping[str, str] = {}
    parts: Mapping[str, Part] = {}
    entries: Mapping[int, Entry] = {}


@runtime_checkable
class Checkpointing(Protocol):
    """Reading checkpoints. An unknown partition has none."""

    async def get_checkpoint(
        self, partition: Partition, branch: str, id: str | None = None, *, window: int = WINDOW
    ) -> CheckpointPage:
        """Return one checkpoint (the latest of the branch for None), with its parts, writes and entries; or an empty page.

        One round trip where the newest `window` entries of the log hold every span, else one more.

        Args:
            window: from 0 to `limits.MAX_PAGE`.
        """
        ...

    async def list_checkpoints(
        self,
        partition: Partition,
        *,
        branch: str | None = None,
        before: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 20,
        bare: bool = False,
    ) -> CheckpointPage:
        """Return checkpoints, the latest first: those of one branch, or of all, the branches in descending order of their bytes.

        Args:
            before: only those with a smaller id, in whatever branch.
            after: the branch and id of the checkpoint after which to go on, which need not be there any more.
            limit: from 1 to `limits.MAX_PAGE`.
            bare: leave out writes, parts and data.
        """
        ...

    async def trace_checkpoint(
        self, partition: Partition, branch: str, id: str | None, channels: Sequence[str], *, window: int = WINDOW
    ) -> Trace:
        """Walk from a checkpoint (the latest of the branch for None) to its ancestors, until each channel has its seed.

        A seed is the part of a channel that the ancestor uses. The walk ends where a parent is not there. One round trip, as
        `get_checkpoint`.

        Args:
            channels: at least one; a part's channel is its name up to the NUL.
        """
        ...
