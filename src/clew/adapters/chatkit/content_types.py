"""Content types: which are taken, which one a file says it is, and which one its first bytes show.

Only what shows itself without doubt is recognized. A type that is not here is taken at its word, and never shown in a page.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from clew.errors import InvalidError

IMAGES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""The pictures that a browser shows and that cannot run anything: these get a preview."""
TAKEN: Final = (
    *IMAGES,
    "application/pdf",
    "application/json",
    "application/vnd.oasis.opendocument.*",
    "application/vnd.openxmlformats-officedocument.*",
    "text/*",
)
"""The types that are taken where nothing else is said."""
HEAD: Final = 512
"""Bytes from the beginning that `see_type` wants."""
MOST_NAME: Final = 127
"""Characters of a type and of a subtype, as RFC 6838 has it."""

_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_UNKNOWN: Final = ("", "application/octet-stream", "binary/octet-stream")
_ZIP: Final = "application/zip"
_HEADS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", _ZIP),
    (b"\x7fELF", "application/x-executable"),
    (b"MZ", "application/x-msdownload"),
)
_ZIPPED: Final = (
    "application/vnd.oasis.opendocument.*",
    "application/vnd.openxmlformats-officedocument.*",
    "application/*+zip",
    _ZIP,
)
# What systems disagree about, or do not know.
_BY_SUFFIX: Final = {".md": "text/markdown", ".markdown": "text/markdown", ".csv": "text/csv", ".jsonl": "application/jsonl"}


def read_type(text: str | None, name: str = "") -> str:
    """Return the type and subtype that a header or a client says, in lower case; from the name where it says none.

    Raises:
        InvalidError: it is no content type.
    """
    said = (text or "").partition(";")[0].strip().lower()
    if said in _UNKNOWN:
        suffix = re.search(r"\.[^.]+$", name.lower())
        found = _BY_SUFFIX.get(suffix[0]) if suffix else None
        said = found or mimetypes.guess_type(name, strict=True)[0] or "application/octet-stream"
    if not _TYPE.fullmatch(said) or max(map(len, said.split("/"))) > MOST_NAME:
        raise InvalidError("the content type is not one: write it as image/png")
    return said


def is_said(text: str | None) -> bool:
    """Tell whether a header names a type at all; many clients name a general one where they know none."""
    return (text or "").partition(";")[0].strip().lower() not in _UNKNOWN


def is_taken(type: str, patterns: Sequence[str]) -> bool:
    """Tell whether one of the patterns, as `text/*`, matches a type."""
    return any(fnmatchcase(type, pattern) for pattern in patterns)


def see_type(head: bytes) -> str | None:
    """Return the type that the first bytes show, None where they show none."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((type for start, type in _HEADS if head.startswith(start)), None)


def find_lie(type: str, head: bytes) -> str | None:
    """Return why a file that begins so cannot be of a type, None where it can."""
    seen = see_type(head)
    if seen == _ZIP and any(fnmatchcase(type, pattern) for pattern in _ZIPPED):
        return None
    if type.startswith("text/") or type == "application/json":
        if seen is not None or b"\0" in head:
            return f"it says {type}, and holds what is no text"
    elif type in IMAGES or type == "application/pdf" or any(fnmatchcase(type, pattern) for pattern in _ZIPPED):
        if seen != type:
            return f"it says {type}, and begins as {seen or 'something else'}"
    elif seen is not None and seen != type:
        return f"it says {type}, and begins as {seen}"
    return None
