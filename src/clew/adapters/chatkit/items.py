"""ChatKit's thread items as clew's: the SDK's own JSON, kept byte for byte, and what becomes of it when it is saved again.

An item that this SDK cannot read stands in its page as a hidden one, which keeps its id and its place, and which nobody is shown.
One of LangGraph's stands there as the message it is, and is never written anew.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Final

import msgspec
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    InferenceOptions,
    SDKHiddenContextItem,
    ThreadItem,
    UserMessageContent,
    UserMessageItem,
    UserMessageTextContent,
)
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from clew import Item, NewItem
from clew.errors import InvalidError
from clew.texts import item_text
from clew.transcoding import is_translated

from .failures import AlreadyCompletedError
from .merging import is_same, merge

logger = logging.getLogger("clew.adapters.chatkit")

CODEC: Final = "openai.chatkit/1"
"""How the data of these items is written."""
UNREADABLE: Final = "(An item stands here that this version of the server cannot read.)"
"""The content of the hidden item in the place of one that the SDK cannot read."""
DONE: Final = frozenset({"completed", "answered", "skipped"})
"""What a pending item becomes, and stays."""
_AUTHORS: Final = {"user_message": "user", "assistant_message": "assistant"}
_ADAPTER: Final[TypeAdapter[ThreadItem]] = TypeAdapter(ThreadItem)


def read_item(item: Item, thread_id: str) -> ThreadItem:
    """Return what is stored as the SDK sees it, a hidden item where it cannot."""
    if is_translated(item):
        return _shown(item, thread_id)
    try:
        if item.unreadable is None:
            return _ADAPTER.validate_json(item.data)
        why = item.unreadable
    except ValidationError as e:
        why = ", ".join(sorted({error["type"] for error in e.errors(include_input=False, include_url=False)}))
    logger.warning("thread %r: the item %r is hidden, since it cannot be read here: %s", thread_id, item.id, why)
    return make_stand_in(item, thread_id)


def make_stand_in(item: Item, thread_id: str) -> SDKHiddenContextItem:
    """Return the hidden item in the place of one that cannot be read."""
    created = datetime.fromtimestamp(item.created_ms / 1000) if item.unreadable is None else datetime.fromtimestamp(0)
    return SDKHiddenContextItem(id=item.id, thread_id=thread_id, created_at=created, content=UNREADABLE)


def _shown(item: Item, thread_id: str) -> ThreadItem:
    """Return the message that another framework's item is, as ChatKit has messages."""
    created, text = datetime.fromtimestamp(item.created_ms / 1000), item_text(item)
    if item.author == "user":
        said: list[UserMessageContent] = [UserMessageTextContent(text=text)]
        return UserMessageItem(
            id=item.id, thread_id=thread_id, created_at=created, content=said, inference_options=InferenceOptions()
        )
    if item.author == "system":
        return SDKHiddenContextItem(id=item.id, thread_id=thread_id, created_at=created, content=text)
    answer = [AssistantMessageContent(text=text)]
    return AssistantMessageItem(id=item.id, thread_id=thread_id, created_at=created, content=answer)


def make_item(item: ThreadItem, stored: Item | None, *, was: Item | None = None, author: str | None = None) -> NewItem | None:
    """Return what is to be stored for an item, None where what is there is to stay as it is.

    A pending item does not come back once it is done. What the SDK does not know of is kept.

    Args:
        item: what is being saved.
        stored: what is there now.
        was: what was there when `item` was loaded, None for one that the application made.
        author: who a new item is by, None for its role. One that is there keeps its author.

    Raises:
        AlreadyCompletedError: it was loaded pending, is done with, and somebody else was done with it first.
        InvalidError: it cannot be written as JSON.
    """
    try:
        data = _ADAPTER.dump_json(item)
    except (PydanticSerializationError, ValueError) as e:
        raise InvalidError(f"the item {item.id!r} is no JSON: {type(e).__name__}") from e
    if stored is None:
        return _new_item(item, data, author)
    if _is_stand_in(item):
        return None
    if is_translated(stored):
        return None
    status = getattr(item, "status", None)
    if stored.status in DONE and status == "pending":
        return None
    try:
        view = _ADAPTER.dump_python(_ADAPTER.validate_json(stored.data), mode="json")
    except ValidationError:
        # It could not be read here; now it is written anew.
        return _new_item(item, data, stored.author)
    new = msgspec.json.decode(data)
    if is_same(new, view):
        return None
    if was is not None and was != stored and was.status == "pending" and stored.status in DONE:
        raise AlreadyCompletedError("This has been answered already; the first answer counts.")
    merged = merge(msgspec.json.decode(stored.data), view, new)
    return _new_item(item, msgspec.json.encode(merged), stored.author)


def keep_item(data: bytes) -> NewItem:
    """Return the item that keeps the JSON of an item that another store has, byte for byte, also of a type not known here.

    Raises:
        InvalidError, ValueError: it has no id, or no type.
    """
    try:
        return _new_item(_ADAPTER.validate_json(data), data, None)
    except ValidationError:
        value = msgspec.json.decode(data)
        if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not isinstance(value.get("type"), str):
            raise InvalidError("it is no item of ChatKit: it has no id, or no type") from None
        kind = value["type"]
        return NewItem(
            data, id=value["id"], kind=kind if kind not in _AUTHORS else "message", codec=CODEC, author=_AUTHORS.get(kind)
        )


def same_item(stored: Item) -> NewItem:
    """Return a stored item as one to be put in its own place."""
    return NewItem(
        stored.data,
        id=stored.id,
        kind=stored.kind,
        codec=stored.codec,
        author=stored.author,
        parent=stored.parent,
        status=stored.status,
        links=stored.links,
        created_ms=stored.created_ms,
    )


def _new_item(item: ThreadItem, data: bytes, author: str | None) -> NewItem:
    call = getattr(item, "call_id", None)
    return NewItem(
        data,
        id=item.id,
        kind="message" if item.type in _AUTHORS else item.type,
        codec=CODEC,
        author=author or _AUTHORS.get(item.type),
        status=getattr(item, "status", None),
        links=[call] if isinstance(call, str) and 0 < len(call) <= 128 else (),
        created_ms=_milliseconds(item.created_at),
    )


def _milliseconds(moment: datetime) -> int | None:
    try:
        ms = round(moment.timestamp() * 1000)
    except (OverflowError, OSError, ValueError):
        return None
    return ms if ms >= 0 else None


def _is_stand_in(item: Any) -> bool:
    return isinstance(item, SDKHiddenContextItem) and item.content == UNREADABLE
