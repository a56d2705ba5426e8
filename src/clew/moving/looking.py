"""What a layout on Redis is read with. Who answers is the Redis backend, by the only module that knows the driver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from importlib import import_module
from typing import Protocol

from ..errors import InvalidError
from ..schemes import SCHEMES, scheme_of

_REDIS = "clew.backends.redis"


class Keys(Protocol):
    """Keys of a foreign Redis, as `clew.backends.redis.looking.Looking` reads them."""

    def keys(self, prefix: bytes, *, count: int = 500) -> AsyncIterator[list[bytes]]: ...

    def fields(self, key: bytes, *, count: int = 500) -> AsyncIterator[list[tuple[bytes, bytes]]]: ...

    def elements_of_set(self, key: bytes, *, count: int = 500) -> AsyncIterator[list[bytes]]: ...

    async def get(self, keys: Sequence[bytes]) -> list[bytes | None]: ...

    async def json(self, keys: Sequence[bytes], *paths: str) -> list[bytes | None]: ...

    async def elements(self, key: bytes, first: int, count: int) -> list[bytes] | None: ...

    async def members(self, key: bytes, *, above: bytes | None = None, limit: int = 500) -> list[tuple[bytes, bytes]]: ...

    async def score(self, key: bytes, member: bytes) -> float | None: ...

    async def exists(self, key: bytes) -> bool: ...

    async def ttl(self, key: bytes) -> int | None: ...

    async def aclose(self) -> None: ...


async def open_keys(url: str) -> Keys:
    """Open a Redis for reading.

    Raises:
        InvalidError, UnavailableError, DeniedError, UnsupportedError: the server cannot be asked.
        MissingExtraError: the extra `redis` is not installed.
    """
    if SCHEMES.get(scheme_of(url)) != _REDIS:
        raise InvalidError("this layout is read from a Redis: give its URL, as redis://HOST:PORT/DB")
    look: Callable[[str], Awaitable[Keys]] = import_module(f"{_REDIS}.looking").look
    return await look(url)


def name_of(key: bytes) -> str:
    """Return a key as it is told to people."""
    return key.decode(errors="replace")
