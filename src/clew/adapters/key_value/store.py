"""The store: every method of py-key-value's protocols, on clew's values.

An entry is one JSON value under a literal key of its owner's, with the store's own time to live. What is done to several entries
goes out together, and is not one atomic step: the protocol asks for none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence
from typing import Any, Final, SupportsFloat, TypeVar

import msgspec

import clew
from clew import Store
from clew.limits import check_data, check_json, check_ttl

from .failures import BadTTLError, BadValueError, CorruptError, telling
from .names import collection_of, head_of, key_of, pattern_of, prefix_of

T = TypeVar("T")

DEFAULT_COLLECTION: Final = "default_collection"
"""The collection of whoever names none, as every store of py-key-value has it."""
AT_ONCE: Final = 500
"""How many entries of one call are under way together, and how many keys one step of a scan looks at."""


class KeyValueStore:
    """An `AsyncKeyValue` store for one owner; another owner's entries cannot be named. Safe to share by all tasks.

    The same owner on the same store has the same entries, in every worker. Every method raises StoreAwayError where the store
    cannot be reached, and BadKeyError; those that read raise CorruptError.
    """

    def __init__(self, store: Store, *, owner: str, default_collection: str = DEFAULT_COLLECTION) -> None:
        """Stand on an open store, which stays the caller's to close.

        Args:
            owner: whose entries these are, as the server's name; all its workers give the same.
            default_collection: the collection of calls that name none.
        """
        self._values = store.values(prefix_of(owner))
        self._default = default_collection
        head_of(default_collection)

    # -- one entry ----------------------------------------------------------------------------------------------------

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Return a value, None where there is none or its time is over."""
        return await self._get(self._key(key, collection))

    async def ttl(self, key: str, *, collection: str | None = None) -> tuple[dict[str, Any] | None, float | None]:
        """Return a value with the seconds it has left: None where it stays for ever, `(None, None)` where there is none."""
        return await self._ttl(self._key(key, collection))

    async def put(
        self, key: str, value: Mapping[str, Any], *, collection: str | None = None, ttl: SupportsFloat | None = None
    ) -> None:
        """Set a value, whatever is there.

        Args:
            value: a JSON object, of at most `limits.MAX_DATA_BYTES` bytes.
            ttl: seconds until it vanishes; None keeps it for ever.

        Raises:
            BadValueError, BadTTLError: nothing was written.
        """
        await self._put(self._key(key, collection), _encode(value), _seconds_of(ttl))

    async def put_if_absent(
        self, key: str, value: Mapping[str, Any], *, collection: str | None = None, ttl: SupportsFloat | None = None
    ) -> bool:
        """Set a value where there is none, and tell whether it was set: of many callers, for one."""
        name, data, seconds = self._key(key, collection), _encode(value), _seconds_of(ttl)
        with telling():
            return (await self._values.put_data(name, data, ttl=seconds, when=None))[0]

    async def delete(self, key: str, *, collection: str | None = None) -> bool:
        """Delete a value, and tell whether it was there."""
        return await self._delete(self._key(key, collection))

    # -- several ------------------------------------------------------------------------------------------------------

    async def get_many(self, keys: Sequence[str], *, collection: str | None = None) -> list[dict[str, Any] | None]:
        """Return the values of some keys, in their order."""
        return await _together(self._get(name) for name in self._keys(keys, collection))

    async def ttl_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[tuple[dict[str, Any] | None, float | None]]:
        """Return the values of some keys with the seconds they have left, in their order."""
        return await _together(self._ttl(name) for name in self._keys(keys, collection))

    async def put_many(
        self,
        keys: Sequence[str],
        values: Sequence[Mapping[str, Any]],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Set the values of some keys, all with one time to live. Where it fails, some may have been set.

        Raises:
            BadValueError, BadTTLError: nothing was written; also where there are not as many values as keys.
        """
        if len(keys) != len(values):
            raise BadValueError(f"there are {len(keys):,} keys and {len(values):,} values: give one value for each key")
        # The last value of a key that is named twice is the one that stays, as if they were put one after the other.
        new = {name: _encode(value) for name, value in zip(self._keys(keys, collection), values, strict=True)}
        seconds = _seconds_of(ttl)
        await _together(self._put(name, data, seconds) for name, data in new.items())

    async def delete_many(self, keys: Sequence[str], *, collection: str | None = None) -> int:
        """Delete the values of some keys, and return how many were there."""
        return await self._delete_all(self._keys(keys, collection))

    # -- what is there ------------------------------------------------------------------------------------------------

    async def keys(self, collection: str | None = None, *, limit: int | None = None) -> list[str]:
        """Return the keys of a collection, in no order: at most `limit`, all of them for None.

        The whole store is gone through, a step at a time: it is for people and for cleaning up, not for every request.
        """
        where = collection or self._default
        head, found = len(head_of(where)), dict[str, None]()
        async for name in self._scan(pattern_of(where)):
            if limit is not None and len(found) >= limit:
                break
            found[name[head:]] = None
        return list(found)

    async def collections(self, *, limit: int | None = None) -> list[str]:
        """Return the collections that have an entry, in no order: at most `limit`, all of them for None. As slow as `keys`."""
        found = dict[str, None]()
        async for name in self._scan("*"):
            if limit is not None and len(found) >= limit:
                break
            found[collection_of(name)] = None
        return list(found)

    async def destroy_collection(self, collection: str) -> bool:
        """Delete every entry of a collection, and tell whether there was one. What is put meanwhile may stay."""
        return await self._destroy(pattern_of(collection)) > 0

    async def destroy(self) -> bool:
        """Delete every entry of this owner, and no others, and return True. What is put meanwhile may stay."""
        await self._destroy("*")
        return True

    async def cull(self) -> None:
        """Do nothing: the store itself removes what has expired, and no call returns it."""

    # -- how ----------------------------------------------------------------------------------------------------------

    def _key(self, key: str, collection: str | None) -> str:
        return key_of(self._values.prefix, collection or self._default, key)

    def _keys(self, keys: Sequence[str], collection: str | None) -> list[str]:
        return [self._key(key, collection) for key in keys]

    async def _get(self, name: str) -> dict[str, Any] | None:
        return (await self._read(name, ttl=False))[0]

    async def _ttl(self, name: str) -> tuple[dict[str, Any] | None, float | None]:
        return await self._read(name, ttl=True)

    async def _read(self, name: str, *, ttl: bool) -> tuple[dict[str, Any] | None, float | None]:
        with telling():
            found = await self._values.get(name, ttl=ttl)
        if found is None:
            return None, None
        if not isinstance(found.value, dict):
            raise CorruptError(f"the value under {self._values.prefix + name!r} is JSON, but no object: another program wrote it")
        return found.value, None if found.ttl_ms is None else found.ttl_ms / 1000

    async def _put(self, name: str, data: bytes, seconds: float | None) -> None:
        with telling():
            await self._values.put_data(name, data, ttl=seconds)

    async def _delete(self, name: str) -> bool:
        with telling():
            return await self._values.delete(name)

    async def _delete_all(self, names: Iterable[str]) -> int:
        return sum(await _together(self._delete(name) for name in dict.fromkeys(names)))

    async def _destroy(self, pattern: str) -> int:
        count, names = 0, list[str]()
        async for name in self._scan(pattern):
            names.append(name)
            if len(names) == AT_ONCE:
                count += await self._delete_all(names)
                names.clear()
        return count + await self._delete_all(names)

    async def _scan(self, pattern: str) -> AsyncGenerator[str]:
        cursor: str | None = None
        while True:
            with telling():
                page = await self._values.list(pattern, limit=AT_ONCE, cursor=cursor)
            for name in page:
                yield name
            cursor = page.cursor
            if cursor is None:
                return


async def _together(works: Iterable[Awaitable[T]]) -> list[T]:
    """Return what each gives, in order; the first error once none is under way any more."""
    found: list[T] = []
    waiting = list(works)
    for start in range(0, len(waiting), AT_ONCE):
        done = await asyncio.gather(*waiting[start : start + AT_ONCE], return_exceptions=True)
        for each in done:
            if isinstance(each, BaseException):
                _forget(waiting[start + AT_ONCE :])
                raise each
            found.append(each)
    return found


def _forget(works: Iterable[Awaitable[Any]]) -> None:
    for work in works:
        if asyncio.iscoroutine(work):
            work.close()


def _encode(value: Mapping[str, Any]) -> bytes:
    if not isinstance(value, Mapping):
        raise BadValueError(f"a value must be a JSON object, as a dict, not {type(value).__name__}")
    try:
        check_json(dict(value), "the value")
        data = msgspec.json.encode(dict(value))
        check_data(data, "the value")
    except clew.InvalidError as e:
        raise BadValueError(str(e)) from e
    return data


def _seconds_of(ttl: SupportsFloat | None) -> float | None:
    if ttl is None:
        return None
    if isinstance(ttl, bool | str) or not isinstance(ttl, SupportsFloat):
        raise BadTTLError(f"a time to live is a number of seconds, not {type(ttl).__name__}; None means for ever")
    seconds = float(ttl)
    try:
        check_ttl(round(seconds * 1000))
    except (clew.InvalidError, ValueError, OverflowError) as e:
        raise BadTTLError(f"a time to live is a number of seconds, from 0.001 to 100 years, not {seconds!r}") from e
    return max(seconds, 0.001)
