"""Checkpoints, parts and writes as Redis holds them; `lua/points.lua` says what the bytes are.

Names of a branch, of a checkpoint and of what is in it are joined by NUL, which none of them holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from ...checkpoints import Checkpoint, Part, PutCheckpoint, Span, Write

Arg = bytes | str | int

_LEAST_INDEX: Final = 1000
"""What is added to the index of a write, so that it is not negative."""
_encode = msgspec.msgpack.Encoder().encode
_decode_names = msgspec.msgpack.Decoder(list[str]).decode
_decode_fields = msgspec.msgpack.Decoder(list[str | int]).decode


def start_of(branch: str, id: str) -> bytes:
    """Return what every member of a checkpoint begins with."""
    return f"{branch}\0{id}\0".encode()


def past(start: bytes) -> bytes:
    """Return the upper bound of the members that begin with `start`, which ends in NUL."""
    return b"(%b\1" % start[:-1]


def encode_checkpoint(change: PutCheckpoint, promised: Collection[tuple[str, str]] = ()) -> list[Arg]:
    """Return a checkpoint as `points.lua` takes it.

    Args:
        promised: parts, each a branch and a name, that the same commit puts before it.
    """
    branch, parts = change.branch, change.parts
    start = start_of(branch, change.id)
    fields = _encode((change.parent or "", *change.uses))
    member = b"%b%b%b%b" % (start, len(fields).to_bytes(4, "big"), fields, change.head)
    needed = [name for name in change.uses if name not in parts]
    needed += [part.after for part in parts.values() if part.after is not None and part.after not in parts]
    if promised:
        needed = [name for name in needed if (branch, name) not in promised]
    prefix = branch + "\0"
    found: list[Arg] = ["" if change.made_ms is None else change.made_ms, start, member, len(needed)]
    found += [prefix + name for name in needed]
    found.append(len(parts))
    for name, part in parts.items():
        if part.after is None and not part.spans:
            found += (prefix + name, b"", b"\0" + part.data)
            continue
        numbers = [number for span in part.spans for number in span]
        fields = _encode((part.after or "", *numbers))
        if numbers and min(numbers) < 0:
            # The script puts positions in, and this together.
            found += (prefix + name, fields, part.data)
        else:
            found += (prefix + name, b"", b"\1%b%b%b" % (len(fields).to_bytes(4, "big"), fields, part.data))
    return found


def encode_writes(branch: str, id: str, writes: Iterable[Write]) -> list[Arg]:
    """Return writes as `points.lua` takes them. Of those with one place only that is left which is to be kept."""
    start = f"{branch}\0{id}\0"
    kept: dict[bytes, bytes] = {}
    tasks: set[tuple[str, str]] = set()
    for path, task, index, channel, data in writes:
        tasks.add((path, task))
        place = f"{start}{path}\0{task}\0{index + _LEAST_INDEX:07}\0".encode()
        if index < 0 or place not in kept:
            kept[place] = b"%b%b\0%b" % (place, channel.encode(), data)
    common = b""
    if len(tasks) == 1:
        path, task = tasks.pop()
        common = f"{start}{path}\0{task}\0".encode()
    found: list[Arg] = [common, len(kept)]
    for member in kept.values():
        found += (b"0", member)
    return found


def decode_checkpoint(member: bytes, writes: Sequence[bytes] = ()) -> Checkpoint:
    """Return a checkpoint from its member of the points, with its writes."""
    stop = member.index(0)
    last = member.index(0, stop + 1)
    end = last + 5 + int.from_bytes(member[last + 1 : last + 5], "big")
    parent, *uses = _decode_names(member[last + 5 : end])
    found = decode_writes(writes, last + 1)
    return Checkpoint(member[:stop].decode(), member[stop + 1 : last].decode(), parent or None, member[end:], tuple(uses), found)


def decode_writes(members: Sequence[bytes], skip: int) -> tuple[Write, ...]:
    """Return writes; `skip` bytes of each name the checkpoint."""
    found = []
    for member in members:
        path, task, index, channel, data = member[skip:].split(b"\0", 4)
        found.append(Write(path.decode(), task.decode(), int(index) - _LEAST_INDEX, channel.decode(), data))
    return tuple(found)


def decode_part(value: bytes) -> Part:
    """Return a part from its value."""
    if value[0] == 0:
        return Part(value[1:])
    end = 5 + int.from_bytes(value[1:5], "big")
    after, *numbers = _decode_fields(value[5:end])
    spans = tuple(map(Span, numbers[::2], numbers[1::2]))  # type: ignore[arg-type]  # whole numbers all
    return Part(value[end:], str(after) or None, spans)
