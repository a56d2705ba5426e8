"""The names of files: tuples of parts, each percent-encoded, so that no part reaches out of its place.

What a part holds never matters: `..`, `/`, NUL and any script are only characters. A part that is too long is refused; `fit`
makes a part of any length that can stand for it.
"""

from __future__ import annotations

import hashlib
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from ..errors import InvalidError
from ..limits import check_id

Key: TypeAlias = tuple[str, ...]
"""A file's name: its parts from the widest to the narrowest, as `("volumes", "user", "ada", "skills", "search.md")`."""

MAX_PARTS: Final = 16
"""Parts of one key."""
MAX_PART_BYTES: Final = 200
"""Characters of one part when it is percent-encoded, in which a byte that is no letter, digit or `-_.~` counts three."""
MAX_KEY_BYTES: Final = 850
"""Characters of a whole encoded key, with the slashes between its parts. S3 allows 1,024, of which a prefix may take 150."""
KINDS: Final = ("system", "user", "team")
"""The kinds of volumes."""

_DIGEST: Final = "sha256:"


def check_key(key: Key) -> str:
    """Return the path of a key: its encoded parts, joined by slashes.

    Raises:
        InvalidError: it has no parts or too many, or one that is empty, no valid Unicode, or too long.
    """
    if key == ():
        raise InvalidError("the key of a file is empty: give at least one part")
    return check_prefix(key)


def check_prefix(prefix: Key) -> str:
    """Return the path of a prefix as `check_key` does; a prefix may have no parts at all."""
    if not isinstance(prefix, tuple):
        raise InvalidError(f"the key of a file must be a tuple of strings, not {type(prefix).__name__}")
    if len(prefix) > MAX_PARTS:
        raise InvalidError(f"the key of a file has {len(prefix)} parts: at most {MAX_PARTS} are allowed")
    path = "/".join([_encode(part) for part in prefix])
    if len(path) > MAX_KEY_BYTES:
        raise InvalidError(f"the key of a file has {len(path)} characters when encoded: at most {MAX_KEY_BYTES} are allowed")
    return path


def read_path(path: str) -> Key | None:
    """Return the key of a path, None where no key has this path: then something else put it there."""
    try:
        key = tuple(unquote(part, errors="strict") for part in path.split("/"))
        return key if check_key(key) == path else None
    except (InvalidError, UnicodeDecodeError):
        return None


def fit(name: str) -> str:
    """Return a part that stands for a name of any length and for no other: the name itself where it fits, or else its digest.

    Raises:
        InvalidError: the name is empty or not valid Unicode.
    """
    check_id(name, "the name", most=1 << 20)
    # A name that looks like a digest becomes one, so that nobody can take another's by looking like it.
    if name.startswith(_DIGEST) or len(_quote(name)) > MAX_PART_BYTES:
        return _DIGEST + hashlib.sha256(name.encode()).hexdigest()
    return name


def volume_key(kind: str, holder: str, *path: str) -> Key:
    """Return the key of a file in a volume, or of a folder in it: `volumes/<kind>/<holder>/<path>`.

    Args:
        kind: one of KINDS.
        holder: the user or team it belongs to, of any length; for the system's volume, `system`.
        path: the parts below, as `"skills", "search.md"`; none for the whole volume.

    Raises:
        InvalidError: an unknown kind, or the system's volume with another holder.
    """
    if kind not in KINDS:
        raise InvalidError(f"there is no kind of volume {kind!r}: use one of {', '.join(KINDS)}")
    if kind == "system" and holder != "system":
        raise InvalidError("there is one volume of the system: its holder is 'system'")
    return ("volumes", kind, fit(holder), *path)


def _encode(part: str) -> str:
    text = _quote(check_id(part, "a part of the key"))
    if len(text) > MAX_PART_BYTES:
        raise InvalidError(
            f"a part of the key has {len(text)} characters when encoded: at most {MAX_PART_BYTES} are allowed; shorten the name"
        )
    return text


def _quote(part: str) -> str:
    text = quote(part, safe="")
    # A name that starts with a dot would be hidden, or the folder above; some systems drop a dot at the end.
    if text.startswith("."):
        text = "%2E" + text[1:]
    return text[:-1] + "%2E" if text.endswith(".") else text
