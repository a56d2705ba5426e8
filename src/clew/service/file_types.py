"""What kind of file a name speaks of, and the headers it is sent with: nothing that a browser could run is ever shown by one.

The list is short on purpose. A kind that is not in it is bytes, to be saved and not to be looked at.
"""

from __future__ import annotations

from email.utils import format_datetime
from typing import Final
from urllib.parse import quote

from ..files import FileInfo

BYTES: Final = "application/octet-stream"
"""The type of what is not in the list: programs, pages, archives, and pictures that can hold a script."""
_TEXT: Final = "text/plain; charset=utf-8"
_MARKDOWN: Final = "text/markdown; charset=utf-8"
_SHOWN: Final = {
    **dict.fromkeys(
        ("txt", "text", "log", "ini", "cfg", "py", "sh", "sql", "diff", "patch", "rst", "toml", "yaml", "yml"), _TEXT
    ),
    **dict.fromkeys(("md", "markdown"), _MARKDOWN),
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}
_SAVED: Final = {
    "pdf": "application/pdf",
    "zip": "application/zip",
    "gz": "application/gzip",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "mp4": "video/mp4",
    "webm": "video/webm",
}


def type_of(name: str) -> str:
    """Return the content type of a file of this name."""
    ending = _ending_of(name)
    return _SHOWN.get(ending) or _SAVED.get(ending) or BYTES


def headers_of(info: FileInfo) -> dict[str, str]:
    """Return the headers that a version of a file is sent with, but for those that say how much of it comes."""
    name = info.key[-1]
    shown = "inline" if _ending_of(name) in _SHOWN else "attachment"
    return {
        "content-type": type_of(name),
        "content-disposition": f"{shown}; filename*=UTF-8''{quote(name, safe='')}",
        "content-security-policy": "default-src 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        # To be kept, and asked for each time: it may be another version, or another caller's answer.
        "cache-control": "private, no-cache",
        "vary": "Authorization",
        "accept-ranges": "bytes",
        "etag": info.etag,
        "last-modified": format_datetime(info.modified, usegmt=True),
    }


def _ending_of(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""
