"""Values: JSON under literal keys, as other programs read and write them too. Nothing is added to key or value."""

from __future__ import annotations

import asyncio
import re
from typing import Final

import msgspec

from ..backend import Backend
from ..backend import Values as ValuesPower
from ..errors import UnreadableError
from ..limits import MAX_VALUE_KEY_BYTES, check_id, check_limit
from ..model import JSON, Page, Value
from ..records import ANY, Any_
from .checks import encode_json, need_values, ttl_ms_of

_SPECIAL: Final = re.compile(r"([*?\[\]\\^-])")


class Values:
    """The verbs for values whose keys start with a prefix. Made by `Store.values`."""

    def __init__(self, backend: Backend, prefix: str) -> None:
        self._backend = backend
        self.prefix = check_prefix(prefix)

    async def get(self, key: str, *, ttl: bool = True) -> Value | None:
        """Return the value and how long it stays, None where there is none.

        Args:
            ttl: whether to ask how long it stays, which is a call of its own; `ttl_ms` is None without it.

        Raises:
            UnreadableError: what is stored is not JSON.
        """
        name = self._name(key)
        power = self._power()
        if ttl:
            data, left = await asyncio.gather(power.get_value(name), power.value_ttl(name))
        else:
            data, left = await power.get_value(name), None
        if data is None:
            return None
        try:
            value = msgspec.json.decode(data)
        except msgspec.DecodeError as e:
            raise UnreadableError(f"the value under {name!r} is not JSON: {e}") from e
        return Value(key, value, left if left is not None and left >= 0 else None)

    async def put(self, key: str, value: JSON, *, ttl: float | None = None) -> None:
        """Set a value, whatever is there.

        Args:
            value: JSON, of at most `limits.MAX_DATA_BYTES` bytes.
            ttl: seconds until it vanishes; None keeps it for ever.
        """
        await self._put(key, value, ttl, ANY)

    async def create(self, key: str, value: JSON, *, ttl: float | None = None) -> bool:
        """Set a value where there is none; tell whether it was set."""
        return await self._put(key, value, ttl, None)

    async def delete(self, key: str) -> bool:
        """Delete a value; tell whether it was there."""
        return (await self._power().put_value(self._name(key), None))[1] is not None

    async def list(self, pattern: str = "*", *, limit: int = 100, cursor: str | None = None) -> Page[str]:
        """Return keys that match a pattern, without the prefix, in no order that is promised.

        A page may hold fewer than `limit` keys, or none, and still have more. A key that is there throughout is seen at
        least once.

        Args:
            pattern: a glob (`*`, `?`, `[ab]`, and a backslash before what is meant literally) after the prefix, which is literal.
            limit: from 1 to `limits.MAX_PAGE`.
            cursor: a page's `cursor`, to go on after it.
        """
        check_limit(limit)
        check_id(pattern, "the pattern", most=MAX_VALUE_KEY_BYTES)
        glob = _SPECIAL.sub(r"\\\1", self.prefix) + pattern
        keys, following = await self._power().scan_values(glob, limit=limit, cursor=cursor)
        return Page([key.removeprefix(self.prefix) for key in keys], following is not None, following)

    async def _put(self, key: str, value: JSON, ttl: float | None, when: Any_ | None) -> bool:
        name = self._name(key)
        data = encode_json(value, "the value")
        ttl_ms = None if ttl is None else ttl_ms_of(ttl)
        return (await self._power().put_value(name, data, ttl_ms=ttl_ms, when=when))[0]

    def _name(self, key: str) -> str:
        return name_of(self.prefix, key, "a value's key")

    def _power(self) -> ValuesPower:
        return need_values(self._backend)


def check_prefix(prefix: str) -> str:
    """Return `prefix`, or raise InvalidError where no key can start with it."""
    if prefix == "":
        return prefix
    return check_id(prefix, "the prefix", most=MAX_VALUE_KEY_BYTES // 2)


def name_of(prefix: str, key: str, what: str) -> str:
    """Return the literal key, checked."""
    check_id(key, what, most=MAX_VALUE_KEY_BYTES)
    return check_id(prefix + key, f"{what} with its prefix", most=MAX_VALUE_KEY_BYTES)
