"""What clew notes on an attachment that was announced for an upload: how large it will be, and how long it is waited for.

The note is part of the attachment's metadata, which ChatKit never sends to a client. An attachment without one was made by
other means, and stays.
"""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
from chatkit.types import Attachment

NOTE: Final = "clew"
"""The field of an attachment's metadata that is ours."""
UPLOAD_S: Final = 3600.0
"""Seconds an upload may take from its announcement, where nothing else is said."""
UNSENT_S: Final = 24 * 3600.0
"""Seconds after that until an attachment that no message has is forgotten."""


class Announcement(msgspec.Struct, frozen=True):
    """What was announced.

    Attributes:
        size: bytes of the file.
        until: seconds since 1970, by the clock of whoever took the announcement, until which its bytes may arrive.
    """

    size: int
    until: float


def make_note(size: int, upload_s: float) -> dict[str, Any]:  # a ChatKit attachment's metadata
    """Return the metadata of an attachment that is announced now."""
    return {NOTE: {"size": size, "until": time.time() + upload_s}}


def read_note(attachment: Attachment) -> Announcement | None:
    """Return what was announced, None for an attachment that was made by other means."""
    try:
        return msgspec.convert((attachment.metadata or {}).get(NOTE), Announcement)
    except msgspec.ValidationError:
        return None


def time_left(attachment: Attachment) -> float | None:
    """Return for how many seconds an attachment is kept from now, None for ever: once a message has it, for one."""
    found = read_note(attachment)
    if found is None or attachment.thread_id is not None:
        return None
    return max(1.0, found.until + UNSENT_S - time.time())
