"""From a layout that was read into a store of clew: every checkpoint once, in the order of the source, through the saver.

A checkpoint that is there already stays as it is, and so do its writes; what the source has beyond them is added. So a move that
was interrupted goes on when it is run again, and one that is repeated brings what is new. A thread that was deleted in clew stays
deleted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP, BaseCheckpointSaver, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.base import SerializerProtocol

from ....checkpoints import Write
from ....errors import GoneError, InvalidError
from ....limits import check_id, check_point
from ....model import Ref
from ....store import Store
from ..coding import pack
from .records import Broken, Found, FoundWrite, Report, Source, reason_of
from .versions import renumber

BATCH: Final = 8
"""Checkpoints of one branch that are looked for in one trip."""
_NEXT: Final = "!"
"""What comes behind an id, and before nearly every longer one."""
_REMEMBERED: Final = 64
"""Checkpoints of a branch whose channel versions are known, so that a child is put without what it shares with them."""

_Name = tuple[str, str, int]
"""What is one write of a checkpoint: path, task and index."""

Step = Callable[[str], None]
"""Called with "thread", "checkpoint" or "write" for each one that was put or looked at."""


class Mover:
    """One move.

    Args:
        store: where to.
        owner: whose threads they become.
        saver: of this store and owner, with this serializer.
        serde: the serializer that the source was read with.
        step: told of progress.
    """

    def __init__(self, store: Store, owner: str, saver: BaseCheckpointSaver[Any], serde: SerializerProtocol, step: Step) -> None:
        self._store = store
        self._owner = check_id(owner, "the owner")
        self._saver = saver
        self._serde = serde
        self._step = step
        self._thread: str | None = None
        self._gone = False
        self._versions: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        self.report = Report()

    async def move(self, source: Source) -> Report:
        """Move everything, and say what was done.

        Raises:
            ClewError: the source or the store cannot be reached, or is full; run it again to go on.
        """
        batch: list[Found] = []
        async for found in source.read():
            if isinstance(found, Broken):
                self.report.leave(found)
            elif self._is_named_well(found):
                if batch and (len(batch) == BATCH or (found.thread, found.branch) != (batch[0].thread, batch[0].branch)):
                    await self._move(batch)
                    batch = []
                batch.append(found)
        if batch:
            await self._move(batch)
        return self.report

    def _is_named_well(self, found: Found) -> bool:
        try:
            check_id(found.thread, "the thread id")
            check_point(found.branch, found.id)
            check_point(found.branch, found.id + _NEXT)
        except InvalidError as error:
            self.report.leave(_broken(found, error))
            return False
        return True

    async def _move(self, batch: Sequence[Found]) -> None:
        first = batch[0]
        if first.thread != self._thread:
            self._thread, self._gone = first.thread, False
            self._versions.clear()
            self.report.threads += 1
            self._step("thread")
        try:
            there = {} if self._gone else await self._look(batch)
        except GoneError:
            self._gone = True
            self.report.leave(Broken("thread", first.thread, "it was deleted in clew, and stays deleted", first.thread))
        if self._gone:
            return
        for found in batch:
            try:
                await self._put(found, there.get(found.id))
            except (InvalidError, ValueError, TypeError) as error:
                # Too large or badly named for clew, or a value that no serializer writes.
                self.report.leave(_broken(found, error))

    async def _look(self, batch: Sequence[Found]) -> dict[str, set[_Name]]:
        """Return which of the checkpoints are there, and the names of the writes that each has."""
        there: dict[str, set[_Name]] = {id: set() for id in await self._there(batch[0], {found.id for found in batch}, bare=True)}
        written = {found.id for found in batch if found.id in there and found.writes}
        if written:
            # Only now: whatever comes with writes is the whole state too.
            for id, writes in (await self._there(batch[0], written, bare=False)).items():
                there[id] = {(write.path, write.task, write.index) for write in writes}
        return there

    async def _there(self, first: Found, ids: Set[str], *, bare: bool) -> dict[str, tuple[Write, ...]]:
        """Return those of the checkpoints that are there, with their writes unless `bare`."""
        ref, branch = Ref(self._owner, first.thread), first.branch
        lowest, before = min(ids), max(ids) + _NEXT
        there: dict[str, tuple[Write, ...]] = {}
        while True:
            page = await self._store.checkpoints.list(ref, branch=branch, before=before, limit=len(ids), bare=bare)
            there |= {checkpoint.id: checkpoint.writes for checkpoint in page.checkpoints if checkpoint.id in ids}
            if not page.has_more or page.checkpoints[-1].id <= lowest:
                return there
            before = page.checkpoints[-1].id

    async def _put(self, found: Found, writes_there: set[_Name] | None) -> None:
        configurable = {"thread_id": found.thread, "checkpoint_ns": found.branch}
        config: RunnableConfig = {"configurable": configurable}
        checkpoint = renumber(found.checkpoint)
        versions = dict(checkpoint.get("channel_versions") or {})
        if writes_there is None:
            known = self._versions.get((found.branch, found.parent or ""), {})
            new = {channel: version for channel, version in versions.items() if known.get(channel) != version}
            if found.parent:
                configurable["checkpoint_id"] = found.parent
            await self._saver.aput(config, cast(Checkpoint, checkpoint), cast(CheckpointMetadata, found.metadata), new)
            self.report.checkpoints += 1
        else:
            self.report.there += 1
        self._versions[found.branch, found.id] = versions
        if len(self._versions) > _REMEMBERED:
            self._versions.popitem(last=False)
        self._step("checkpoint")
        writes = [self._write(write) for write in found.writes]
        await self._put_writes(found, [write for write in writes if write[:3] not in (writes_there or ())])

    async def _put_writes(self, found: Found, writes: Sequence[Write]) -> None:
        if not writes:
            return
        try:
            await self._store.checkpoints.put_writes(Ref(self._owner, found.thread), found.branch, found.id, writes)
        except InvalidError as error:
            if len(writes) > 1:
                # One of them, or all of them together: each alone then.
                for write in writes:
                    await self._put_writes(found, [write])
            else:
                self.report.leave(replace(_broken(found, error), kind="write"))
            return
        self.report.writes += len(writes)
        for _ in writes:
            self._step("write")

    def _write(self, write: FoundWrite) -> Write:
        # Special channels have an index of their own in LangGraph, wherever they stood in the list of writes.
        index = WRITES_IDX_MAP.get(write.channel, write.index)
        return Write(write.path, write.task, index, write.channel, pack(self._serde.dumps_typed(write.value)))


def _broken(found: Found, error: BaseException) -> Broken:
    where = f"checkpoint {found.id}"
    return Broken("checkpoint", where, reason_of(error), found.thread, found.branch, found.id)


async def count(source: Source, step: Step) -> Report:
    """Read everything and move nothing; say what there is, and what cannot be read."""
    report, thread = Report(), None
    async for found in source.read():
        if isinstance(found, Broken):
            report.leave(found)
            continue
        if found.thread != thread:
            thread = found.thread
            report.threads += 1
        report.checkpoints += 1
        report.writes += len(found.writes)
        step("checkpoint")
    return report
