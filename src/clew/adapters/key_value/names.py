"""Which literal key an entry has: the owner and the collection are encoded, so that no name reaches into another's keys."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

import clew
from clew.limits import MAX_VALUE_KEY_BYTES, check_id

from .failures import BadKeyError

PREFIX: Final = "clew:kv:"
_SPECIAL: Final = re.compile(r"([*?\[\]\\^-])")


def prefix_of(owner: str) -> str:
    """Return what all keys of an owner start with. InvalidError for a bad owner."""
    return f"{PREFIX}{quote(check_id(owner, 'the owner'), safe='')}:"


def key_of(prefix: str, collection: str, key: str) -> str:
    """Return the key of an entry below its owner's prefix. BadKeyError where it cannot be one."""
    if not isinstance(key, str):
        raise BadKeyError(f"a key must be a string, not {type(key).__name__}")
    name = head_of(collection) + key
    try:
        check_id(prefix + name, "the key with its owner and collection", most=MAX_VALUE_KEY_BYTES)
    except clew.InvalidError as e:
        raise BadKeyError(str(e)) from e
    return name


def head_of(collection: str) -> str:
    """Return what the keys of a collection start with, below their owner's prefix."""
    if not isinstance(collection, str):
        raise BadKeyError(f"a collection's name must be a string, not {type(collection).__name__}")
    try:
        return quote(collection, safe="") + ":"
    except UnicodeEncodeError as e:
        raise BadKeyError("a collection's name holds a lone surrogate, which is not valid Unicode") from e


def pattern_of(collection: str) -> str:
    """Return the glob that matches the keys of a collection, and no others."""
    return _SPECIAL.sub(r"\\\1", head_of(collection)) + "*"


def collection_of(name: str) -> str:
    """Return the collection of a key below its owner's prefix."""
    return unquote(name.partition(":")[0])
