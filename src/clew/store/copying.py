"""Copying a thread with its checkpoints: in one commit where it fits, and staged where it does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from ..backend import Backend
from ..checkpointing import Checkpointing, CheckpointPage
from ..checkpoints import Checkpoint, Part, PutCheckpoint, PutWrites, Revive, Span
from ..limits import MAX_CHANGES, MAX_COMMIT_BYTES, MAX_PAGE
from ..records import Append, Change, Expire, Partition
from .checks import LOG, need_expiry, no_thread
from .forking import HALF_DONE_MS
from .headers import copy_fields, make_thread, put_header

Parts: TypeAlias = Mapping[tuple[str, str], Part]
"""By branch and name, since a name is its branch's own."""
PAGE: Final = 200
"""How many checkpoints are read at once."""


async def copy(backend: Backend, power: Checkpointing, source: Partition, target: Partition) -> int:
    """See Checkpoints.copy."""
    snapshot = await backend.fetch(source)
    if make_thread(source, snapshot) is None:
        raise no_thread(source)
    # The checkpoints first: the log only grows, so that what is read of it then holds all that they refer to.
    checkpoints, parts = await _read_checkpoints(power, source)
    appends, places = await _read_items(backend, source)
    header: list[Change] = [put_header((source.name, None)), *copy_fields(snapshot.documents)]
    await backend.drop(target, tombstone_ms=0)
    writer = _Writer(backend, target, header)
    await writer.write(appends, places, checkpoints, parts)
    return len(checkpoints)


async def _read_checkpoints(power: Checkpointing, source: Partition) -> tuple[list[Checkpoint], Parts]:
    """Return every checkpoint, the latest first, and every part."""
    found: list[Checkpoint] = []
    parts: dict[tuple[str, str], Part] = {}
    after: tuple[str, str] | None = None
    while True:
        page: CheckpointPage = await power.list_checkpoints(source, after=after, limit=PAGE)
        found += page.checkpoints
        for checkpoint in page.checkpoints:
            for name in checkpoint.uses:
                following: str | None = name
                while following is not None and (place := (checkpoint.branch, following)) not in parts:
                    part = parts[place] = page.parts[following]
                    following = part.after
        if not page.has_more:
            return found, parts
        after = (found[-1].branch, found[-1].id)


async def _read_items(backend: Backend, source: Partition) -> tuple[list[Append], dict[int, int]]:
    """Return the appends that write every item again, and which of them, counted from 1, each position is."""
    appends: list[Append] = []
    places: dict[int, int] = {}
    after: int | None = None
    while True:
        page = await backend.read(source, LOG, after=after, limit=MAX_PAGE)
        for entry in page.entries:
            appends.append(Append(LOG, entry))
            places[entry.position] = len(appends)
        if not page.has_more or not page.entries:
            return appends, places
        after = page.entries[-1].position


class _Writer:
    """Writes the copy in as few commits as hold it."""

    def __init__(self, backend: Backend, target: Partition, header: Sequence[Change]) -> None:
        self._backend = backend
        self._target = target
        self._header = header
        self._revision = 0

    async def write(
        self,
        appends: Sequence[Append],
        places: Mapping[int, int],
        checkpoints: Sequence[Checkpoint],
        parts: Parts,
    ) -> None:
        items = _Batch()
        for append in appends:
            if not items.holds(1, len(append.entry.data)):
                # Where the items alone need several commits, they are written before.
                break
            items.take([append], len(append.entry.data))
        else:
            whole = self._begin_with(items, places, checkpoints, parts)
            if whole is not None:
                await self._commit([*whole, *self._header, Revive()], listed=True)
                return
        await self._stage(appends, places, checkpoints, parts)

    def _begin_with(
        self, items: _Batch, places: Mapping[int, int], checkpoints: Sequence[Checkpoint], parts: Parts
    ) -> list[Change] | None:
        """Return the changes of a copy in one commit; None where it does not fit."""
        moved = {position: -number for position, number in places.items()}
        sent: set[tuple[str, str]] = set()
        for checkpoint in checkpoints:
            changes, size = _changes_of(checkpoint, parts, moved, sent)
            if not items.holds(len(changes) + len(self._header) + 1, size):
                return None
            items.take(changes, size)
        return items.changes

    async def _stage(
        self,
        appends: Sequence[Append],
        places: Mapping[int, int],
        checkpoints: Sequence[Checkpoint],
        parts: Parts,
    ) -> None:
        need_expiry(self._backend)
        # Empty at first: what dies here leaves no more than a name.
        await self._commit([Expire(HALF_DONE_MS, "fixed"), Revive()])
        positions: list[int] = []
        batch = _Batch()
        for append in appends:
            if not batch.holds(1, len(append.entry.data)):
                positions += await self._commit(batch.changes)
                batch = _Batch()
            batch.take([append], len(append.entry.data))
        positions += await self._commit(batch.changes)
        moved = {old: abs(positions[number - 1]) for old, number in places.items()}
        sent: set[tuple[str, str]] = set()
        batch = _Batch()
        for checkpoint in checkpoints:
            changes, size = _changes_of(checkpoint, parts, moved, sent)
            if not batch.holds(len(changes), size):
                await self._commit(batch.changes)
                batch = _Batch()
            batch.take(changes, size)
        await self._commit(batch.changes)
        await self._commit([Expire(None), *self._header], listed=True)

    async def _commit(self, changes: Sequence[Change], *, listed: bool = False) -> tuple[int, ...]:
        done = await self._backend.commit(self._target, changes, expect=self._revision, listed=listed)
        self._revision = done.revision
        return done.outcomes


class _Batch:
    """What goes into one commit."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._bytes = 0

    def holds(self, count: int, size: int) -> bool:
        """Whether so many changes more, of so many bytes, fit."""
        return len(self.changes) + count <= MAX_CHANGES and self._bytes + size <= MAX_COMMIT_BYTES

    def take(self, changes: Iterable[Change], size: int) -> None:
        """Take more."""
        self.changes += changes
        self._bytes += size


def _changes_of(
    checkpoint: Checkpoint, parts: Parts, moved: Mapping[int, int], sent: set[tuple[str, str]]
) -> tuple[list[Change], int]:
    """Return the changes that write a checkpoint again, with the parts that were not sent yet, and how many bytes they are."""
    needed: dict[str, Part] = {}
    for name in checkpoint.uses:
        following: str | None = name
        while following is not None and (place := (checkpoint.branch, following)) not in sent and place in parts:
            part = parts[place]
            needed[following] = msgspec.structs.replace(part, spans=_move(part.spans, moved))
            sent.add(place)
            following = part.after
    changes: list[Change] = [
        PutCheckpoint(checkpoint.branch, checkpoint.id, checkpoint.parent, checkpoint.head, checkpoint.uses, needed)
    ]
    if checkpoint.writes:
        changes.append(PutWrites(checkpoint.branch, checkpoint.id, checkpoint.writes))
    size = len(checkpoint.head) + sum(len(part.data) for part in needed.values())
    return changes, size + sum(len(write.data) for write in checkpoint.writes)


def _move(spans: Iterable[Span], moved: Mapping[int, int]) -> tuple[Span, ...]:
    """Return the spans with the positions of the copy. What was removed is left out."""
    found: list[Span] = []
    for first, count in spans:
        for position in range(first, first + count):
            place = moved.get(position)
            if place is None:
                continue
            step = -1 if place < 0 else 1
            if found and found[-1].first + step * found[-1].count == place:
                found[-1] = Span(found[-1].first, found[-1].count + 1)
            else:
                found.append(Span(place, 1))
    return tuple(found)
