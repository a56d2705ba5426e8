"""A framework message and a clew item: the message's own JSON, kept as it is, and decoded straight from the stored bytes.

It loses nothing that `Message.to_dict` keeps, lone surrogates and NaN included. It does not look into another framework's items.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from agent_framework import Content, Message

from clew import Item, NewItem
from clew.errors import InvalidError, UnreadableError

CODEC: Final = "agent_framework.message/1"
"""How an item's data is written: the JSON of `Message.to_dict()`."""
TITLE_LENGTH: Final = 60
"""Characters of the first user message that become a thread's title."""

_FAMILY: Final = CODEC.partition("/")[0]
_APPROVALS: Final = frozenset({"function_approval_request", "function_approval_response"})


def now_ms() -> int:
    """Return this process's clock, milliseconds since 1970."""
    return int(time.time() * 1000)


def encode_message(message: Message) -> bytes:
    """Return the JSON of a message.

    Raises:
        InvalidError: it holds a value that JSON cannot hold.
    """
    try:
        value = message.to_dict()
        try:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=msgspec.to_builtins).encode()
        except UnicodeEncodeError:
            # A lone surrogate has no UTF-8, but it has a JSON escape.
            return json.dumps(value, separators=(",", ":"), default=msgspec.to_builtins).encode()
    except (TypeError, ValueError, RecursionError) as e:
        raise InvalidError(f"a message of role {message.role!r} cannot be written as JSON: {e}") from e


def make_item(message: Message, *, id: str | None, created_ms: int, parent: str | None = None) -> NewItem:
    """Return the item that keeps `message`: who said it, what kind it is, and the calls it makes or answers."""
    return keep_message(encode_message(message), message, id=id, created_ms=created_ms, parent=parent)


def keep_message(data: bytes, message: Message, *, id: str | None, created_ms: int, parent: str | None = None) -> NewItem:
    """Return the item that keeps the JSON of a message as it is."""
    return NewItem(
        data,
        id=id,
        kind=_kind(message),
        codec=CODEC,
        author=_author(message),
        parent=parent,
        links=tuple(call_ids(message)),
        created_ms=created_ms,
    )


def read_message(item: Item) -> Message:
    """Return the message an item keeps, with the item's id as its `message_id` where it had none.

    Raises:
        UnreadableError: the record is corrupt, newer than this code, or another framework's.
    """
    if item.unreadable is not None:
        raise UnreadableError(item.unreadable)
    if item.codec != CODEC:
        writer = "a newer version of this adapter" if item.codec.partition("/")[0] == _FAMILY else "another program"
        raise UnreadableError(f"its codec is {item.codec!r}, and not {CODEC!r}: {writer} wrote it")
    try:
        message = _parse(item.data)
    except Exception as e:
        # Whatever the framework's constructors raise for one record must not fail the others.
        raise UnreadableError(f"it does not hold a message: {type(e).__name__}") from e
    if message.message_id is None:
        message.message_id = item.id
    return message


def with_id(message: Message, id: str) -> Message:
    """Return the message as it will be when it is loaded again: with an id. The message itself is not changed."""
    if message.message_id is not None:
        return message
    named = copy.copy(message)
    named.message_id = id
    return named


def call_ids(message: Message) -> list[str]:
    """Return the ids of the tool calls and approvals that a message makes or answers, each once."""
    found: dict[str, None] = {}
    for content in message.contents:
        if content.type in ("function_call", "function_result"):
            found[content.call_id or ""] = None
        elif content.type in _APPROVALS:
            found[content.id or ""] = None
            if content.function_call is not None:
                found[content.function_call.call_id or ""] = None
    return [id for id in found if id]


def make_title(messages: Iterable[Message]) -> str | None:
    """Return the first user message, on one line and shortened; None where there is no such text."""
    for message in messages:
        if message.role != "user":
            continue
        # Lists of titles are printed: no control characters and no lone surrogates in them.
        text = " ".join("".join(c if c.isprintable() else " " for c in message.text[:1000]).split())
        if text:
            return text if len(text) <= TITLE_LENGTH else text[: TITLE_LENGTH - 1].rstrip() + "…"
    return None


def _kind(message: Message) -> str:
    types = {content.type for content in message.contents}
    if "function_call" in types:
        return "tool_call"
    if "function_result" in types or message.role == "tool":
        return "tool_result"
    return "message"


def _author(message: Message) -> str | None:
    # The framework gives an agent's name to what its tools return, too.
    name = message.role if message.role == "tool" else message.author_name or message.role
    return name if isinstance(name, str) and name.isprintable() and len(name) <= 128 else None


class _Text(msgspec.Struct, tag="text", tag_field="type", forbid_unknown_fields=True, gc=False):
    text: str
    additional_properties: dict[str, Any] | None = None


class _Plain(msgspec.Struct, tag="message", tag_field="type", forbid_unknown_fields=True, gc=False):
    """A message of texts, which is what most of a history is."""

    role: str
    contents: list[_Text]
    author_name: str | None = None
    message_id: str | None = None
    additional_properties: dict[str, Any] | None = None


_decode_plain = msgspec.json.Decoder(_Plain).decode


def _parse(data: bytes) -> Message:
    try:
        plain = _decode_plain(data)
    except msgspec.DecodeError:
        # Calls, results and whatever else there is; and NaN and lone surrogates, which only the library that wrote them reads.
        value = json.loads(data)
        if "contents" not in value:
            raise KeyError("contents") from None
        return _checked(Message.from_dict(value))
    # What `Message.from_dict` comes to for these fields, at half its cost.
    return Message(
        plain.role,
        [Content("text", text=part.text, additional_properties=part.additional_properties) for part in plain.contents],
        author_name=plain.author_name,
        message_id=plain.message_id,
        additional_properties=plain.additional_properties,
    )


def _checked(message: Message) -> Message:
    if not isinstance(message.role, str) or not isinstance(message.message_id, str | None):
        raise TypeError("a role and a message id are strings")
    for content in message.contents:
        if content.type == "text" and not isinstance(content.text, str):
            raise TypeError("a text is a string")
    return message
