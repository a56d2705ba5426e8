"""ChatKit's frames as a run's events: what comes close together is joined, what is too large is cut, and nothing is changed.

A frame is the JSON of one ChatKit event, without the `data: ` around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from clew import RunEvent
from clew.run_limits import MAX_APPEND_BYTES, MAX_EVENT_BYTES, MAX_EVENTS_AT_ONCE

FRAME: Final = "frame"
"""The kind of an event that holds a frame, or the end of one."""
PART: Final = "part"
"""The kind of an event that holds the beginning of a frame which is too large for one event."""
DELTA: Final = "assistant_message.content_part.text_delta"
_HEAD: Final = b"data: "

Frame = dict[str, Any]
"""A ChatKit event as JSON, in the SDK's own shape."""


def read_frame(chunk: bytes) -> bytes:
    """Return the JSON of a chunk that a ChatKit server sends."""
    return chunk.removeprefix(_HEAD).strip()


def write_bare(frame: bytes) -> bytes:
    """Return a frame as stock ChatKit clients expect it."""
    return _HEAD + frame + b"\n\n"


def join(frames: Sequence[tuple[bytes, Frame]]) -> list[bytes]:
    """Return the frames, neighbouring pieces of the same text as one: for whoever reads them it is the same text."""
    made: list[tuple[bytes, Frame]] = []
    for data, frame in frames:
        if made and _goes_on(made[-1][1], frame):
            before = made[-1][1]
            update = {**before["update"], "delta": before["update"]["delta"] + frame["update"]["delta"]}
            made[-1] = (b"", {**before, "update": update})
        else:
            made.append((data, frame))
    return [data or msgspec.json.encode(frame) for data, frame in made]


def cut(frame: bytes) -> list[tuple[str, bytes]]:
    """Return a frame as events: one, or as many as its size needs."""
    pieces = [frame[at : at + MAX_EVENT_BYTES] for at in range(0, len(frame), MAX_EVENT_BYTES)] or [b""]
    return [*((PART, piece) for piece in pieces[:-1]), (FRAME, pieces[-1])]


def batch(events: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Yield the events in lists, each as many as one append takes."""
    made: list[tuple[str, bytes]] = []
    size = 0
    for event in events:
        if made and (len(made) == MAX_EVENTS_AT_ONCE or size + len(event[1]) > MAX_APPEND_BYTES):
            yield made
            made, size = [], 0
        made.append(event)
        size += len(event[1])
    if made:
        yield made


class Whole:
    """Puts frames together again, from a run's events in order."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def take(self, event: RunEvent) -> bytes | None:
        """Return the frame that ends with this event; None where it is another event, or more of the frame is to come."""
        if event.kind == PART:
            self._parts.append(event.data)
            return None
        parts, self._parts = self._parts, []
        return b"".join([*parts, event.data]) if event.kind == FRAME else None


def _goes_on(before: Frame, frame: Frame) -> bool:
    if before.get("type") != "thread.item.updated" or frame.get("type") != "thread.item.updated":
        return False
    one, two = before["update"], frame["update"]
    is_same = before["item_id"] == frame["item_id"] and one.get("content_index") == two.get("content_index")
    return bool(is_same and one.get("type") == DELTA and two.get("type") == DELTA)
