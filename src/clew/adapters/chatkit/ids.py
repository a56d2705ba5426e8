"""Ids with ChatKit's prefixes and 128 bits, where the SDK's own have 32: two of those meet at some ten thousand."""

from __future__ import annotations

from typing import Final

from chatkit.store import StoreItemType

from clew.ids import new_id

PREFIXES: Final[dict[StoreItemType, str]] = {
    "thread": "thr",
    "message": "msg",
    "tool_call": "tc",
    "workflow": "wf",
    "task": "tsk",
    "attachment": "atc",
    "sdk_hidden_context": "shcx",
}
PLACEHOLDERS: Final = frozenset({"__fake_id__"})
"""What models of the Chat Completions interface give every message as its id."""
_KINDS: Final[dict[str, StoreItemType]] = {
    "client_tool_call": "tool_call",
    "workflow": "workflow",
    "task": "task",
    "sdk_hidden_context": "sdk_hidden_context",
}


def make_id(kind: StoreItemType) -> str:
    """Return a fresh id: the prefix of its kind, and 32 hexadecimal digits in order of time."""
    return f"{PREFIXES[kind]}_{new_id()}"


def kind_of(type: str) -> StoreItemType:
    """Return the kind of id that an item of this type gets."""
    return _KINDS.get(type, "message")
