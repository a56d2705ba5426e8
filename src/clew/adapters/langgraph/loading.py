"""Messages out of MessagePack as LangGraph's own serializer makes them, without what it asks of each first.

Only those of classes that it allows whatever its settings are; all else, and what their class refuses, is left to it.
"""

from __future__ import annotations

from typing import Any, Final

import ormsgpack
from langchain_core.messages import AIMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import EXT_PYDANTIC_V2, JsonPlusSerializer

_CLASSES: Final = {
    (each.__module__, each.__name__): each for each in (AIMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage)
}
_OPTIONS: Final = ormsgpack.OPT_NON_STR_KEYS


class _OtherError(Exception):
    """Something else is in it."""


def load_messages(serde: Any, data: bytes) -> Any:
    """Return what `serde` makes of an array of messages."""
    if type(serde) is JsonPlusSerializer and not getattr(serde, "_custom_unpack_ext_hook", True):
        try:
            return ormsgpack.unpackb(data, ext_hook=_make, option=_OPTIONS)
        except Exception:
            # LangGraph has its own ways with what is no such message, or is none any more.
            pass
    return serde.loads_typed(("msgpack", data))


def _make(code: int, data: bytes) -> Any:
    if code != EXT_PYDANTIC_V2:
        raise _OtherError
    module, name, fields, _ = ormsgpack.unpackb(data, ext_hook=_refuse, option=_OPTIONS)
    return _CLASSES[module, name](**fields)


def _refuse(code: int, data: bytes) -> Any:
    raise _OtherError
