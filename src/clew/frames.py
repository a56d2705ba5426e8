"""How bytes begin that a wrapper of clew has encrypted or compressed, so that whoever meets them without it can say so.

The first byte is the one that MessagePack never uses, and no UTF-8 begins with it. `clew.wrappers` makes the frames.
"""

from __future__ import annotations

from typing import Final

SEALED: Final = b"\xc1E"
"""The beginning of what is encrypted."""
SEALED_FILE: Final = SEALED + b"file"
"""The beginning of a file that is encrypted: longer, since anybody's bytes may be in files."""
SQUEEZED: Final = b"\xc1Z"
"""The beginning of what is compressed."""
FRAMES: Final = (SEALED, SQUEEZED)
ENTRY_ROOM: Final = 1024 * 1024
"""Bytes by which a framed document or entry, or a commit of them, may be larger: an entry's frame holds all of its envelope."""
EVENT_ROOM: Final = 128
"""Bytes by which a framed event, or a run's framed data, may be larger."""


def explain(data: bytes) -> str | None:
    """Return what to do about bytes that are framed, None where they are not."""
    if data.startswith(SEALED):
        return "it is encrypted: set CLEW_ENCRYPTION_KEYS to the keys that it was written with"
    if data.startswith(SQUEEZED):
        return "it is compressed: set CLEW_COMPRESS, so that it is read too"
    return None
