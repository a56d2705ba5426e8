"""A message as an item of a thread, and back: every field, in the form that LangGraph's serializer gives it.

So the items are those that `clew.adapters.langgraph` writes, and every reader of those reads these.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import msgspec
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage, convert_to_messages, messages_from_dict
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from clew import Item, NewItem
from clew.errors import InvalidError, UnreadableError
from clew.ids import new_id
from clew.limits import MAX_ID_BYTES, MAX_LINKS

FAMILY: Final = "langgraph/"
"""How the codec of an item begins; the serializer's type follows."""
SAFE: Final = JsonPlusSerializer(allowed_msgpack_modules=None)
"""Makes messages and what Python itself has, and imports nothing else that the data names."""
_AUTHORS: Final = {"human": "user", "ai": "assistant", "tool": "tool", "function": "tool", "system": "system"}
_SAID: Final = frozenset({"user", "assistant", "system", "developer"})
"""The roles of messages in plain JSON that need nothing but their content."""


def write_message(message: BaseMessage, serde: SerializerProtocol, id: str | None = None) -> NewItem:
    """Return the item of a message, under an id that is made where none is given.

    Raises:
        InvalidError: it holds what the serializer cannot write.
    """
    try:
        kind, data = serde.dumps_typed(message)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidError(f"a message holds what cannot be written ({error}): check its artifact and extra fields") from error
    what, links = "message", list[str]()
    if isinstance(message, AIMessage) and message.tool_calls:
        what, links = "tool_call", [call["id"] or "" for call in message.tool_calls]
    elif isinstance(message, ToolMessage):
        what, links = "tool_result", [message.tool_call_id]
    return NewItem(
        data,
        id or new_id(),
        what,
        FAMILY + kind,
        _author_of(message),
        links=[link for link in dict.fromkeys(links) if _is_id(link)][:MAX_LINKS],
    )


def own_id(message: BaseMessage) -> str | None:
    """Return the id that a message has, if a store can take it.

    Raises:
        InvalidError: it is no message.
    """
    if not isinstance(message, BaseMessage):
        raise InvalidError(f"a history holds messages of langchain_core, not {type(message).__name__}")
    return message.id if message.id is not None and _is_id(message.id) else None


def read_message(item: Item, serde: SerializerProtocol) -> BaseMessage | None:
    """Return the message that an item holds; None for an item that another program wrote, and that is no message in plain JSON.

    One of a class that the serializer does not make becomes the message of langchain_core that has its type, with all fields.

    Raises:
        UnreadableError: it is damaged, encrypted with another key, or no message.
    """
    if item.unreadable is not None:
        raise UnreadableError(f"the message at position {item.position} cannot be read ({item.unreadable}): remove it to go on")
    if not item.codec.startswith(FAMILY):
        return _read_plain(item)
    try:
        message = serde.loads_typed((item.codec.removeprefix(FAMILY), item.data))
        if isinstance(message, dict):
            message = messages_from_dict([{"type": message["type"], "data": message}])[0]
    except Exception as error:  # whatever a serializer and its cipher raise
        raise UnreadableError(
            f"the message {item.id!r} cannot be read with this serializer ({type(error).__name__}): give the one that wrote it"
        ) from error
    if not isinstance(message, BaseMessage):
        raise UnreadableError(
            f"the item {item.id!r} is no message, but a {type(message).__name__}: another program wrote it, so remove it to go on"
        )
    return message


def same_message(item: Item, message: BaseMessage, serde: SerializerProtocol) -> bool:
    """Tell whether an item holds this very message, all fields of it."""
    stored = read_message(item, serde)
    return stored is not None and digest_of(stored) == digest_of(message)


def digest_of(message: BaseMessage) -> str:
    """Return a digest of what a message says in all its fields, as an id."""
    return blake2b(SAFE.dumps_typed(message.model_dump())[1], digest_size=16).hexdigest()


def _read_plain(item: Item) -> BaseMessage | None:
    try:
        value: Any = msgspec.json.decode(item.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("role") not in _SAID or not isinstance(value.get("content"), str):
        return None
    return convert_to_messages([{"role": value["role"], "content": value["content"], "id": item.id}])[0]


def _author_of(message: BaseMessage) -> str | None:
    role = _AUTHORS.get(message.type) or getattr(message, "role", None) or message.type
    return role if isinstance(role, str) and _is_id(role) else None


def _is_id(text: str) -> bool:
    try:
        return 0 < len(text.encode()) <= MAX_ID_BYTES
    except UnicodeEncodeError:
        return False
