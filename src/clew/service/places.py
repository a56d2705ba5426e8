"""The place of a file that an address names: a volume, and a path in it, each part of which is percent-encoded by itself.

What a part holds is only characters: an encoded slash is one in a name, and never leads to another folder. Read from the
address as it was sent, since an address that was decoded as a whole does not tell the two apart.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from starlette.requests import Request

from ..errors import InvalidError, NotFoundError
from ..files import Key
from .identity import identity_of
from .volumes import Volume, volume_of

BASE: Final = "/api/files"
_NO_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Place(NamedTuple):
    """A file or a folder of a volume that the caller may read; `path` is empty for the whole volume."""

    volume: Volume
    path: tuple[str, ...]

    @property
    def key(self) -> Key:
        """Its key; InvalidError where it cannot have one."""
        return self.volume.key(*self.path)


def place_of(request: Request) -> Place:
    """Return the place that the address names.

    Raises:
        NotFoundError: there is no such volume for this caller.
        InvalidError: the path cannot be one.
    """
    start, *parts = _sent_path(request).removeprefix(BASE).split("/")
    if start or not parts or parts[0] not in ("user", "team", "system"):
        # The router took it for one of ours because something in it is encoded that need not be.
        raise NotFoundError("there is no such address")
    kind, *rest = parts
    if kind != "team":
        return Place(volume_of(identity_of(request), kind), read_parts(rest))
    team, *path = rest
    (name,) = read_parts([team])
    return Place(volume_of(identity_of(request), kind, name), read_parts(path))


def read_prefix(text: str) -> tuple[str, ...]:
    """Return the parts of a path that may end in a slash; none for "". InvalidError where it cannot be one."""
    return read_parts(text.removesuffix("/").split("/")) if text else ()


def read_parts(parts: list[str]) -> tuple[str, ...]:
    """Return parts that are percent-encoded as what they mean; InvalidError where one cannot be a part."""
    return tuple(map(_read_part, parts))


def write_path(path: Key) -> str:
    """Return a path as it stands in an address."""
    return "/".join(quote(part, safe="") for part in path)


def _read_part(text: str) -> str:
    if not text:
        raise InvalidError("a part of the path is empty: leave out the slash at its end, or the second of two")
    if _NO_ESCAPE.search(text):
        raise InvalidError("the path holds a % that encodes nothing: write it as %25")
    try:
        part = unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidError("the path is not valid UTF-8") from error
    if part in (".", ".."):
        raise InvalidError("the path holds . or .. as a part: write where the file is, from the volume on")
    return part


def _sent_path(request: Request) -> str:
    sent = request.scope.get("raw_path")
    # A server that does not tell it has decoded it: then a slash in a name cannot be had.
    text = quote(request.scope["path"]) if sent is None else sent.decode("latin-1")
    if not text.isascii():
        raise InvalidError("the path must be percent-encoded")
    return text.removeprefix(quote(request.scope.get("root_path", "")))
