"""What tells that messages are as they were, without serializing them again: their classes, and their states as they stand.

LangGraph's serializer makes a copy of each message first, and asks for each what it is; that takes most of its time. Messages
with equal prints have equal bytes there. One that holds anything but plain values, or whose class is somebody else's, has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import ormsgpack
from langchain_core.messages import AIMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage

from .cutting import array_header

_CLASSES: Final = frozenset({AIMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage})
_STRICT: Final = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
"""Refuse whatever could be written as something else is."""


class Print(NamedTuple):
    """Of some messages: the class of each, and the states of all in MessagePack."""

    classes: list[type]
    states: bytes

    def goes_on_from(self, other: Print) -> bool:
        """Tell whether the first messages are the other ones."""
        classes = other.classes
        return self.states.startswith(other.states) and self.classes[: len(classes)] == classes


def make_print(messages: Sequence[Any]) -> Print | None:
    """Return the print of these messages, None where they have none."""
    classes = list(map(type, messages))
    if not _CLASSES.issuperset(classes) or any([each.__pydantic_extra__ for each in messages]):
        return None
    try:
        states = ormsgpack.packb([each.__dict__ for each in messages], None, _STRICT)
    except (TypeError, ValueError):
        return None
    return Print(classes, states[len(array_header(len(classes))) :])
