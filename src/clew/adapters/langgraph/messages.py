"""A message as an item of the thread: what it is, whose it is, and which tool calls it makes or answers."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from ...ids import new_id
from ...limits import MAX_ID_BYTES, MAX_LINKS
from ...model import NewItem
from .coding import MSGPACK

CODEC: Final = "langgraph/"
"""How the codec of an item begins; the serializer's type follows."""
PLAIN: Final = CODEC + MSGPACK

_AUTHORS: Final = {"human": "user", "ai": "assistant", "tool": "tool", "function": "tool", "system": "system"}


def make_item(message: BaseMessage, data: bytes, kind: str = MSGPACK, *, is_secret: bool = False) -> NewItem:
    """Return the item that holds a message.

    Args:
        data: what the serializer gave.
        kind: the type that it gave.
        is_secret: whether to give it a random id, since a digest would tell what was said.
    """
    id = new_id() if is_secret else blake2b(data, digest_size=16).hexdigest()
    what, links = "message", list[str]()
    if isinstance(message, AIMessage):
        if message.tool_calls:
            what = "tool_call"
            links = [call["id"] for call in message.tool_calls if call["id"]]
    elif isinstance(message, ToolMessage):
        what = "tool_result"
        links = [message.tool_call_id] if message.tool_call_id else []
    if links:
        # What is no id for the store links nothing; the message itself has it.
        links = [link for link in links if len(link.encode(errors="replace")) <= MAX_ID_BYTES][:MAX_LINKS]
    return NewItem(
        data,
        id,
        what,
        CODEC + kind if kind != MSGPACK else PLAIN,
        _author_of(message),
        links=links,
    )


def _author_of(message: BaseMessage) -> str | None:
    role = _AUTHORS.get(message.type) or getattr(message, "role", None) or message.type
    return role if isinstance(role, str) and 0 < len(role) < MAX_ID_BYTES // 4 else None
