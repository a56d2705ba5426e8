"""What the suites of checkpoints share: short words for putting them, and for reading what a page holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..backend import Backend, Expiry, Leasing
from ..checkpointing import Checkpointing, CheckpointPage, Trace
from ..checkpoints import DropCheckpoints, Part, PutCheckpoint, PutWrites, Span, Write
from ..errors import ConflictError
from ..records import Partition

EMPTY = CheckpointPage()


class CheckpointingBackend(Backend, Checkpointing, Protocol):
    """A backend with checkpoints."""


class LeasingCheckpoints(CheckpointingBackend, Leasing, Protocol):
    """A backend with checkpoints and leases."""


class ExpiringCheckpoints(CheckpointingBackend, Expiry, Protocol):
    """A backend with checkpoints and a time to live."""


def named(channel: str, version: int | str = 1) -> str:
    """Return the name of a part."""
    return f"{channel}\0{version}"


def put(
    id: str,
    *uses: str,
    branch: str = "",
    parent: str | None = None,
    head: bytes = b"head",
    parts: Mapping[str, Part] | None = None,
    made_ms: int | None = None,
) -> PutCheckpoint:
    """Return a checkpoint to put; it uses `uses`, or just the parts that are given where there are none."""
    parts = parts or {}
    return PutCheckpoint(branch, id, parent, head, uses or tuple(parts), parts, made_ms)


def spanning(*spans: tuple[int, int], after: str | None = None) -> Part:
    """Return a part that refers to entries."""
    return Part(after=after, spans=tuple(Span(*span) for span in spans))


def write(id: str, *writes: Write, branch: str = "") -> PutWrites:
    """Return writes to put."""
    return PutWrites(branch, id, writes)


def drop(*points: tuple[str, str]) -> DropCheckpoints:
    """Return checkpoints to drop, each by its branch and id."""
    return DropCheckpoints(points)


def one(task: str = "task", index: int = 0, *, path: str = "", channel: str = "messages", data: bytes = b"data") -> Write:
    """Return one write."""
    return Write(path, task, index, channel, data)


def points(page: CheckpointPage) -> list[tuple[str, str]]:
    """Return the branch and id of each checkpoint of a page."""
    return [(each.branch, each.id) for each in page.checkpoints]


def refers(part: Part) -> list[int]:
    """Return every position that a part refers to, in order: how a backend cuts them into spans is its own affair."""
    return [position for first, count in part.spans for position in range(first, first + count)]


def data_of(page: CheckpointPage | Trace) -> dict[int, tuple[str, bytes]]:
    """Return the codec and data of each entry that a page holds, by position."""
    return {position: (entry.codec, entry.data) for position, entry in page.entries.items()}


def value(page: CheckpointPage | Trace, name: str) -> bytes:
    """Return what a part holds, with those that it goes on from."""
    part = page.parts[name]
    before = value(page, part.after) if part.after else b""
    return before + part.data + b"".join(page.entries[each].data for each in refers(part) if each in page.entries)


async def get(backend: Checkpointing, partition: Partition, id: str | None = None, *, branch: str = "") -> CheckpointPage:
    """Return a page that has to hold one checkpoint."""
    page = await backend.get_checkpoint(partition, branch, id)
    assert len(page.checkpoints) == 1
    assert not page.has_more
    return page


async def read_writes(backend: Checkpointing, partition: Partition, id: str, *, branch: str = "") -> Sequence[Write]:
    """Return the writes of a checkpoint that is there."""
    return (await get(backend, partition, id, branch=branch)).checkpoints[0].writes


async def has_part(backend: CheckpointingBackend, partition: Partition, name: str, *, branch: str = "") -> bool:
    """Tell whether a branch has a part: only then may a checkpoint use it."""
    try:
        await backend.commit(partition, [put("0 probe", name, branch=branch)])
    except ConflictError:
        return False
    await backend.commit(partition, [drop((branch, "0 probe"))])
    return True
