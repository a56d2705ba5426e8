"""A serializer that reads checkpoints of programs that are not installed here: what it does not know, it hands on byte for byte.

Only messages are made into objects, since they become items. No class of the program is imported, so none has to be there, and
nothing that somebody wrote into a database runs.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Final

import ormsgpack
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from ....errors import InvalidError, MissingExtraError

KEY_VARIABLE: Final = "LANGGRAPH_AES_KEY"
"""Where LangGraph's own EncryptedSerializer finds its key."""

BY_POSITION: Final = 1
BY_NAME: Final = 2
SINGLE: Final = 0
_PYDANTIC: Final = 5
_DELTA: Final = 7
"""Extension types of LangGraph's MessagePack: a class called with one argument, with several, with names; a delta's snapshot."""

_OPTIONS: Final = (
    ormsgpack.OPT_NON_STR_KEYS
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_UUID
    | ormsgpack.OPT_REPLACE_SURROGATES
)
_PLAIN: Final = frozenset({"datetime", "uuid", "decimal", "builtins", "collections", "pathlib", "ipaddress", "zoneinfo"})
"""Modules whose values a message may hold, since LangGraph makes them anew without being told to."""


_MOST_REMEMBERED: Final = 4096
"""Bytes of a message that is made once for all the checkpoints that have it."""


class Kept:
    """A value that was not looked into: an extension type of MessagePack, and its bytes."""

    __slots__ = ("code", "data")

    def __init__(self, code: int, data: bytes) -> None:
        self.code = code
        self.data = data


class KeepingSerializer(JsonPlusSerializer):
    """LangGraph's serializer, but that values of unknown types are `Kept`, and written as they were."""

    def __init__(self) -> None:
        super().__init__(__unpack_ext_hook__=revive)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        if obj is None or isinstance(obj, bytes | bytearray):
            return super().dumps_typed(obj)
        return "msgpack", pack(obj)


_plain = JsonPlusSerializer(allowed_msgpack_modules=None)


def pack(value: Any) -> bytes:
    """Return MessagePack of a value that may hold `Kept` ones."""
    return ormsgpack.packb(value, default=_default, option=_OPTIONS)


def revive(code: int, data: bytes) -> Any:
    """Return the message, or the snapshot of plain values and messages, that an extension type holds; `Kept` for all else."""
    if code not in (_PYDANTIC, _DELTA):
        return Kept(code, data)
    # A message comes again in every later checkpoint of its thread.
    return _remembered(code, data) if len(data) <= _MOST_REMEMBERED else _revive(code, data)


def _revive(code: int, data: bytes) -> Any:
    unknown = 0

    def look(inner_code: int, inner: bytes) -> Any:
        nonlocal unknown
        value = revive(inner_code, inner)
        unknown += isinstance(value, Kept) and not (code == _PYDANTIC and _is_plain(value))
        return value

    try:
        holds = ormsgpack.unpackb(data, ext_hook=look, option=ormsgpack.OPT_NON_STR_KEYS)
    except ValueError:
        return Kept(code, data)
    if unknown or (code == _PYDANTIC and not _is_message(holds)):
        return Kept(code, data)
    return _plain.loads_typed(("msgpack", ormsgpack.packb(ormsgpack.Ext(code, data))))


_remembered = lru_cache(2048)(_revive)


def _is_message(holds: Any) -> bool:
    return isinstance(holds, list) and len(holds) > 2 and str(holds[0]).startswith("langchain_core.messages.")


def _is_plain(kept: Kept) -> bool:
    """Tell whether it is a date, an id, a set or the like, of plain values."""
    unknown = 0

    def look(code: int, data: bytes) -> Any:
        nonlocal unknown
        unknown += not _is_plain(Kept(code, data))

    try:
        holds = ormsgpack.unpackb(kept.data, ext_hook=look, option=ormsgpack.OPT_NON_STR_KEYS)
    except ValueError:
        return False
    return not unknown and isinstance(holds, list) and len(holds) > 2 and str(holds[0]).partition(".")[0] in _PLAIN


def _default(value: Any) -> ormsgpack.Ext:
    if not isinstance(value, Kept):
        # LangGraph knows how it writes this one; its bytes are one extension type, which is taken as it is.
        value = ormsgpack.unpackb(_plain.dumps_typed(value)[1], ext_hook=Kept)
        if not isinstance(value, Kept):
            raise TypeError("a value is of a type that LangGraph does not write")
    return ormsgpack.Ext(value.code, value.data)


def make_serde() -> SerializerProtocol:
    """Return the serializer to read with and to write with: an encrypting one where the environment has LangGraph's key.

    Raises:
        InvalidError: the key cannot be used.
        MissingExtraError: pycryptodome is not installed.
    """
    if not os.environ.get(KEY_VARIABLE):
        return KeepingSerializer()
    try:
        return EncryptedSerializer.from_pycryptodome_aes(serde=KeepingSerializer())
    except ImportError as error:
        raise MissingExtraError(
            f"a checkpoint that is encrypted ({KEY_VARIABLE} is set; pip install pycryptodome)", "langgraph"
        ) from error
    except ValueError as error:
        raise InvalidError(f"{KEY_VARIABLE} must have 16, 24 or 32 bytes") from error


def load(serde: SerializerProtocol, type_: str, data: bytes) -> Any:
    """Return a value.

    Raises:
        InvalidError: it is encrypted and no key is given, or it needs pickle, which is not read.
    """
    if "+" in type_ and not isinstance(serde, EncryptedSerializer):
        raise InvalidError(f"it is encrypted: set {KEY_VARIABLE} to the key that it was written with")
    if type_.partition("+")[0] == "pickle":
        raise InvalidError("it is a pickle, which could run anything when it is read: it stays where it is")
    return serde.loads_typed((type_, data))
