"""The tools for values: stash, fetch, list, drop, in the manner of `git stash`, under clew's names and those of `coaiapy-mcp`.

Text is stored as it is, so that `coaia fetch` shows it; other JSON is stored as its text.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..errors import InvalidError, NotFoundError
from ..limits import MAX_DATA_BYTES, MAX_VALUE_KEY_BYTES, check_data, check_json
from .desk import Desk
from .tool import Tool

MOST_CHARACTERS: Final = 50_000
"""How much of a value one call returns, where it does not ask for more or less."""

Key = Annotated[str, Meta(min_length=1, max_length=MAX_VALUE_KEY_BYTES, description="Any text.")]
Json = str | int | float | bool | list[Any] | dict[str, Any] | None
"""Spelled out, since some clients want a type for every argument."""
Given = Annotated[Json, Meta(description="Text, which is stored as it is, or other JSON, which is stored as its text.")]
Ttl = Annotated[float | None, Meta(description="Seconds until it vanishes, from 0.001; leave it out to keep it for ever.")]
Cursor = Annotated[str | None, Meta(description="The cursor of the page before.")]


class Stash(msgspec.Struct, forbid_unknown_fields=True):
    key: Key
    value: Given
    ttl: Ttl = None


class Tash(msgspec.Struct, forbid_unknown_fields=True):
    key: Key
    value: Given | UnsetType = UNSET
    data: Annotated[Json, Meta(description="Another name for `value`.")] | UnsetType = UNSET
    ttl: Ttl = None


class Fetch(msgspec.Struct, forbid_unknown_fields=True):
    key: Key
    offset: Annotated[int, Meta(ge=0, description="Where to start: the `next_offset` of the part before.")] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_DATA_BYTES, description="How many characters at most.")] = MOST_CHARACTERS


class List(msgspec.Struct, forbid_unknown_fields=True):
    pattern: Annotated[
        str,
        Meta(min_length=1, max_length=MAX_VALUE_KEY_BYTES, description="A glob: `*`, `?`, `[ab]`; `\\` before what is literal."),
    ] = "*"
    limit: Annotated[int, Meta(ge=1, le=500, description="About how many keys at most.")] = 100
    cursor: Cursor = None


class Drop(msgspec.Struct, forbid_unknown_fields=True):
    key: Key


class Stashed(msgspec.Struct):
    success: bool
    message: str
    bytes: int


class Fetched(msgspec.Struct, omit_defaults=True):
    success: bool
    bytes: Annotated[int, Meta(description="The whole value's size.")]
    value: Annotated[str | UnsetType, Meta(description="The text, or the part of it that was asked for.")] = UNSET
    value_base64: Annotated[str | UnsetType, Meta(description="Instead of `value`, where it is no text.")] = UNSET
    ttl: Annotated[float | None, Meta(description="Seconds it has left.")] = None
    has_more: bool = False
    next_offset: Annotated[int | None, Meta(description="Pass it as `offset` to get the next part.")] = None


class Listed(msgspec.Struct):
    success: bool
    keys: list[str]
    has_more: bool
    cursor: str | None


class Dropped(msgspec.Struct):
    success: bool
    dropped: Annotated[bool, Meta(description="Whether it was there.")]
    message: str


async def stash(desk: Desk, given: Stash | Tash) -> Stashed:
    """Store a value, whatever is there."""
    value = given.value
    if isinstance(given, Tash):
        if (given.value is UNSET) == (given.data is UNSET):
            raise InvalidError("give what to store once, as value or as data")
        value = given.data if given.value is UNSET else given.value
    check_json(value, "the value")
    data = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    check_data(data, "the value")
    await desk.shelf.put(given.key, data, given.ttl)
    stays = "for ever" if given.ttl is None else f"for {given.ttl:g} seconds"
    return Stashed(True, f"Stored '{given.key}' {stays}", len(data))


async def fetch(desk: Desk, given: Fetch) -> Fetched:
    """Return a value, or a part of it."""
    data, ttl = await desk.shelf.get(given.key)
    if data is None:
        raise NotFoundError(f"there is no value under the key '{given.key}'")
    answer = Fetched(True, len(data), ttl=ttl)
    whole: str | bytes
    try:
        whole = data.decode()
        answer.value = whole[given.offset : given.offset + given.limit]
    except UnicodeDecodeError:
        whole = data
        answer.value_base64 = base64.b64encode(data[given.offset : given.offset + given.limit]).decode()
    if given.offset + given.limit < len(whole):
        answer.has_more, answer.next_offset = True, given.offset + given.limit
    elif given.offset > len(whole):
        raise InvalidError(f"the offset is behind the end: there are {len(whole):,} characters")
    return answer


async def list_(desk: Desk, given: List) -> Listed:
    """Return keys that match a pattern."""
    keys, cursor = await desk.shelf.list(given.pattern, given.limit, given.cursor)
    return Listed(True, list(keys), cursor is not None, cursor)


async def drop(desk: Desk, given: Drop) -> Dropped:
    """Delete a value."""
    dropped = await desk.shelf.drop(given.key)
    return Dropped(True, dropped, f"Dropped '{given.key}'" if dropped else f"There was no value under the key '{given.key}'")


_STASH: Final = "Store a value under a key, for a later conversation or another program. What is there already is overwritten."
_FETCH: Final = "Return the value under a key. A long one comes in parts: go on with next_offset."
_LIST: Final = "List the keys that match a pattern, in no order; go on with the cursor while has_more is true."
_DROP: Final = "Delete the value under a key. `dropped` says whether it was there."

TOOLS: Final = (
    Tool("stash_value", "Stash a value", _STASH, Stash, Stashed, stash, destroys=True, repeats=True),
    Tool("fetch_value", "Fetch a value", _FETCH, Fetch, Fetched, fetch, reads=True),
    Tool("list_values", "List values", _LIST, List, Listed, list_, reads=True),
    Tool("drop_value", "Drop a value", _DROP, Drop, Dropped, drop, destroys=True, repeats=True),
)
COAIA_TOOLS: Final = (
    Tool("coaia_tash", "Stash a value", _STASH, Tash, Stashed, stash, destroys=True, repeats=True, in_json=True),
    Tool("coaia_fetch", "Fetch a value", _FETCH, Fetch, Fetched, fetch, reads=True, in_json=True),
    Tool("coaia_list", "List values", _LIST, List, Listed, list_, reads=True, in_json=True),
    Tool("coaia_drop", "Drop a value", _DROP, Drop, Dropped, drop, destroys=True, repeats=True, in_json=True),
)
