"""What a put sends: the parts of new values, and the items that no part of the thread refers to yet.

A list is serialized once, as a whole. Where its bytes go on from those that are known, only the rest is looked at; of messages
that are as they were (`prints`), only the rest is serialized.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from ...checkpoints import Part, Span
from ...model import NewItem
from .coding import ELEMENTS, ITEMS, MSGPACK, pack
from .cutting import array_header, cut
from .memory import Known, List
from .messages import make_item
from .prints import make_print

MOST_LINKS: Final = 32
"""How many parts a list may be made of, before it is written whole again."""

Version = str | int | float


def name_part(channel: str, version: Version) -> str:
    """Return the name of the part that holds a channel's value, in its branch."""
    return f"{channel}\0{version}"


class Plain:
    """How lists are compared: by the bytes of a serializer that hides nothing.

    Attributes:
        serde: the serializer that values are stored by.
        is_secret: whether what is stored is made by another one, element by element.
    """

    def __init__(self, serde: SerializerProtocol) -> None:
        self.serde = serde
        # What any serializer of bytes gives for nothing tells whether they are MessagePack, element after element.
        self.is_secret = serde.dumps_typed([]) != (MSGPACK, array_header(0))
        self._plain = serde
        if self.is_secret:
            inner = serde.serde if isinstance(serde, EncryptedSerializer) else None
            self._plain = inner if isinstance(inner, JsonPlusSerializer) else JsonPlusSerializer()

    def dump(self, value: Sequence[Any]) -> bytes | None:
        """Return a list in MessagePack; None where it has no such form."""
        try:
            kind, data = self._plain.dumps_typed(value)
        except (TypeError, ValueError):
            if self.is_secret:
                return None
            raise
        return data if kind == MSGPACK else None


class Draft:
    """What one put sends, and what will be known when it is done."""

    def __init__(self, plain: Plain, known: Known, branch: str) -> None:
        self.parts: dict[str, Part] = {}
        self.items: list[NewItem] = []
        self._serde = plain.serde
        self._plain = plain
        self._known = known
        self._branch = branch
        self._new: dict[bytes, int] = {}
        self._lists: list[tuple[tuple[str, str], List, Sequence[int]]] = []

    def add(self, channel: str, version: Version, value: Any) -> None:
        """Take the new value of a channel."""
        name = name_part(channel, version)
        if type(value) is list and value:
            self._add_list(name, channel, value)
        else:
            self.parts[name] = Part(pack(self._serde.dumps_typed(value)))

    def take_items(self) -> list[NewItem]:
        """Return the items, which are appended apart, before the put; `place` says where they are then."""
        items, self.items = self.items, []
        return items

    def place(self, positions: Sequence[int]) -> None:
        """Let the parts refer to items that have these positions."""
        for name, part in self.parts.items():
            if part.spans and any(span.first < 0 for span in part.spans):
                refs = [
                    _place(ref, positions)
                    for first, count in part.spans
                    for ref in (range(first, first + count) if first > 0 else range(first, first - count, -1))
                ]
                self.parts[name] = Part(part.data, part.after, join((), refs))

    def learn(self, positions: Sequence[int]) -> dict[tuple[str, str], List]:
        """Return the lists that are known when the items have these positions."""
        found = {}
        for key, record, refs in self._lists:
            if refs:
                body, length, kept, name, depth, made = record
                spans = join(kept, [positions[-ref - 1] if ref < 0 else ref for ref in refs])
                record = List(body, length, spans, name, depth, made)
            found[key] = record
        return found

    # -- lists --------------------------------------------------------------------------------------------------------

    def _add_list(self, name: str, channel: str, value: list[Any]) -> None:
        key = (self._branch, channel)
        old = self._known.lists.get(key)
        may_be_items = not self._branch and isinstance(value[0], BaseMessage)
        if may_be_items and old is not None and old.made is not None and self._go_on(name, key, value, old):
            return
        secret = self._plain.is_secret
        data = None if secret and not may_be_items else self._plain.dump(value)
        header = array_header(len(value))
        if data is None or not data.startswith(header):
            self.parts[name] = Part(pack(self._serde.dumps_typed(value)))
            return
        if old is not None and not (len(old.body) + len(header) <= len(data) and data.startswith(old.body, len(header))):
            prefix = None
        else:
            prefix = old
        if may_be_items and self._add_messages(name, key, value, data, header, old, prefix):
            return
        if secret:
            self.parts[name] = Part(pack(self._serde.dumps_typed(value)))
            return
        self._add_elements(name, key, len(value), data, header, prefix)

    def _add_elements(self, name: str, key: tuple[str, str], count: int, data: bytes, header: bytes, prefix: List | None) -> None:
        """Put a list of anything: what it goes on with, or the whole of it."""
        body = data[len(header) :]
        if prefix is not None and not prefix.spans and prefix.depth < MOST_LINKS and prefix.length <= count:
            if prefix.name == name:
                # The part is there, with the value that it was first given.
                return
            tail = (count - prefix.length).to_bytes(4) + body[len(prefix.body) :]
            self.parts[name] = Part(ELEMENTS + tail, prefix.name)
            self._lists.append((key, List(body, count, (), name, prefix.depth + 1), ()))
        else:
            self.parts[name] = Part(ELEMENTS + count.to_bytes(4) + body)
            old = self._known.lists.get(key)
            if old is None or old.name != name:
                self._lists.append((key, List(body, count, (), name), ()))

    def _go_on(self, name: str, key: tuple[str, str], value: list[Any], old: List) -> bool:
        """Put messages that go on from the last ones, and tell whether they do: what was serialized before is not again."""
        made = make_print(value)
        if made is None or old.made is None or not made.goes_on_from(old.made):
            return False
        rest = value[old.length :]
        if not rest:
            self.parts[name] = Part(ITEMS, None, old.spans)
            self._lists.append((key, old._replace(name=name), ()))
            return True
        data, header = self._plain.dump(rest), array_header(len(rest))
        if data is None or not data.startswith(header):
            return False
        start = len(header)
        refs = [self._refer(message, element) for message, element in zip(rest, cut(data, start, len(rest)), strict=True)]
        self.parts[name] = Part(ITEMS, None, join(old.spans, refs))
        self._lists.append((key, List(old.body + data[start:], len(value), old.spans, name, 1, made), refs))
        return True

    def _add_messages(
        self,
        name: str,
        key: tuple[str, str],
        value: list[Any],
        data: bytes,
        header: bytes,
        old: List | None,
        prefix: List | None,
    ) -> bool:
        """Put a list of messages as items, and tell whether it is one."""
        start = len(header)
        kept: tuple[Span, ...] = ()
        places: dict[bytes, int] = {}
        if old is not None and not old.spans:
            old = prefix = None
        if prefix is not None and prefix.length <= len(value):
            same, start, kept = prefix.length, start + len(prefix.body), prefix.spans
            elements = cut(data, start, len(value) - same)
        else:
            same, elements = 0, cut(data, start, len(value))
            if old is not None:
                known = cut(old.body, 0, old.length)
                positions = list(expand(old.spans))
                places = dict(zip(known, positions, strict=True))
                while same < min(len(known), len(elements)) and known[same] == elements[same]:
                    same += 1
                kept, elements = join((), positions[:same]), elements[same:]
        rest = value[same:] if same else value
        if not all([isinstance(message, BaseMessage) for message in rest]):
            return False
        refs = [places.get(element) or self._refer(message, element) for message, element in zip(rest, elements, strict=True)]
        self.parts[name] = Part(ITEMS, None, join(kept, refs) if refs else kept)
        self._lists.append((key, List(data[len(header) :], len(value), kept, name, 1, make_print(value)), refs))
        return True

    def _refer(self, message: BaseMessage, element: bytes) -> int:
        """Return what stands for an element in a span of this put: -1 for its first item, and so on."""
        ref = self._new.get(element)
        if ref is None:
            if self._plain.is_secret:
                kind, data = self._serde.dumps_typed(message)
                self.items.append(make_item(message, data, kind, is_secret=True))
            else:
                self.items.append(make_item(message, element))
            ref = self._new[element] = -len(self.items)
        return ref


def join(spans: Iterable[Span], refs: Iterable[int]) -> tuple[Span, ...]:
    """Return spans with more entries at their end, neighbours in one span."""
    found = list(spans)
    for ref in refs:
        if found:
            first, count = found[-1]
            if ref == (first + count if first > 0 else first - count):
                found[-1] = Span(first, count + 1)
                continue
        found.append(Span(ref, 1))
    return tuple(found)


def expand(spans: Iterable[Span]) -> Iterable[int]:
    """Return every position of the spans."""
    for first, count in spans:
        yield from range(first, first + count)


def _place(ref: int, positions: Sequence[int]) -> int:
    return positions[-ref - 1] if ref < 0 else ref
