"""How an encrypted file lies in its store: a header of a fixed length, then segments: so the stored size tells a file's size.

Nothing is encrypted or opened here, and the library for it is not needed.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from ..errors import UnreadableError
from ..frames import SEALED_FILE

VERSION: Final = 1
"""Of the layout: what this code writes, and the newest it reads."""
TAG: Final = 16
"""Bytes by which a segment is longer when it is encrypted."""
SEGMENT: Final = 64 * 1024
"""Bytes of a file that are encrypted together; the last segment may have fewer, and none only in an empty file."""
STORED: Final = SEGMENT + TAG
"""Bytes that a whole segment has when it is stored."""
_ID_ROOM: Final = 32
SALT: Final = 32
_START: Final = len(SEALED_FILE) + 2
HEADER: Final = _START + _ID_ROOM + SALT
"""Bytes of the header, whatever the key's id: so the stored size alone tells a file's size."""
LEAST: Final = HEADER + TAG
"""Bytes that an empty file has when it is stored. What is shorter is no whole encrypted file."""
CUT_OFF: Final = "it is encrypted, and was cut off: take it from a backup"


class Shape(NamedTuple):
    """The segments of a stored file: the number of the last one, and how many bytes that one has as it is stored."""

    last: int
    ending: int

    @property
    def size(self) -> int:
        """Bytes of the file itself; never fewer than none, however little is stored."""
        return max(0, self.last * SEGMENT + self.ending - TAG)


def shape_of(stored: int) -> Shape:
    """Return the segments of an encrypted file that has so many bytes as it is stored."""
    body = max(0, stored - HEADER)
    last = max(0, -(-body // STORED) - 1)
    return Shape(last, body - last * STORED)


def make_header(id: str) -> bytes:
    """Return the header of a new file, which is encrypted with the key of this id."""
    return SEALED_FILE + bytes((VERSION, len(id))) + id.encode().ljust(_ID_ROOM, b"\0") + os.urandom(SALT)


def read_id(header: bytes) -> str:
    """Return the id of the key that a file is encrypted with; UnreadableError where the header is cut off, or of a newer clew."""
    if len(header) < HEADER:
        raise UnreadableError(CUT_OFF)
    version, length = header[len(SEALED_FILE) : _START]
    if version != VERSION:
        raise UnreadableError(f"it is encrypted in format {version}, newer than {VERSION}: upgrade clew to read it")
    return header[_START : _START + min(length, _ID_ROOM)].decode("ascii", "replace")
