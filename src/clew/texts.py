"""What a person wants to read of an item, whoever wrote it: its text in the common shapes, else its data, cut short."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from .model import Item

_LONE: Final = re.compile("[\ud800-\udfff]")
"""Halves of characters, which JSON can say (as the end of a text that was cut) and no encoding can."""


def item_text(item: Item) -> str:
    """Return what a person wants to read of an item: its text where clew knows the shape, else its data, shortened.

    It is valid Unicode: U+FFFD stands for half of a character.
    """
    text = _text(item)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _LONE.sub("\ufffd", text)
    return text


def _text(item: Item) -> str:
    if item.unreadable is not None:
        return f"[this record cannot be read: {item.unreadable}]"
    try:
        value = json.loads(item.data)
        found = _texts(value)
        return "\n".join(found) if found else json.dumps(value, ensure_ascii=False)[:2000]
    except (ValueError, RecursionError):
        return f"[{len(item.data):,} bytes of {item.codec}]"


def _texts(value: Any) -> list[str]:
    """Return the texts of a message of the common shapes: content or text as a string, or a list of parts."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, dict):
        return []
    for key in ("text", "content"):
        if isinstance(value.get(key), str):
            return [value[key]]
    for key in ("contents", "content", "parts"):
        if isinstance(value.get(key), list):
            return [text for part in value[key] for text in _part(part)]
    return []


def _part(part: Any) -> list[str]:
    if isinstance(part, dict) and part.get("type") == "function_call":
        return [f"→ {part.get('name')}({part.get('arguments')})"]
    if isinstance(part, dict) and part.get("type") == "function_result":
        return [f"← {part.get('result')}"]
    return _texts(part)
