"""The data of an item as plain JSON values, for people and programs that do not have the framework that wrote it.

Known are JSON, under whatever codec's name, and what LangGraph's serializer writes (`langgraph/msgpack`): MessagePack with
extensions, each an object by the name of its class and what it is made of, which alone is shown. What the data names is never
imported or run, and what is encrypted stays so. It is a view: whoever copies an item takes its bytes.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.msgpack import Ext

from .errors import UnreadableError
from .limits import MAX_DEPTH
from .model import JSON, Item

__all__ = ["is_encrypted", "is_translated", "may_name_code", "plain_value"]

_FAMILY: Final = "langgraph/"
"""How the codecs begin that name a type of LangGraph's serializer."""
_MSGPACK: Final = "langgraph/msgpack"
_TOO_DEEP: Final = "[nested too deeply to be shown]"
_SECRET: Final = "**********"
_DELTA_SNAPSHOT, _ARRAY = 7, 6
_ONE_ARGUMENT, _ARGUMENTS = 0, 1
_OBJECTS: Final = range(6)
"""Extensions that hold the module and the name of a class, and what an object of it is made of."""


def plain_value(item: Item) -> JSON:
    """Return an item's data as JSON values.

    MessagePack becomes what every reader of JSON takes, at most `limits.MAX_DEPTH` deep: bytes are `{"base64": ...}`, dates, ids,
    NaN and the infinities their text, a key that is no text its JSON. A secret is not shown.

    Raises:
        UnreadableError: the data is of no known codec, is encrypted or broken, or the stored record cannot be decoded.
    """
    if item.unreadable is not None:
        raise UnreadableError(f"the record at position {item.position} is kept, but cannot be read: {item.unreadable}")
    try:
        if item.codec == _MSGPACK:
            return _plain(msgspec.msgpack.decode(item.data), 1)
        return json.loads(item.data)
    except (msgspec.DecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        why = "is encrypted" if is_encrypted(item) else "cannot be read as JSON"
        raise UnreadableError(f"the data of the item {item.id!r}, of codec {item.codec!r}, {why}: use its bytes") from error


def is_translated(item: Item) -> bool:
    """Tell whether an item's data is no JSON itself, and `plain_value` translates it."""
    return item.codec == _MSGPACK and item.unreadable is None


def is_encrypted(item: Item) -> bool:
    """Tell whether the codec says that the data is encrypted, as `langgraph/msgpack+aes` does."""
    return item.codec.startswith(_FAMILY) and "+" in item.codec


def may_name_code(codec: str) -> bool:
    """Tell whether data of a codec may name code that its framework runs when it reads it: take it from nobody who may not."""
    return codec.startswith(_FAMILY)


def _plain(value: Any, depth: int) -> JSON:
    if value is None or isinstance(value, str | bool | int):
        return value
    if depth > MAX_DEPTH:
        return _TOO_DEEP
    if isinstance(value, dict):
        return _object(value, depth)
    if isinstance(value, list | tuple):
        return [_plain(each, depth + 1) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Ext):
        return _extension(value.code, bytes(value.data), depth)
    return value.isoformat() if isinstance(value, datetime) else _binary(bytes(value))


def _object(value: dict[Any, Any], depth: int) -> JSON:
    pairs = [(_plain(key, depth + 1), _plain(each, depth + 1)) for key, each in value.items()]
    named = {key if isinstance(key, str) else json.dumps(key): each for key, each in pairs}
    # 1 and "1" are two keys, and only one in JSON.
    return named if len(named) == len(pairs) else [list(pair) for pair in pairs]


def _extension(code: int, data: bytes, depth: int) -> JSON:
    try:
        inside = msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, ValueError, TypeError, OverflowError):
        return {"extension": code, **_binary(data)}
    if code == _DELTA_SNAPSHOT:
        return _plain(inside, depth + 1)
    if isinstance(inside, list):
        if code in _OBJECTS and len(inside) >= 3 and isinstance(inside[0], str) and isinstance(inside[1], str):
            return _made_of(code, inside[0], inside[1], _plain(inside[2], depth + 1))
        if code == _ARRAY and len(inside) == 4 and isinstance(inside[3], bytes):
            return {"dtype": _plain(inside[0], depth + 1), "shape": _plain(inside[1], depth + 1), **_binary(inside[3])}
    return {"extension": code, **_binary(data)}


def _made_of(code: int, module: str, name: str, value: JSON) -> JSON:
    """Return what is shown of an object: what it is made of, in the usual form where that is another one."""
    if name.startswith("Secret") and module.partition(".")[0] == "pydantic":
        return _SECRET
    if code == _ONE_ARGUMENT and (module, name) == ("uuid", "UUID") and isinstance(value, str):
        return _uuid(value)
    if code == _ARGUMENTS and isinstance(value, list):
        if (module, name) == ("datetime", "date") and _are(int, value):
            return "-".join(f"{part:02}" for part in value)
        if module.partition(".")[0] == "pathlib" and _are(str, value):
            return "/".join(value).replace("//", "/", 1)
        if name == "Send" and len(value) >= 2:
            return {"node": value[0], "arg": value[1]}
    return value


def _are(kind: type, values: Sequence[object]) -> bool:
    return all(type(value) is kind for value in values)


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return text


def _binary(data: bytes) -> dict[str, JSON]:
    return {"base64": base64.b64encode(data).decode()}
