"""Runs and events, and what a server says of them: a flat hash, a stream's entries, and messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from ...errors import UnreadableError
from ...runs import ENDINGS, EventId, Retention, Run, RunEvent, RunState
from .keys import decode_part
from .requests import Reply

_PLAIN: Final = "event"


def encode_value(kind: str, data: bytes, after: EventId | None = None) -> bytes:
    """Return an event as its stream keeps it; the commonest kind takes no room."""
    if after is not None:
        return b"%b %d-%d %b" % (kind.encode(), *after, data)
    return b" " + data if kind == _PLAIN else b"%b %b" % (kind.encode(), data)


def decode_value(at: EventId, value: bytes) -> RunEvent:
    """Return the event that a stream keeps under this id.

    Raises:
        UnreadableError: no version of clew writes such a value.
    """
    kind, space, data = value.partition(b" ")
    if not space:
        raise UnreadableError(f"the event {at} of a run is none of clew's")
    if at.seq:
        return RunEvent(at, kind.decode() if kind else _PLAIN, data)
    after, space, data = data.partition(b" ")
    return RunEvent(at, kind.decode(), data, parse_id(after))


def parse_id(text: bytes) -> EventId:
    """Return an id that the server gave."""
    epoch, dash, seq = text.partition(b"-")
    if not (dash and epoch.isdigit() and seq.isdigit()):
        raise UnreadableError("a run's log has an id that is none")
    return EventId(int(epoch), int(seq))


def decode_events(entries: Sequence[Reply]) -> list[RunEvent]:
    """Return the events of a stream's entries."""
    events = []
    for id, fields in entries:
        if fields is None or len(fields) != 2:
            raise UnreadableError("a run's log holds what clew did not write")
        events.append(decode_value(parse_id(id), fields[1]))
    return events


def decode_run(name: bytes, now_ms: int, flat: Sequence[bytes]) -> Run:
    """Return the record in a flat hash.

    Args:
        name: the run's, percent-encoded.
        now_ms: the server's clock when it was read.
    """
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    state = cast(RunState, fields[b"s"].decode())
    end = None
    if state in ENDINGS:
        end = RunEvent(parse_id(fields[b"i"]), state, fields[b"d"], parse_id(fields[b"a"]) if fields[b"a"] else None)
    return Run(
        id=decode_part(name.decode()),
        number=int(fields[b"n"]),
        state=state,
        epoch=int(fields[b"e"]),
        holder=fields[b"h"].decode(),
        lease_left_ms=int(fields[b"l"]) - now_ms if end is None else 0,
        takes_turn=fields[b"t"] == b"1",
        created_ms=int(fields[b"c"]),
        retention=Retention(int(fields[b"o"]), int(fields[b"k"]), int(fields[b"r"]), int(fields[b"m"])),
        ended_ms=int(fields[b"z"]) if end is not None else None,
        cancel_ms=int(fields[b"x"]) if b"x" in fields else None,
        end=end,
        data=fields[b"u"],
    )
