"""Makes calls by chance on a store, and the same on the model, and compares what both say."""

from __future__ import annotations

import random

import msgspec
import pytest

from clew.checkpointing import CheckpointPage, Trace
from clew.checkpoints import DropCheckpoints, Fenced, Part, PutCheckpoint, PutWrites, Revive, Span, Write
from clew.codec import make_entry
from clew.errors import ClewError
from clew.records import Append, Change, Partition, Remove, Trim, Truncate
from clew.testing import WholeBackend

from .model import Model, Point, spell

BRANCHES = ("", "a", "a:b")
IDS = ("1", "10", "11", "2", "3", "a", "ž")
CHANNELS = ("a", "ab", "b")
WINDOWS = (0, 1, 3, 256)


class Player:
    """Plays on one partition."""

    def __init__(self, backend: WholeBackend, partition: Partition, chance: random.Random) -> None:
        self.backend, self.partition, self.chance = backend, partition, chance
        self.model = Model()
        self.count = 0
        self.swept: set[Point] = set()
        """Parts that a drop took: nobody has them any more."""
        self.done: dict[str, int] = {}
        """How often each kind of call was made, and each kind of refusal met."""

    async def play(self) -> None:
        """Make one call, and compare."""
        verbs = [self.put, self.log, self.claim, self.drop, self.get, self.list, self.trace]
        verb = self.chance.choices(verbs, [10, 2, 1, 0.15, 4, 4, 4])[0]
        await verb()
        self.count_one(verb.__name__)

    def count_one(self, what: str) -> None:
        """Note what happened."""
        self.done[what] = self.done.get(what, 0) + 1

    def some_point(self, branch: str | None = None, *, odds: float = 0.8) -> Point:
        """Return the branch and id of a checkpoint, which as a rule is there."""
        there = [point for point in self.model.state.points if branch in (None, point[0])]
        if there and self.chance.random() < odds:
            return self.chance.choice(there)
        return (self.chance.choice(BRANCHES) if branch is None else branch, self.chance.choice(IDS))

    # -- what is written -------------------------------------------------------------------------------------------------

    async def put(self) -> None:
        chance, changes = self.chance, list[Change]()
        if chance.random() < (0.5 if self.model.is_gone else 0.05):
            changes.append(Revive())
        if chance.random() < 0.1:
            fence = self.model.fences.get("lock", 1) + chance.choice([0, 0, 0, 1])
            changes.append(Fenced("lock", fence))
        ids = chance.sample(range(12), chance.randint(0, 4))
        changes += [Append("items", make_entry(f"i{n}", b"%d." % n, created_ms=0)) for n in ids]
        kinds = chance.choices(["checkpoint", "writes", "drop"], [6, 4, 0.5], k=chance.randint(1, 3))
        brought: set[Point] = set()
        for kind in kinds:
            if kind == "checkpoint":
                changes.append(self.some_checkpoint(len(ids), brought))
            elif kind == "writes":
                changes.append(PutWrites(*self.some_point(), tuple(self.some_writes())))
            else:
                changes.append(DropCheckpoints(tuple({self.some_point() for _ in range(chance.randint(1, 3))})))
        chance.shuffle(changes)
        expect = chance.choice([None] * 6 + [self.model.state.revision, 99_999])
        await self.commit(changes, None if any(isinstance(change, Revive) for change in changes) else expect)

    def some_checkpoint(self, appends: int, brought: set[Point]) -> PutCheckpoint:
        """Return one whose parts are new, or there, and now and then nowhere."""
        chance, state = self.chance, self.model.state
        branch, id = self.some_point(odds=0.1)
        there = sorted(name for of, name in state.needed() if of == branch)
        parts: dict[str, Part] = {}
        for channel in chance.sample(CHANNELS, chance.randint(0, 3)):
            version = sum(of == branch for of, _ in state.parts.keys() | brought | self.swept) + 1
            name = chance.choice(there) if there and chance.random() < 0.1 else f"{channel}\0{version + len(parts)}"
            after = chance.choice(there) if there and chance.random() < 0.4 else None
            spans = tuple(self.some_span(appends) for _ in range(chance.randint(0, 3)))
            data = b"same" if chance.random() < 0.5 else f"{branch}/{name}".encode()
            parts[name] = Part(data, after, () if data == b"same" else spans)
        brought |= {(branch, name) for name in parts}
        uses = {name.partition("\0")[0]: name for name in (*chance.sample(there, min(len(there), 2)), *parts)}
        names = list(uses.values())
        lost = sorted(name for of, name in self.swept if of == branch)
        if chance.random() < 0.05:
            names.append(chance.choice([*lost, "missing\x001"]))
        made_ms = chance.choice([None, None, state.made_ms or None, state.made_ms + 7 if chance.random() < 0.2 else None])
        parent = chance.choice([None, *(self.some_point(branch)[1] for _ in range(4))])
        self.count += 1
        return PutCheckpoint(branch, id, parent, b"%d" % self.count, tuple(names), parts, made_ms)

    def some_span(self, appends: int) -> Span:
        """Return one of what is there, or of what is appended."""
        if appends and self.chance.random() < 0.6:
            first = self.chance.randint(1, appends)
            return Span(-first, self.chance.randint(1, appends - first + 1))
        return Span(self.chance.randint(1, self.model.state.last + 1), self.chance.randint(1, 5))

    def some_writes(self) -> list[Write]:
        """Return some, no two with the same place."""
        places = {(self.chance.choice(["", "p", "p:q"]), self.chance.choice(["t", "t1"]), n) for n in (-3, -1, 0, 2, 10)}
        chosen = self.chance.sample(sorted(places), self.chance.randint(1, len(places)))
        return [Write(*place, self.chance.choice(CHANNELS), b"%d" % self.chance.randint(0, 9)) for place in chosen]

    async def log(self) -> None:
        last = self.model.state.last
        cuts: list[Change] = [Truncate("items", max(0, last - 2)), Trim("items", max(0, last - 12))]
        cuts += [Remove("items", f"i{n}") for n in range(12)]
        await self.commit([self.chance.choice(cuts)], None)

    async def commit(self, changes: list[Change], expect: int | None) -> None:
        """Commit on both, and compare outcomes or refusals."""
        before = self.model.state.needed()
        try:
            outcomes = self.model.commit(changes, expect)
        except ClewError as error:
            self.count_one(str(error) or "gone")
            with pytest.raises(type(error)):
                await self.backend.commit(self.partition, changes, expect=expect)
            return
        done = await self.backend.commit(self.partition, changes, expect=expect)
        if not self.model.state.made_ms:
            self.model.state.made_ms = (await self.backend.fetch(self.partition)).created_ms
        assert done.revision == self.model.state.revision
        made_ms = self.model.state.made_ms
        assert list(done.outcomes) == [made_ms if outcome is None else outcome for outcome in outcomes], changes
        if any(isinstance(change, DropCheckpoints) for change in changes):
            self.swept |= before - self.model.state.needed()
        self.swept -= self.model.state.needed()

    async def claim(self) -> None:
        if not self.model.is_gone:
            holder = self.chance.choice(["ada", "bob"])
            lease = await self.backend.claim(self.partition, "lock", holder, ttl_ms=600_000)
            assert lease is not None
            self.model.fences["lock"] = lease.fence
            await self.backend.release(lease, self.partition)

    async def drop(self) -> None:
        if self.model.state.revision:
            tombstone = self.chance.random() < 0.5
            assert await self.backend.drop(self.partition, tombstone_ms=60_000 if tombstone else 0)
            self.model.drop(tombstone=tombstone)
            self.swept.clear()

    # -- what is read ----------------------------------------------------------------------------------------------------

    async def get(self) -> None:
        branch, id = self.some_point()
        id_or_none = id if self.chance.random() < 0.7 else None
        window = self.chance.choice(WINDOWS)
        try:
            expected = self.model.get(branch, id_or_none)
        except ClewError as error:
            with pytest.raises(type(error)):
                await self.backend.get_checkpoint(self.partition, branch, id_or_none, window=window)
            return
        compare(await self.backend.get_checkpoint(self.partition, branch, id_or_none, window=window), expected)

    async def list(self) -> None:
        chance = self.chance
        branch = chance.choice([None, None, *BRANCHES])
        before = chance.choice([None, None, *IDS])
        after = chance.choice([None, None, self.some_point()])
        limit, bare = chance.choice([1, 2, 4, 100]), chance.random() < 0.3
        try:
            expected = self.model.list(branch, before, after, limit, bare)
        except ClewError as error:
            with pytest.raises(type(error)):
                await self.backend.list_checkpoints(self.partition)
            return
        page = await self.backend.list_checkpoints(
            self.partition, branch=branch, before=before, after=after, limit=limit, bare=bare
        )
        compare(page, expected)

    async def trace(self) -> None:
        branch, id = self.some_point()
        id_or_none = id if self.chance.random() < 0.7 else None
        channels = self.chance.sample(CHANNELS, self.chance.randint(1, 3))
        try:
            expected = self.model.trace(branch, id_or_none, channels)
        except ClewError as error:
            with pytest.raises(type(error)):
                await self.backend.trace_checkpoint(self.partition, branch, id_or_none, channels)
            return
        window = self.chance.choice(WINDOWS)
        compare(await self.backend.trace_checkpoint(self.partition, branch, id_or_none, channels, window=window), expected)


def compare(found: CheckpointPage | Trace, expected: CheckpointPage | Trace) -> None:
    """Fail unless they say the same, however the spans are cut."""
    spelled = {name: spell(part) for name, part in found.parts.items()}
    assert msgspec.structs.replace(found, parts=spelled, entries=dict(found.entries)) == expected
