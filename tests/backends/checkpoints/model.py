"""What a partition with checkpoints is to hold and to answer, in a few lines over dicts: slow, and easy to believe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from clew.checkpointing import CheckpointPage, Trace
from clew.checkpoints import Checkpoint, DropCheckpoints, Fenced, Part, PutCheckpoint, PutWrites, Revive, Span, Write
from clew.errors import ConflictError, GoneError
from clew.records import Append, Change, Entry, Remove, Trim, Truncate

Point = tuple[str, str]


def spell(part: Part) -> Part:
    """Return a part with a span for each position: two engines may cut them differently."""
    return Part(part.data, part.after, tuple(Span(first + n, 1) for first, count in part.spans for n in range(count)))


@dataclass
class State:
    """What a commit changes."""

    entries: dict[int, Entry] = field(default_factory=dict)
    """Id and data by position."""
    last: int = 0
    points: dict[Point, PutCheckpoint] = field(default_factory=dict)
    parts: dict[Point, Part] = field(default_factory=dict)
    """By branch and name."""
    writes: dict[Point, dict[tuple[str, str, int], Write]] = field(default_factory=dict)
    revision: int = 0
    made_ms: int = 0
    """0 until somebody has seen it."""

    def copy(self) -> State:
        """Return another that changes by itself."""
        writes = {point: dict(some) for point, some in self.writes.items()}
        return State(dict(self.entries), self.last, dict(self.points), dict(self.parts), writes, self.revision, self.made_ms)

    def reach(self, branch: str, names: Iterable[str]) -> dict[str, Part]:
        """Return the parts of these names, and those that they go on from."""
        found: dict[str, Part] = {}
        left = list(names)
        while left:
            name = left.pop()
            if name not in found:
                found[name] = self.parts[branch, name]
                left += [found[name].after] if found[name].after else []  # type: ignore[list-item] # mypy sees no narrowing
        return found

    def needed(self) -> set[Point]:
        """Return the branch and name of every part that a checkpoint needs."""
        return {(branch, name) for (branch, _), put in self.points.items() for name in self.reach(branch, put.uses)}

    def refer(self, parts: Iterable[Part]) -> dict[int, Entry]:
        """Return what a page has of the entries."""
        spans = (span for part in parts for span in part.spans)
        wanted = {first + n for first, count in spans for n in range(count)}
        there = sorted(wanted & self.entries.keys())
        return {position: msgspec.structs.replace(self.entries[position], position=position) for position in there}

    def tell_writes(self, point: Point) -> tuple[Write, ...]:
        """Return the writes of a checkpoint in their order."""
        there = self.writes.get(point, {})
        return tuple(there[place] for place in sorted(there))


class Model:
    """A partition, and what each verb is to answer."""

    def __init__(self) -> None:
        self.state = State()
        self.is_gone = False
        self.fences: dict[str, int] = {}

    def drop(self, *, tombstone: bool) -> None:
        """Drop the partition, which is there."""
        self.state, self.is_gone, self.fences = State(), tombstone, {}

    # -- what is written -------------------------------------------------------------------------------------------------

    def commit(self, changes: Sequence[Change], expect: int | None) -> list[int | None]:
        """Apply the changes; return the outcomes, None for one that a new partition alone can tell.

        Raises:
            GoneError, ConflictError: they are refused, and nothing has changed.
        """
        revives = any(isinstance(change, Revive) for change in changes)
        if self.is_gone and not revives:
            raise GoneError
        if expect is not None and expect != self.state.revision:
            raise ConflictError("expect")
        self._check(changes)
        positions: list[int] = []
        self.state, outcomes = self.state.copy(), list[int | None]()
        for change in changes:
            outcomes.append(self._apply(change, positions))
        for change in changes:
            if isinstance(change, PutCheckpoint):
                for name, part in change.parts.items():
                    self.state.parts.setdefault((change.branch, name), Part(part.data, part.after, _place(part, positions)))
        if any(isinstance(change, DropCheckpoints) for change in changes):
            needed = self.state.needed()
            self.state.parts = {name: part for name, part in self.state.parts.items() if name in needed}
        self.state.revision += 1
        self.is_gone = False
        return outcomes

    def _check(self, changes: Sequence[Change]) -> None:
        there = set(self.state.parts)
        for change in changes:
            if isinstance(change, Fenced) and self.fences.get(change.name) != change.fence:
                raise ConflictError("fenced")
            if isinstance(change, PutCheckpoint):
                there |= {(change.branch, name) for name in change.parts}
                wanted = [*change.uses, *(part.after for part in change.parts.values() if part.after)]
                if not there.issuperset((change.branch, name) for name in wanted):
                    raise ConflictError("a part is nowhere")
                if change.made_ms is not None and change.made_ms != self.state.made_ms:
                    raise ConflictError("another life")

    def _apply(self, change: Change, positions: list[int]) -> int | None:
        state = self.state
        if isinstance(change, Append):
            position = next((at for at, entry in state.entries.items() if entry.id == change.entry.id), None)
            positions.append(position or state.last + 1)
            if position:
                return -position
            state.last += 1
            state.entries[state.last] = change.entry
            return state.last
        if isinstance(change, Remove | Truncate | Trim):
            gone = [at for at, entry in state.entries.items() if _cuts(change, at, entry.id)]
            state.entries = {at: entry for at, entry in state.entries.items() if at not in gone}
            return sum(gone) if isinstance(change, Remove) else len(gone)
        if isinstance(change, PutCheckpoint):
            state.points[change.branch, change.id] = change
            return state.made_ms or None
        if isinstance(change, PutWrites):
            there = state.writes.setdefault((change.branch, change.id), {})
            before = dict(there)
            for each in change.writes:
                place = (each.path, each.task, each.index)
                there[place] = each if each.index < 0 else there.get(place, each)
            return sum(before.get(place) != each for place, each in there.items())
        if isinstance(change, DropCheckpoints):
            for point in change.points:
                state.writes.pop(point, None)
            return sum(state.points.pop(point, None) is not None for point in change.points)
        return int(isinstance(change, Revive) and self.is_gone)

    # -- what is read ----------------------------------------------------------------------------------------------------

    def get(self, branch: str, id: str | None) -> CheckpointPage:
        """Return what `get_checkpoint` is to answer."""
        self._look()
        found = self._latest(branch) if id is None else (branch, id)
        return self._page([found] if found in self.state.points else [], bare=False, has_more=False)

    def list(self, branch: str | None, before: str | None, after: Point | None, limit: int, bare: bool) -> CheckpointPage:
        """Return what `list_checkpoints` is to answer."""
        self._look()
        found = [
            point
            for point in sorted(self.state.points, reverse=True)
            if branch in (None, point[0]) and (before is None or point[1] < before) and (after is None or point < after)
        ]
        return self._page(found[:limit], bare=bare, has_more=len(found) > limit)

    def trace(self, branch: str, id: str | None, channels: Iterable[str]) -> Trace:
        """Return what `trace_checkpoint` is to answer."""
        self._look()
        at = self._latest(branch) if id is None else (branch, id)
        missing, seeds, ancestors = set(channels), dict[str, str](), list[tuple[str, tuple[Write, ...]]]()
        for parent in self._ancestors(at) if at in self.state.points else ():
            if not missing:
                break
            writes = self.state.tell_writes(parent)
            ancestors.append((parent[1], tuple(write for write in writes if write.channel in missing)))
            uses = {name.partition("\0")[0]: name for name in self.state.points[parent].uses}
            seeds |= {channel: uses[channel] for channel in missing & uses.keys()}
            missing -= uses.keys()
        parts = self.state.reach(branch, seeds.values())
        return Trace(tuple(ancestors), seeds, parts, self.state.refer(parts.values()))

    def _look(self) -> None:
        if self.is_gone:
            raise GoneError

    def _latest(self, branch: str) -> Point | None:
        return max((point for point in self.state.points if point[0] == branch), default=None)

    def _ancestors(self, at: Point | None) -> Iterator[Point]:
        assert at is not None
        seen = {at}
        while (parent := self.state.points[at].parent) is not None:
            at = (at[0], parent)
            if at in seen or at not in self.state.points:
                return
            seen.add(at)
            yield at

    def _page(self, found: Sequence[Point], *, bare: bool, has_more: bool) -> CheckpointPage:
        state, parts, checkpoints = self.state, dict[str, Part](), list[Checkpoint]()
        for branch, id in found:
            put = state.points[branch, id]
            mine = {} if bare else state.reach(branch, put.uses)
            if any(parts[name] != mine[name] for name in parts.keys() & mine.keys()):
                # The whole branch is left for the next page.
                checkpoints = [each for each in checkpoints if each.branch != branch]
                used = [state.reach(each.branch, each.uses) for each in checkpoints]
                parts, has_more = {name: part for some in used for name, part in some.items()}, True
                break
            parts |= mine
            writes = () if bare else state.tell_writes((branch, id))
            checkpoints.append(Checkpoint(branch, id, put.parent, put.head, put.uses, writes))
        return CheckpointPage(tuple(checkpoints), parts, state.refer(parts.values()), state.made_ms, has_more)


def _place(part: Part, positions: Sequence[int]) -> tuple[Span, ...]:
    spelled = [first + n if first > 0 else positions[n - first - 1] for first, count in part.spans for n in range(count)]
    return tuple(Span(position, 1) for position in spelled)


def _cuts(change: Remove | Truncate | Trim, position: int, id: str) -> bool:
    if isinstance(change, Remove):
        return id == change.id
    return position > int(change.after) if isinstance(change, Truncate) else position < change.before
