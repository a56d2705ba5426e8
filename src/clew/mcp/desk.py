"""What one call works with: whose it is, the store, and the shelf where that owner's values stand.

A value's key is literal, so that other programs read it too. What keeps owners apart is its first part, which the shelf writes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final
from urllib.parse import parse_qs, quote

from ..backend import Values
from ..errors import InvalidError, UnsupportedError
from ..limits import MAX_VALUE_KEY_BYTES, check_id
from ..store import Store
from ..store.checks import ttl_ms_of

MOST_OWNER: Final = 300
"""Characters of an encoded owner in a key; a digest stands for a longer one."""
SCAN: Final = 500
"""How many keys the store looks at in one step of a list."""
SCAN_S: Final = 0.5
"""How long one call goes through keys that do not match, before it says that there may be more."""


@dataclass(frozen=True, slots=True)
class Shelves:
    """Where values stand.

    Attributes:
        namespace: the first part of clew's own keys.
        bare: values stand under just the key that is given, as the `coaia` command line has them: for a store that one owner has
            to themselves. Otherwise each owner has keys of their own.
    """

    namespace: str = "clew"
    bare: bool = False

    @classmethod
    def of(cls, url: str, *, bare: bool = False) -> Shelves:
        """Return those of the store at a URL."""
        return cls((parse_qs(url.partition("?")[2].partition("#")[0]).get("namespace") or ["clew"])[0], bare)

    def prefix(self, owner: str) -> str:
        """Return what an owner's keys start with."""
        if self.bare:
            return ""
        # Percent-encoded, so that no owner's name with a colon reaches into another's keys.
        part = quote(owner, safe="")
        if len(part) > MOST_OWNER:
            # No encoded name has %~ in it.
            part = f"%~{blake2b(owner.encode(), digest_size=16).hexdigest()}"
        return f"{self.namespace}:values:{part}:"


class Shelf:
    """An owner's values: bytes under keys."""

    def __init__(self, store: Store, shelves: Shelves, owner: str) -> None:
        self._store = store
        self._prefix = shelves.prefix(owner)
        self._hidden = f"{shelves.namespace}:" if shelves.bare else None

    async def get(self, key: str) -> tuple[bytes | None, float | None]:
        """Return a value and the seconds it has left; None where there is none, or where it stays for ever."""
        name, power = self._name(key), self._power()
        data, left = await asyncio.gather(power.get_value(name), power.value_ttl(name))
        return data, left / 1000 if data is not None and left is not None and left >= 0 else None

    def name(self, key: str) -> str:
        """Return the literal key that stands for an owner's key."""
        return self._prefix + key

    async def put(self, key: str, data: bytes, ttl: float | None) -> None:
        """Set a value, whatever is there, for `ttl` seconds, or for ever."""
        ttl_ms = None if ttl is None else ttl_ms_of(ttl)
        await self._power().put_value(self._name(key), data, ttl_ms=ttl_ms)

    async def drop(self, key: str) -> bool:
        """Delete a value; tell whether it was there."""
        return (await self._power().put_value(self._name(key), None))[1] is not None

    async def list(self, pattern: str, limit: int, cursor: str | None) -> tuple[Sequence[str], str | None]:
        """Return keys that match a glob, each once, and the cursor of the rest; None at the end.

        The last step of a list may bring a few keys more than `limit`.
        """
        values, found = self._store.values(self._prefix), dict[str, None]()
        end = time.monotonic() + SCAN_S
        while True:
            page = await values.list(pattern, limit=min(limit, SCAN), cursor=cursor)
            found.update((key, None) for key in page if not self._is_hidden(key))
            cursor = page.cursor
            if cursor is None or len(found) >= limit or time.monotonic() > end:
                return list(found), cursor

    def _name(self, key: str) -> str:
        check_id(key, "the key", most=MAX_VALUE_KEY_BYTES)
        if self._is_hidden(key):
            raise InvalidError(f"keys that start with {self._hidden!r} are clew's own: choose another one")
        return check_id(self._prefix + key, "the key with its owner", most=MAX_VALUE_KEY_BYTES)

    def _is_hidden(self, key: str) -> bool:
        return self._hidden is not None and key.startswith(self._hidden)

    def _power(self) -> Values:
        backend = self._store.backend
        if not isinstance(backend, Values):
            raise UnsupportedError("this store keeps no values")
        return backend


@dataclass(frozen=True, slots=True)
class Desk:
    """What one call works with.

    Attributes:
        owner: whose call it is; everything it reaches is theirs.
    """

    owner: str
    store: Store
    shelf: Shelf
