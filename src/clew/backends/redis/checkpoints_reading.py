"""The power Checkpointing on Redis: a script finds checkpoints, writes and parts; the items come beside it as a native LRANGE.

Both are asked for in one MULTI, so that positions are those of the very entries that come back. Nothing of an item goes through
Lua.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from redis.exceptions import NoScriptError, ResponseError

from ...checkpointing import WINDOW, CheckpointPage, Trace
from ...checkpoints import Checkpoint, Part, Write
from ...codec import decode_entries
from ...errors import GoneError, InvalidError, UnavailableError
from ...limits import CHECKPOINTS, ITEMS, check_branch, check_channel, check_limit, check_point, check_window
from ...records import Entry, Partition
from .checkpoints_records import Arg, decode_checkpoint, decode_part, decode_writes, past, start_of
from .client import Client
from .commit import CommitVerbs
from .faults import translate
from .keys import PartitionKeys
from .requests import Reply, pack
from .trips import MAX_LOADS

_MULTI: Final = pack("MULTI")
_EXEC: Final = pack("EXEC")
_NEAR: Final = 32
"""Entries between two that are wanted, for which no range of its own is asked."""


class CheckpointVerbs(CommitVerbs):
    """Checkpointing."""

    async def get_checkpoint(
        self, partition: Partition, branch: str, id: str | None = None, *, window: int = WINDOW
    ) -> CheckpointPage:
        """See Checkpointing.get_checkpoint."""
        check_point(branch, id)
        check_window(window)
        high, low = _one(branch, id)
        return await self._page(partition, (1, 1, high, low, b"", b""), 1, window)

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
        """See Checkpointing.list_checkpoints."""
        check_limit(limit)
        if branch is not None:
            check_branch(branch)
        if before is not None:
            check_point("", before)
        if after is not None:
            check_point(*after)
        named = (limit + 1, 0 if bare else limit, *_ranges(branch, before, after))
        return await self._page(partition, named, limit, 0 if bare else WINDOW)

    async def trace_checkpoint(
        self, partition: Partition, branch: str, id: str | None, channels: Sequence[str], *, window: int = WINDOW
    ) -> Trace:
        """See Checkpointing.trace_checkpoint."""
        check_point(branch, id)
        check_window(window)
        wanted = dict.fromkeys([check_channel(channel) for channel in channels])
        if not wanted:
            raise InvalidError("there is no channel to trace: name at least one")
        keys = self._keys(partition)
        client = await self._client()
        ancestors: dict[str, tuple[Write, ...]] = {}
        seeds: dict[str, str] = {}
        parts: dict[str, Part] = {}
        entries: dict[int, Entry] = {}
        start = id
        while True:
            left = [channel for channel in wanted if channel not in seeds]
            found = await _ask(client, partition, keys, "checkpoint_trace", (*_one(branch, start), *left), window)
            ids, written, names, values, has_more = found.rest
            more = _decode_parts(values, len(branch.encode()) + 1)
            these = await _read_entries(client, partition, keys, found, more.values())
            if these is None:
                continue
            for name, members in zip([name.decode() for name in ids], written, strict=True):
                if name in ancestors:
                    # A ring so long that no single call of the script saw it close.
                    has_more = False
                    break
                ancestors[name] = decode_writes(members, len(start_of(branch, name)))
            seeds |= {name.partition("\0")[0]: name for name in [name.decode() for name in names]}
            parts |= more
            entries |= these
            if not has_more:
                return Trace(tuple(ancestors.items()), seeds, parts, entries)
            start = ids[-1].decode()

    async def _page(self, partition: Partition, arguments: Sequence[Arg], limit: int, window: int) -> CheckpointPage:
        """Return a page of at most `limit`."""
        keys = self._keys(partition)
        client = await self._client()
        while True:
            found = await _ask(client, partition, keys, "checkpoints", arguments, window)
            members, *more = found.rest
            has_more = len(members) > limit
            del members[limit:]
            if not (members and more):
                checkpoints = tuple([decode_checkpoint(member) for member in members])
                return CheckpointPage(checkpoints, made_ms=found.made_ms, has_more=has_more)
            written, values = more
            checkpoints = tuple(map(decode_checkpoint, members, written))
            if checkpoints[0].branch == checkpoints[-1].branch:
                parts = _decode_parts(values, members[0].index(0) + 1)
            else:
                count, parts = _cut(checkpoints, values)
                has_more = has_more or count < len(checkpoints)
                checkpoints = checkpoints[:count]
            entries = await _read_entries(client, partition, keys, found, parts.values())
            if entries is not None:
                return CheckpointPage(checkpoints, parts, entries, found.made_ms, has_more)


# -- what is asked ----------------------------------------------------------------------------------------------------------


def _one(branch: str, id: str | None) -> tuple[bytes, bytes]:
    """Return the bounds of one checkpoint, the latest of the branch first for None."""
    start = f"{branch}\0".encode() if id is None else start_of(branch, id)
    return past(start), b"[" + start


def _ranges(branch: str | None, before: str | None, after: tuple[str, str] | None) -> tuple[bytes, bytes, bytes, bytes]:
    """Return the range to begin with, where to go on with each branch, and below which id there."""
    if branch is None and before is None:
        return b"+" if after is None else b"(" + start_of(*after), b"-", b"", b""
    first = after[0] if branch is None and after is not None else branch
    if first is None:
        return b"-", b"+", b"+", (before or "").encode()
    start = f"{first}\0".encode()
    high = past(start)
    if before is not None:
        high = min(high, b"(" + start_of(first, before))
    if after is not None:
        high = min(high, b"(" + start_of(*after))
    rest = b"(" + start if branch is None else b""
    return high, b"[" + start, rest, (before or "").encode()


class _Found(NamedTuple):
    """What a script answered, and the entries that came beside it.

    Attributes:
        base: the position of the list's first element.
        first: the position of the first of `envelopes`, which are the newest.
    """

    made_ms: int
    base: int
    first: int
    envelopes: Sequence[bytes]
    rest: list[Reply]


async def _ask(
    client: Client, partition: Partition, keys: PartitionKeys, name: str, arguments: Sequence[Arg], window: int
) -> _Found:
    """Call a script, and read the newest entries with it."""
    script, items = client.scripts[name], keys.log(ITEMS)[1]
    names = (keys.meta, items, *keys.log(CHECKPOINTS)[1:])
    payload = _MULTI + pack("EVALSHA", script.sha, len(names), *names, *arguments)
    if window:
        payload += pack("LRANGE", items, -window, -1)
    for _ in range(MAX_LOADS):
        reply, *beside = (await client.call(keys.meta, payload + _EXEC, 4 if window else 3))[-1]
        if not isinstance(reply, ResponseError):
            break
        # In the answer to EXEC, where a trip does not look for it.
        if not isinstance(reply, NoScriptError):
            raise translate(reply, client.place)
        await client.call(keys.meta, pack("SCRIPT", "LOAD", script.source))
    else:
        raise UnavailableError(f"{client.place} forgets its scripts as fast as they are loaded: try again later")
    if reply[0] == b"gone":
        raise GoneError(f"{partition.name!r} has been deleted")
    _, made_ms, base, length, *rest = reply
    envelopes = beside[0] if beside else ()
    return _Found(int(made_ms), int(base), int(base) + length - len(envelopes), envelopes, rest)


# -- what came back ---------------------------------------------------------------------------------------------------------


def _decode_parts(values: Sequence[bytes], skip: int) -> dict[str, Part]:
    """Return parts by name; `skip` bytes of each field are the branch."""
    return {values[at][skip:].decode(): decode_part(values[at + 1]) for at in range(0, len(values), 2)}


def _cut(checkpoints: Sequence[Checkpoint], values: Sequence[bytes]) -> tuple[int, dict[str, Part]]:
    """Return how many of these checkpoints of several branches fit one page, and their parts: a name means one part there."""
    of_branch: dict[str, dict[str, Part]] = {}
    for at in range(0, len(values), 2):
        branch, _, name = values[at].decode().partition("\0")
        of_branch.setdefault(branch, {})[name] = decode_part(values[at + 1])
    parts: dict[str, Part] = {}
    for number, checkpoint in enumerate(checkpoints):
        more = of_branch.pop(checkpoint.branch, {})
        if any(parts[name] != more[name] for name in parts.keys() & more.keys()):
            return number, parts
        parts |= more
    return len(checkpoints), parts


async def _read_entries(
    client: Client, partition: Partition, keys: PartitionKeys, found: _Found, parts: Iterable[Part]
) -> dict[int, Entry] | None:
    """Return the entries in the spans of some parts by position; None where the log began anew meanwhile."""
    # Most often one span, or none: nothing to join then.
    spans = sorted([(max(first, found.base), first + count) for part in parts for first, count in part.spans])
    entries: dict[int, Entry] = {}
    ranges: list[tuple[int, int]] = []
    older: list[tuple[int, int, int]] = []
    done = 0
    for first, end in spans:
        first = max(first, done)
        if first >= end:
            continue
        done = end
        if first < found.first:
            last = min(end, found.first)
            if ranges and first - ranges[-1][1] <= _NEAR:
                ranges[-1] = (ranges[-1][0], last)
            else:
                ranges.append((first, last))
            older.append((len(ranges) - 1, first, last))
        low, high = max(first, found.first) - found.first, end - found.first
        if high > low:
            near = decode_entries(found.envelopes[low:high], found.first + low)
            entries.update({entry.position: entry for entry in near})
    if not older:
        return entries
    payload = _MULTI + pack("HMGET", keys.meta, "g", "c", "b:items")
    for first, last in ranges:
        payload += pack("LRANGE", keys.log(ITEMS)[1], first - found.base, last - 1 - found.base)
    (gone, made, base), *slices = (await client.call(keys.meta, payload + _EXEC, 3 + len(ranges)))[-1]
    if gone:
        raise GoneError(f"{partition.name!r} has been deleted")
    if int(made or 0) != found.made_ms or int(base or 1) != found.base:
        return None
    for number, first, last in older:
        start = ranges[number][0]
        far = decode_entries(slices[number][first - start : last - start], first)
        entries.update({entry.position: entry for entry in far})
    return entries
