"""The changes of checkpoints as steps: checked against what is there before the commit, and written with all that it writes.

Parts are written last, when every position is known, and what nothing needs any more is collected after that.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from ...checkpoints import DropCheckpoints, Fenced, PutCheckpoint, PutWrites, Revive, Write
from ...errors import ConflictError, FencedError
from .checkpoint_rows import NewPart, encode, find_missing
from .desk import Desk
from .leases import find_fence

CheckpointChange: TypeAlias = PutCheckpoint | PutWrites | DropCheckpoints | Fenced | Revive

_PUT: Final = """
INSERT INTO checkpoint (partition, branch, id, parent, head, uses) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (partition, branch, id) DO UPDATE SET parent = excluded.parent, head = excluded.head, uses = excluded.uses"""
_PUT_WRITE: Final = """
INSERT INTO task_write (partition, branch, checkpoint, path, task, place, channel, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (partition, branch, checkpoint, path, task, place) DO UPDATE SET channel = excluded.channel, data = excluded.data
WHERE place < 0 AND (channel, data) IS NOT (excluded.channel, excluded.data)"""
_DROP: Final = "DELETE FROM checkpoint WHERE partition = ? AND branch = ? AND id = ?"
_DROP_WRITES: Final = "DELETE FROM task_write WHERE partition = ? AND branch = ? AND checkpoint = ?"


class CheckpointPut:
    """A checkpoint set, and its parts added."""

    def __init__(self, change: PutCheckpoint) -> None:
        self._change = change
        self._uses = encode(change.uses)
        self._parts = [NewPart(change.branch, name, part) for name, part in change.parts.items()]

    def check(self, desk: Desk) -> None:
        change, parts = self._change, self._change.parts
        made_ms = desk.standing.made_ms if desk.number else 0
        if change.made_ms is not None and change.made_ms != made_ms:
            raise ConflictError(
                f"{desk.partition.name!r} is not the one that was read, but began anew: send all of the checkpoint again",
                expected=change.made_ms,
                actual=made_ms,
            )
        promised = desk.pending.promised
        promised.update([(change.branch, name) for name in parts])
        needed = {name for name in change.uses if (change.branch, name) not in promised}
        needed.update([part.after for part in parts.values() if part.after and (change.branch, part.after) not in promised])
        missing = find_missing(desk.db, desk.number, change.branch, needed) if needed else None
        if missing is not None:
            raise ConflictError(
                f"{desk.partition.name!r} has no part {missing!r} in this branch: send all of the checkpoint again",
                expected=missing,
            )

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        change = self._change
        desk.db.execute(_PUT, (desk.number, change.branch, change.id, change.parent, change.head, self._uses))
        desk.pending.parts += self._parts
        outcomes.append(desk.standing.made_ms)


class WritesPut:
    """Writes added to a checkpoint."""

    def __init__(self, change: PutWrites) -> None:
        self._change = change
        kept: dict[tuple[str, str, int], Write] = {}
        for write in change.writes:
            place = write[:3]
            if write.index < 0 or place not in kept:
                kept[place] = write
        self._writes = tuple(kept.values())

    def check(self, desk: Desk) -> None:
        """They need nothing to be there."""

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        place = (desk.number, self._change.branch, self._change.id)
        outcomes.append(desk.db.executemany(_PUT_WRITE, [(*place, *write) for write in self._writes]).rowcount)


class CheckpointsDropped:
    """Checkpoints deleted with their writes."""

    def __init__(self, change: DropCheckpoints) -> None:
        self._change = change

    def check(self, desk: Desk) -> None:
        """What is not there is not dropped."""

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        points = [(desk.number, *point) for point in self._change.points]
        count = desk.db.executemany(_DROP, points).rowcount
        desk.db.executemany(_DROP_WRITES, points)
        desk.pending.loose.update([branch for branch, _ in self._change.points])
        outcomes.append(count)


class Fence:
    """The condition that a lease was last claimed with this fence."""

    def __init__(self, change: Fenced) -> None:
        self._change = change

    def check(self, desk: Desk) -> None:
        name, fence = self._change.name, self._change.fence
        newest = find_fence(desk.db, desk.partition, name)
        if newest != fence:
            raise FencedError(
                f"the lease {name!r} of {desk.partition.name!r} is not this writer's any more: stop writing",
                expected=fence,
                actual=newest,
            )

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        outcomes.append(0)


class Revival:
    """A new beginning where the tombstone stands; the commit looks for it before it looks anything up."""

    def check(self, desk: Desk) -> None:
        """Whatever stands there, this is allowed."""

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        outcomes.append(int(desk.revives))


CheckpointStep: TypeAlias = CheckpointPut | WritesPut | CheckpointsDropped | Fence | Revival


def make_checkpoint_step(change: CheckpointChange) -> CheckpointStep:
    """Return the step of a checked change."""
    if isinstance(change, PutCheckpoint):
        return CheckpointPut(change)
    if isinstance(change, PutWrites):
        return WritesPut(change)
    if isinstance(change, DropCheckpoints):
        return CheckpointsDropped(change)
    return Fence(change) if isinstance(change, Fenced) else Revival()
