"""What a person wants to read of an item, whoever wrote it: its text in the common shapes, else its data, cut short."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from .errors import UnreadableError
from .model import Item
from .transcoding import is_encrypted, plain_value

_LONE: Final = re.compile("[\ud800-\udfff]")
"""Halves of characters, which JSON can say (as the end of a text that was cut) and no encoding can."""

_MEDIA: Final = {
    "image": "image",
    "image_url": "image",
    "audio": "audio",
    "input_audio": "audio",
    "video": "video",
    "file": "file",
}
"""The parts of a message that are no text, by the names that LangChain and the chat completions have for them."""


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
    if is_encrypted(item):
        return f"[{len(item.data):,} bytes, encrypted]"
    try:
        value = plain_value(item)
        found = _texts(value)
        return "\n".join(found) if found else json.dumps(value, ensure_ascii=False)[:2000]
    except (UnreadableError, ValueError, RecursionError):
        return f"[{len(item.data):,} bytes of {item.codec}]"


def _texts(value: Any) -> list[str]:
    """Return the texts of a message of the common shapes, content or text as a string or a list of parts; then its tool calls."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, dict):
        return []
    found = _content(value)
    if isinstance(value.get("tool_call_id"), str) and value.get("type") == "tool":
        return [f"← {text}" for text in found[:1]] + found[1:]
    calls = _calls(value.get("tool_calls")) + _calls(value.get("invalid_tool_calls"))
    return [text for text in found if text] + calls if calls else found


def _content(value: dict[str, Any]) -> list[str]:
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
    found = _texts(part)
    if not found and isinstance(part, dict) and isinstance(part.get("type"), str) and part["type"] in _MEDIA:
        return [f"[{_MEDIA[part['type']]}]"]
    return found


def _calls(calls: Any) -> list[str]:
    """Return the tool calls of a message as LangChain or the chat completions have them."""
    found = []
    for call in calls if isinstance(calls, list) else ():
        made = call.get("function", call) if isinstance(call, dict) else None
        if isinstance(made, dict) and isinstance(made.get("name"), str):
            given = made.get("args", made.get("arguments"))
            given = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
            found.append(f"→ {made['name']}({given})")
    return found
