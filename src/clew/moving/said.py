"""Who said a message of plain JSON, and when, in the shapes that programs of their own write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

import msgspec

from ..errors import InvalidError
from ..limits import MAX_ID_BYTES
from ..model import NewItem
from ..store.entries import MAX_CREATED_MS

_IN_MS: Final = 100_000_000_000
"""A number above it is milliseconds: as seconds it were the year 5138."""
_decode: Final = msgspec.json.Decoder().decode


def keep_message(data: bytes) -> NewItem:
    """Return the item that keeps a JSON object with a `role`, byte for byte; its `timestamp` is its time, its `id` its id.

    Raises:
        InvalidError, ValueError: it is none.
    """
    value = _decode(data)
    if not isinstance(value, dict) or not is_word(value.get("role")):
        raise InvalidError("it is no message: it has no role")
    return NewItem(data, id=word_of(value.get("id")), author=value["role"], created_ms=ms_of(value.get("timestamp")))


def is_word(text: Any) -> TypeGuard[str]:
    """Tell whether something can be an id or a name in clew."""
    try:
        return isinstance(text, str) and 0 < len(text.encode()) <= MAX_ID_BYTES
    except UnicodeEncodeError:
        return False


def word_of(text: Any) -> str | None:
    """Return an id or a name, None for what can be neither."""
    return text if is_word(text) else None


def ms_of(moment: Any) -> int | None:
    """Return a time in milliseconds since 1970: of ISO 8601, where nothing else is said in UTC, or of a number of seconds or
    milliseconds. None for what is no time, or none that clew can say.
    """
    try:
        if isinstance(moment, str):
            try:
                moment = float(moment)
            except ValueError:
                read = datetime.fromisoformat(moment)
                moment = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000
                return _within(round(moment))
        if isinstance(moment, bool) or not isinstance(moment, int | float):
            return None
        return _within(round(moment if moment > _IN_MS else moment * 1000))
    except (ValueError, OverflowError, OSError):
        return None


def _within(ms: int) -> int | None:
    return ms if 0 <= ms <= MAX_CREATED_MS else None
