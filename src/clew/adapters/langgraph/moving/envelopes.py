"""What langgraph-checkpoint-redis makes of values that JSON does not have, and back: messages, bytes, sets, sends, interrupts.

Only messages are made into objects; every other class is named, as LangGraph's own MessagePack names it, and made by the program.
"""

from __future__ import annotations

import base64
from typing import Any

from langchain_core.load.load import Reviver

from .values import BY_NAME, BY_POSITION, SINGLE, Kept, pack, revive

_revive_core = Reviver(allowed_objects="core")
_DELTA = 7


def revive_json(value: Any) -> Any:
    """Return a value as it was before it became JSON; what is not understood stays as it is."""
    if isinstance(value, list):
        return [revive_json(element) for element in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"__bytes__"} and isinstance(value["__bytes__"], str):
        return base64.b64decode(value["__bytes__"])
    inner = {name: revive_json(element) for name, element in value.items()}
    if inner.get("type") == "constructor" and isinstance(inner.get("id"), list) and inner.get("lc") in (1, 2):
        return _object(inner)
    if inner.get("__interrupt__") is True and "value" in inner:
        fields = {name: inner[name] for name in ("value", "id", "resumable", "ns", "when") if name in inner}
        return Kept(BY_NAME, pack(("langgraph.types", "Interrupt", fields)))
    if inner.get("__send__") is True and inner.keys() == {"__send__", "node", "arg"}:
        return Kept(BY_POSITION, pack(("langgraph.types", "Send", (inner["node"], inner["arg"]))))
    if inner.get("__delta_snapshot__") is True and inner.keys() == {"__delta_snapshot__", "value"}:
        return revive(_DELTA, pack(inner["value"]))
    return inner


def _object(envelope: dict[str, Any]) -> Any:
    *module, name = [str(part) for part in envelope["id"]]
    arguments, fields = envelope.get("args"), envelope.get("kwargs")
    if envelope["lc"] == 1:
        try:
            return _revive_core(envelope)
        except Exception:
            # LangChain does not know it any more; the package, too, leaves it as it is.
            return envelope
    if (*module, name) == ("builtins", "set"):
        elements = arguments[0] if arguments else (fields or {}).get("__set_items__", [])
        return Kept(SINGLE, pack(("builtins", "set", tuple(elements))))
    if arguments and fields:
        return envelope
    if arguments:
        return Kept(BY_POSITION, pack((".".join(module), name, tuple(arguments))))
    return Kept(BY_NAME, pack((".".join(module), name, fields or {})))
