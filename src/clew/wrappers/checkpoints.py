"""Checkpoints behind a coding: heads, parts, writes, and the entries that parts refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from ..backend import Backend
from ..checkpointing import WINDOW, Checkpointing, CheckpointPage, Trace
from ..checkpoints import Checkpoint, Part, Write
from ..errors import UnreadableError
from ..limits import ITEMS
from ..records import Entry, Partition
from .coding import Coding
from .lazily import decode_each
from .places import of_head, of_part, of_write


class CodedCheckpoints:
    """Implements Checkpointing around a backend that has it."""

    def __init__(self, inner: Backend, coding: Coding) -> None:
        self._backend = inner
        self._coding = coding

    @property
    def _inner(self) -> Checkpointing:
        assert isinstance(self._backend, Checkpointing)
        return self._backend

    async def get_checkpoint(
        self, partition: Partition, branch: str, id: str | None = None, *, window: int = WINDOW
    ) -> CheckpointPage:
        """See Checkpointing.get_checkpoint."""
        return self._open(partition, await self._inner.get_checkpoint(partition, branch, id, window=window), bare=False)

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
        """See Checkpointing.list_checkpoints. One more round trip for each further branch with a part of the same name."""
        inner = self._inner
        found = await inner.list_checkpoints(partition, branch=branch, before=before, after=after, limit=limit, bare=bare)
        page = self._open(partition, found, bare=bare)
        while page.has_more and page.checkpoints and (left := limit - len(page.checkpoints)):
            # Parts of two branches differ as they are stored, and may be the same all the same.
            last = page.checkpoints[-1]
            found = await inner.list_checkpoints(
                partition, branch=branch, before=before, after=(last.branch, last.id), limit=left, bare=bare
            )
            more = self._open(partition, found, bare=bare)
            if more.made_ms != page.made_ms or any(
                page.parts[name] != more.parts[name] for name in page.parts.keys() & more.parts.keys()
            ):
                break
            page = CheckpointPage(
                page.checkpoints + more.checkpoints,
                {**page.parts, **more.parts},
                {**page.entries, **more.entries},
                page.made_ms,
                more.has_more,
            )
        return page

    async def trace_checkpoint(
        self, partition: Partition, branch: str, id: str | None, channels: Sequence[str], *, window: int = WINDOW
    ) -> Trace:
        """See Checkpointing.trace_checkpoint."""
        found = await self._inner.trace_checkpoint(partition, branch, id, channels, window=window)
        ancestors = tuple([(name, self._decode_writes(partition, branch, name, writes)) for name, writes in found.ancestors])
        parts = self._decode_parts(partition, found.parts, dict.fromkeys(found.parts, (branch,)))
        return replace(found, ancestors=ancestors, parts=parts, entries=self._decode_entries(partition, found.entries))

    def _open(self, partition: Partition, page: CheckpointPage, *, bare: bool) -> CheckpointPage:
        if not page.checkpoints:
            return page
        checkpoints = tuple([self._decode_checkpoint(partition, each) for each in page.checkpoints])
        if bare:
            return replace(page, checkpoints=checkpoints)
        parts = self._decode_parts(partition, page.parts, _find_branches(page.checkpoints, page.parts))
        return replace(page, checkpoints=checkpoints, parts=parts, entries=self._decode_entries(partition, page.entries))

    def _decode_checkpoint(self, partition: Partition, found: Checkpoint) -> Checkpoint:
        branch, id = found.branch, found.id
        try:
            head = self._coding.decode(of_head(partition, branch, id), found.head)
        except UnreadableError as e:
            raise UnreadableError(f"the checkpoint {id!r} of {partition.name!r} cannot be read: {e}") from e
        return replace(found, head=head, writes=self._decode_writes(partition, branch, id, found.writes))

    def _decode_writes(self, partition: Partition, branch: str, id: str, writes: Iterable[Write]) -> tuple[Write, ...]:
        decode = self._coding.decode
        try:
            return tuple([each._replace(data=decode(of_write(partition, branch, id, each), each.data)) for each in writes])
        except UnreadableError as e:
            raise UnreadableError(f"a write of the checkpoint {id!r} of {partition.name!r} cannot be read: {e}") from e

    def _decode_parts(
        self, partition: Partition, parts: Mapping[str, Part], branches: Mapping[str, Iterable[str]]
    ) -> Mapping[str, Part]:
        def decode(name: str, part: Part) -> Part:
            data = b""
            for branch in branches[name]:
                # In each that has it: the page holds one for all of them.
                data = self._coding.decode(of_part(partition, branch, name), part.data)
            return replace(part, data=data)

        return decode_each(parts, decode, f"in {partition.name!r} the part")

    def _decode_entries(self, partition: Partition, entries: Mapping[int, Entry]) -> Mapping[int, Entry]:
        if not entries:
            return entries
        opened = self._coding.decode_entries(partition, ITEMS, [entries[position] for position in sorted(entries)])
        # What was unreadable as it is stored is told by whoever uses it.
        wrong = {each.position: each for each in opened if each.unreadable is not None}
        right = {each.position: each for each in opened if each.unreadable is None}
        if not wrong:
            return right

        def find(position: int, _: Entry) -> Entry:
            if position in wrong:
                raise UnreadableError(str(wrong[position].unreadable))
            return right[position]

        return decode_each(entries, find, f"in {partition.name!r} the item at position")


def _find_branches(checkpoints: Iterable[Checkpoint], parts: Mapping[str, Part]) -> Mapping[str, Iterable[str]]:
    """Return the branches that each part of a page is in."""
    found: dict[str, dict[str, None]] = {name: {} for name in parts}
    for checkpoint in checkpoints:
        for name in checkpoint.uses:
            at: str | None = name
            while at in found and checkpoint.branch not in found[at]:
                found[at][checkpoint.branch] = None
                at = parts[at].after
    return found
