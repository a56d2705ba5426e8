"""Values out of what the store returns: each part, those before it, and the items it refers to, as one value again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...checkpoints import Part, Span
from ...errors import UnreadableError
from ...records import Entry
from .coding import ELEMENTS, ITEMS, MSGPACK, unpack
from .cutting import array_header
from .drafting import Plain, expand, join
from .loading import load_messages
from .memory import List
from .messages import CODEC, PLAIN

_ITEMS = ITEMS[0]
_ELEMENTS = ELEMENTS[0]


class Gathered:
    """The values of some parts.

    Attributes:
        lists: what a later put may go on from, by branch and channel.
    """

    def __init__(self, plain: Plain, parts: Mapping[str, Part], entries: Mapping[int, Entry]) -> None:
        self.lists: dict[tuple[str, str], List] = {}
        self._serde = plain.serde
        self._plain = plain
        self._parts = parts
        self._entries = entries

    def values(self, branch: str, uses: Sequence[str], *, learns: bool = False) -> dict[str, Any]:
        """Return the values of a checkpoint by channel.

        Args:
            learns: whether to keep the lists among them.

        Raises:
            UnreadableError: a newer clew wrote it, or somebody changed an item.
        """
        found = {}
        for name in uses:
            channel = name.partition("\0")[0]
            value, record = self.value(name)
            found[channel] = value
            if learns and record is not None:
                self.lists[branch, channel] = record
        return found

    def value(self, name: str) -> tuple[Any, List | None]:
        """Return the value of a part, and what is known of it where it is a list."""
        part = self._parts.get(name)
        if part is None:
            raise UnreadableError(f"the part {name!r} of the checkpoint is not there any more")
        data = part.data
        mark = data[0] if data else None
        if mark == _ITEMS:
            return self._messages(name, part.spans)
        if mark == _ELEMENTS:
            return self._elements(name)
        return self._serde.loads_typed(unpack(data)), None

    def _messages(self, name: str, spans: tuple[Span, ...]) -> tuple[Any, List | None]:
        held = self._entries
        try:
            entries = [held[position] for position in expand(spans)]
        except KeyError:
            # Some were removed.
            entries = [held[position] for position in expand(spans) if position in held]
            spans = join((), [entry.position for entry in entries])
        if all([entry.codec == PLAIN for entry in entries]):
            body = b"".join([entry.data for entry in entries])
            value = load_messages(self._serde, array_header(len(entries)) + body)
            record = None if self._plain.is_secret else List(body, len(entries), spans, name)
        else:
            value = [self._load(entry) for entry in entries]
            record = None
        if record is None and value:
            dumped = self._plain.dump(value)
            header = array_header(len(value))
            if dumped is not None and dumped.startswith(header):
                record = List(dumped[len(header) :], len(value), spans, name)
        return value, record if spans else None

    def _load(self, entry: Entry) -> Any:
        if not entry.codec.startswith(CODEC):
            raise UnreadableError(
                f"the item at position {entry.position} was replaced by one of codec {entry.codec!r}, "
                "which is no message of LangGraph's"
            )
        return self._serde.loads_typed((entry.codec.removeprefix(CODEC), entry.data))

    def _elements(self, name: str) -> tuple[Any, List]:
        bodies: list[bytes] = []
        count = 0
        following: str | None = name
        while following is not None:
            part = self._parts.get(following)
            if part is None or part.data[:1] != ELEMENTS:
                raise UnreadableError(f"the part {following!r} of the checkpoint is not there any more")
            count += int.from_bytes(part.data[1:5])
            bodies.append(part.data[5:])
            following = part.after
        bodies.reverse()
        body = b"".join(bodies)
        value = self._serde.loads_typed((MSGPACK, array_header(count) + body))
        return value, List(body, count, (), name, len(bodies))
