"""Literal values behind a coding, for those who have no other program that reads them."""

from __future__ import annotations

from collections.abc import Sequence

from ..backend import Backend, Values
from ..errors import UnreadableError
from ..limits import check_data, check_value_key
from ..records import ANY, Any_
from .coding import Coding
from .places import of_value

_ATTEMPTS = 8


class CodedValues:
    """Implements Values around a backend that has it."""

    def __init__(self, inner: Backend, coding: Coding) -> None:
        self._backend = inner
        self._coding = coding

    @property
    def _inner(self) -> Values:
        assert isinstance(self._backend, Values)
        return self._backend

    async def get_value(self, key: str, *, touch_ms: int | None = None) -> bytes | None:
        """See Values.get_value."""
        return self._decode(key, await self._inner.get_value(key, touch_ms=touch_ms))

    async def put_value(
        self, key: str, data: bytes | None, *, ttl_ms: int | None = None, when: bytes | Any_ | None = ANY
    ) -> tuple[bool, bytes | None]:
        """See Values.put_value."""
        place = of_value(check_value_key(key))
        sent = None
        if data is not None:
            check_data(data, "a value")
            sent = self._coding.encode(place, data)
        if not isinstance(when, bytes):
            done, before = await self._inner.put_value(key, sent, ttl_ms=ttl_ms, when=when)
            return done, self._decode_before(key, before, done)
        expected = self._coding.encode(place, when)
        for _ in range(_ATTEMPTS):
            done, before = await self._inner.put_value(key, sent, ttl_ms=ttl_ms, when=expected)
            found = self._decode_before(key, before, done)
            if done or before is None or before == expected or found != when:
                break
            # The same data, as an older key or none stored it.
            expected = before
        return done, found

    async def value_ttl(self, key: str) -> int | None:
        """See Values.value_ttl."""
        return await self._inner.value_ttl(key)

    async def scan_values(self, pattern: str, *, limit: int = 100, cursor: str | None = None) -> tuple[Sequence[str], str | None]:
        """See Values.scan_values."""
        return await self._inner.scan_values(pattern, limit=limit, cursor=cursor)

    def _decode(self, key: str, stored: bytes | None) -> bytes | None:
        if stored is None:
            return None
        try:
            return self._coding.decode(of_value(key), stored)
        except UnreadableError as e:
            raise UnreadableError(f"the value {key!r} cannot be read: {e}") from e

    def _decode_before(self, key: str, stored: bytes | None, done: bool) -> bytes | None:
        try:
            return self._decode(key, stored)
        except UnreadableError:
            if not done:
                raise
            # It was written: an error would say that it was not. What stood there is told as it was stored.
            return stored
