"""A direct client for keys that other programs read too: JSON documents, sets and lists, on Redis, Valkey or the embedded engine.

    redis = get_redis()
    await redis.set("session:1", {"name": "Plans"})

Keys are literal and nothing is added to what is stored. What goes in as bytes comes out as the same bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from types import TracebackType
from typing import Final, Literal, TypeAlias, TypeVar, overload

import msgspec

from .backend import Collecting, Values
from .errors import ClosedError, DeniedError, InvalidError, MissingExtraError, UnavailableError, UnreadableError
from .model import JSON
from .settings import Settings, mask_url
from .store import Store, connect
from .store.checks import encode_json, need_collecting, need_values, ttl_ms_of

__all__ = ["KeyValue", "get_redis"]

T = TypeVar("T")
Text: TypeAlias = str | bytes
"""A member of a set or an element of a list, as it goes in."""
_Texts: TypeAlias = set[str]
_Datas: TypeAlias = set[bytes]
"""Named here: inside the class, `set` is a verb."""

_NO_LOGIN: Final = (
    "NOAUTH",
    "authentication required",
    "WRONGPASS",
    "invalid username-password",
    "without any password configured",
)
_REFUSED: Final = ("refused", "connect call failed")


class KeyValue:
    """The client. Made by `get_redis`; opened at its first call; safe to share by all tasks of a program.

    On Redis the calls of all tasks go out over a few connections, many in one trip; lost connections are opened again.

    Every verb raises UnavailableError where the store cannot be reached (a change may or may not have happened), DeniedError
    where it refuses the user, FullError, InvalidError where the key holds another kind of thing, and MissingExtraError, each
    with a sentence that says what to do.
    """

    def __init__(self, url: str | None = None) -> None:
        """Nothing is opened yet.

        Args:
            url: the store; None for the one the environment, or a file `.env`, names when it is opened.
        """
        self._url = url
        self._shown = "the store" if url is None else mask_url(url)
        self._source = "the URL" if url is not None else "REDIS_URL"
        self._store: Store | None = None
        self._values: Values | None = None
        self._collecting: Collecting | None = None
        self._opening: tuple[asyncio.AbstractEventLoop, asyncio.Task[Store]] | None = None
        self._closed = False

    # -- documents ----------------------------------------------------------------------------------------------------

    async def set(self, key: str, value: JSON, ex: float | None = None) -> bool:
        """Set a document, whatever value is there, and return True.

        Args:
            value: JSON, which is written as JSON, a string too; or bytes, which are stored as they are.
            ex: seconds until it vanishes; None keeps it for ever.
        """
        data = value if isinstance(value, bytes) else encode_json(value, "the value")
        ttl_ms = None if ex is None else ttl_ms_of(ex)
        await self._do((await self._documents()).put_value(key, data, ttl_ms=ttl_ms))
        return True

    async def get(self, key: str, *, raw: bool = False) -> JSON:
        """Return the document, None where there is none.

        Args:
            raw: return the bytes as they are stored, and do not read them as JSON.

        Raises:
            UnreadableError: what is stored is not JSON, as text that another program wrote plainly.
        """
        data = await self._do((await self._documents()).get_value(key))
        if data is None or raw:
            return data
        try:
            return msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise UnreadableError(f"the value under {key!r} is not JSON ({e}): read its bytes with get(key, raw=True)") from e

    # -- sets ---------------------------------------------------------------------------------------------------------

    async def sadd(self, key: str, *members: Text) -> int:
        """Add text or bytes to a set, and return how many were new to it."""
        data = _encode(members, "a member of a set")
        return await self._do((await self._collections()).add_members(key, data))

    async def srem(self, key: str, *members: Text) -> int:
        """Take out of a set, and return how many were in it. A set that is empty is not there any more."""
        data = _encode(members, "a member of a set")
        return await self._do((await self._collections()).remove_members(key, data))

    @overload
    async def smembers(self, key: str) -> _Texts: ...
    @overload
    async def smembers(self, key: str, *, raw: Literal[True]) -> _Datas: ...
    async def smembers(self, key: str, *, raw: bool = False) -> _Texts | _Datas:
        """Return a whole set, as text; as bytes with `raw`. One that is not there is empty.

        Raises:
            UnreadableError: a member is not UTF-8.
        """
        found = await self._do((await self._collections()).get_members(key))
        return _Datas(found) if raw else _Texts(_decode(found, key))

    # -- lists --------------------------------------------------------------------------------------------------------

    async def rpush(self, key: str, *values: Text) -> int:
        """Add text (JSON as `json.dumps` gives it) or bytes to the end of a list, all or none, and return its length."""
        data = _encode(values, "an element of a list")
        return await self._do((await self._collections()).push_elements(key, data))

    @overload
    async def lrange(self, key: str, start: int = 0, stop: int = -1) -> list[str]: ...
    @overload
    async def lrange(self, key: str, start: int = 0, stop: int = -1, *, raw: Literal[True]) -> list[bytes]: ...
    async def lrange(self, key: str, start: int = 0, stop: int = -1, *, raw: bool = False) -> list[str] | list[bytes]:
        """Return the elements from `start` to `stop`, both included, as text; as bytes with `raw`. -1 is the last one.

        Raises:
            UnreadableError: an element is not UTF-8.
        """
        found = await self._do((await self._collections()).get_elements(key, start, stop))
        return list(found) if raw else _decode(found, key)

    async def llen(self, key: str) -> int:
        """Return a list's length, 0 where there is none."""
        return await self._do((await self._collections()).count_elements(key))

    # -- whole keys ---------------------------------------------------------------------------------------------------

    async def delete(self, *keys: str) -> int:
        """Delete documents, sets and lists, each by itself, and return how many were there."""
        if not keys:
            raise InvalidError("delete needs a key: name at least one")
        power = await self._collections()
        return sum(await self._do(_all([power.delete_key(key) for key in keys])))

    async def expire(self, key: str, seconds: float | None) -> bool:
        """Let a document, set or list vanish after so many seconds, or stay for None; tell whether there is one."""
        ttl_ms = None if seconds is None else ttl_ms_of(seconds)
        return await self._do((await self._collections()).expire_key(key, ttl_ms))

    # -- the connection -----------------------------------------------------------------------------------------------

    async def ping(self) -> bool:
        """Return True when the store has answered; raise what is wrong with it otherwise."""
        await self._do((await self._open()).ping())
        return True

    async def close(self) -> None:
        """Finish what was sent, and close the connections. Later calls raise ClosedError; `get_redis` gives a new client."""
        self._closed = True
        for url in [url for url, client in _clients.items() if client is self]:
            del _clients[url]
        if self._opening is not None and self._opening[0] is asyncio.get_running_loop():
            await asyncio.wait([self._opening[1]])
        store, self._store = self._store, None
        if store is not None:
            await store.aclose()

    async def __aenter__(self) -> KeyValue:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def _open(self) -> Store:
        if self._closed:
            raise ClosedError("this client was closed: call get_redis() for another one")
        if self._store is None:
            loop = asyncio.get_running_loop()
            if self._opening is None or self._opening[0] is not loop:
                self._opening = loop, loop.create_task(self._connect())
            task = self._opening[1]
            try:
                # Shielded: of several callers who wait for one opening, one may be cancelled.
                return await self._do(asyncio.shield(task))
            finally:
                if task.done() and self._opening is not None and self._opening[1] is task:
                    self._opening = None
        return self._store

    async def _documents(self) -> Values:
        store = await self._open()
        # Looked at once: it costs as much as a good part of a round trip.
        if self._values is None:
            self._values = need_values(store.backend)
        return self._values

    async def _collections(self) -> Collecting:
        store = await self._open()
        if self._collecting is None:
            self._collecting = need_collecting(store.backend)
        return self._collecting

    async def _connect(self) -> Store:
        url = self._url
        if url is None:
            settings = Settings.from_env()
            settings.make_folder()
            url, self._shown, self._source = settings.url, mask_url(settings.url), settings.source
        store = await connect(url)
        if self._store is not None or self._closed:
            # Another event loop was quicker, or it was closed meanwhile.
            await store.aclose()
            if self._store is None:
                raise ClosedError("this client was closed: call get_redis() for another one")
        else:
            self._store = store
        return self._store

    async def _do(self, verb: Awaitable[T]) -> T:
        """Await a verb, and say of what commonly goes wrong what a person can do about it."""
        try:
            return await verb
        except MissingExtraError as e:
            raise MissingExtraError("redis-py not installed: a Redis or Valkey store", e.extra) from e
        except DeniedError as e:
            if not any(word.lower() in str(e).lower() for word in _NO_LOGIN):
                raise
            raise DeniedError(
                f"NOAUTH Authentication required: {self._shown} refused the user or the password, or was given none: write them "
                f"in {self._source} as redis://[username]:[password]@[host]:[port] ({e})"
            ) from e
        except UnavailableError as e:
            if not any(word in str(e).lower() for word in _REFUSED):
                raise
            raise UnavailableError(
                f"Connection refused: nothing answers at {self._shown}: see that the server is running, and that {self._source} "
                f"(in the environment or in .env) names it; `clew doctor` tries it ({e})"
            ) from e


def get_redis(url: str | None = None) -> KeyValue:
    """Return the program's client for a store, made at the first call and opened at its first verb.

    Args:
        url: as for `clew.connect`; None for CLEW_URL or REDIS_URL of the environment, or of a file `.env`; without these, the
            embedded file in the user's data folder.
    """
    client = _clients.get(url)
    if client is None:
        client = _clients[url] = KeyValue(url)
    return client


_clients: Final[dict[str | None, KeyValue]] = {}


async def _all(verbs: Iterable[Awaitable[bool]]) -> list[bool]:
    return await asyncio.gather(*verbs)


def _encode(values: tuple[Text, ...], what: str) -> list[bytes]:
    found = []
    for value in values:
        if isinstance(value, bytes):
            found.append(value)
            continue
        if not isinstance(value, str):
            raise InvalidError(f"{what} is text or bytes, not {type(value).__name__}: pass json.dumps(value)")
        try:
            found.append(value.encode())
        except UnicodeEncodeError as e:
            raise InvalidError(f"{what} holds a lone surrogate, which is not valid Unicode") from e
    return found


def _decode(found: Iterable[bytes], key: str) -> list[str]:
    try:
        return [data.decode() for data in found]
    except UnicodeDecodeError as e:
        raise UnreadableError(f"what is under {key!r} is not text: read its bytes with raw=True") from e
