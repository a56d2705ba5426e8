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
from ..splicing import Splicing
from .checks import UNSET, Unset, encode_json, need_splicing, need_values, ttl_ms_of

_SPECIAL: Final = re.compile(r"([*?\[\]\\^-])")


class Values:
    """The verbs for values whose keys start with a prefix. Made by `Store.values`."""

    def __init__(self, backend: Backend, prefix: str) -> None:
        self._backend = backend
        self._values: ValuesPower | None = None
        self._splicing: Splicing | None = None
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
                On Redis `?` and `[ab]` stand for one byte of UTF-8, on SQLite for one character.
            limit: from 1 to `limits.MAX_PAGE`.
            cursor: a page's `cursor`, to go on after it.
        """
        check_limit(limit)
        check_id(pattern, "the pattern", most=MAX_VALUE_KEY_BYTES)
        glob = _SPECIAL.sub(r"\\\1", self.prefix) + pattern
        keys, following = await self._power().scan_values(glob, limit=limit, cursor=cursor)
        return Page([key.removeprefix(self.prefix) for key in keys], following is not None, following)

    async def get_data(self, key: str) -> bytes | None:
        """Return the bytes of a value as they are stored, None where there is none. One call."""
        return await self._power().get_value(self._name(key))

    async def put_data(
        self, key: str, data: bytes, *, ttl: float | None = None, when: bytes | Any_ | None = ANY
    ) -> tuple[bool, bytes | None]:
        """Set the bytes of a value, if the one stored now is `when` (None: none; ANY: whatever is there). One call.

        Args:
            data: at most `limits.MAX_DATA_BYTES`.
            ttl: seconds until it vanishes; None keeps it for ever.

        Returns:
            whether it was written, and what was stored before.
        """
        ttl_ms = None if ttl is None else ttl_ms_of(ttl)
        return await self._power().put_value(self._name(key), data, ttl_ms=ttl_ms, when=when)

    async def splice(
        self,
        key: str,
        data: bytes,
        *,
        mark: bytes,
        tail: int,
        keep: int = 0,
        head: bytes = b"",
        whole: bool = False,
        ttl: float | Unset | None = UNSET,
        ttl_at: tuple[int, int] | None = None,
    ) -> tuple[bool, bytes | None]:
        """Put `data` where the value's last `tail` bytes stand, or in the place of all of it, if these begin with `mark`.

        One call: so a value grows at its end without being sent or written anew, and is replaced only as it was read.

        Args:
            data: what comes there; with `keep` at least as long as `tail`.
            mark: what these last bytes must begin with.
            tail: from 1 to `splicing.MAX_TAIL_BYTES`.
            keep: how many of the very last bytes stay, after `data`.
            head: what comes in the place of as many bytes at the beginning.
            whole: whether all of it is replaced; then nothing is kept, and there is no head.
            ttl: seconds that it then has left; None for ever; its time is left alone where nothing is given.
            ttl_at: from where to where in these last bytes its milliseconds stand as digits, 0 for ever, instead of `ttl`.

        Returns:
            whether it was done, and the last bytes as they were; None where there is no value.
        """
        if self._splicing is None:
            self._splicing = need_splicing(self._backend)
        ttl_ms = None if isinstance(ttl, Unset) else 0 if ttl is None else ttl_ms_of(ttl)
        return await self._splicing.splice_value(
            self._name(key), data, mark=mark, tail=tail, keep=keep, head=head, whole=whole, ttl_ms=ttl_ms, ttl_at=ttl_at
        )

    async def _put(self, key: str, value: JSON, ttl: float | None, when: Any_ | None) -> bool:
        name = self._name(key)
        data = encode_json(value, "the value")
        ttl_ms = None if ttl is None else ttl_ms_of(ttl)
        return (await self._power().put_value(name, data, ttl_ms=ttl_ms, when=when))[0]

    def _name(self, key: str) -> str:
        return name_of(self.prefix, key, "a value's key")

    def _power(self) -> ValuesPower:
        # Asked once: to see whether an object has a protocol's methods costs as much as half a round trip.
        if self._values is None:
            self._values = need_values(self._backend)
        return self._values


def check_prefix(prefix: str) -> str:
    """Return `prefix`, or raise InvalidError where no key can start with it."""
    if prefix == "":
        return prefix
    return check_id(prefix, "the prefix", most=MAX_VALUE_KEY_BYTES // 2)


def name_of(prefix: str, key: str, what: str) -> str:
    """Return the literal key, checked."""
    check_id(key, what, most=MAX_VALUE_KEY_BYTES)
    return check_id(prefix + key, f"{what} with its prefix", most=MAX_VALUE_KEY_BYTES)
