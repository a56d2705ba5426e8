"""What nodes of a graph have computed, kept for other runs and processes: LangGraph's cache on clew's values.

    graph = builder.compile(cache=ClewCache("redis://localhost:6379/0", owner="ada"))

An entry is one value under a literal key of its owner's, with the store's own time to live. It keeps what it is told to and never
guesses: where the store is away, the call fails, and so does the run that asked for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from copy import copy
from hashlib import blake2b
from types import TracebackType
from typing import Final, Generic, TypeVar, cast
from urllib.parse import quote

from langgraph.cache.base import BaseCache, FullKey, Namespace, ValueT
from langgraph.checkpoint.serde.base import SerializerProtocol

from clew import Store
from clew.blocking import Connection
from clew.errors import UnreadableError
from clew.limits import check_data, check_id
from clew.store import Values

T = TypeVar("T")

PREFIX: Final = "clew:cache:"
"""What the keys of all owners begin with."""
AT_ONCE: Final = 500
"""How many keys one step of `clear` looks at."""
MOST_BYTES: Final = 1_000
"""Bytes of a namespace, or of a key, as it stands in the literal key; a digest stands for what is longer."""


class ClewCache(BaseCache[ValueT], Generic[ValueT]):
    """A cache for one owner; another owner's entries cannot be named. Safe to share by all tasks and threads.

    The same owner on the same store has the same entries, in every process. Every method raises `clew.UnavailableError` where the
    store cannot be reached. The synchronous methods work anywhere; in a coroutine they hold up its event loop.
    """

    def __init__(self, store: Store | str, *, owner: str, serde: SerializerProtocol | None = None) -> None:
        """Nothing is opened yet.

        Args:
            store: an open store, which stays the caller's to close, or the URL of one, which is opened at the first call.
            owner: whose entries these are.
            serde: how values are written; LangGraph's own for None. One that encrypts keeps what it writes from the store.

        Raises:
            InvalidError: a bad owner or URL.
        """
        super().__init__(serde=serde)
        self.owner = check_id(owner, "the owner")
        self._connection = Connection(store)
        self._is_copy = False

    def for_owner(self, owner: str) -> ClewCache[ValueT]:
        """Return this cache for another owner, on the same connection, which closing the copy does not close."""
        other = copy(self)
        other.owner, other._is_copy = check_id(owner, "the owner"), True
        return other

    # -- what LangGraph calls -----------------------------------------------------------------------------------------

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        """Return the values of those keys that have one; all are asked for at once.

        Raises:
            UnreadableError: another program wrote what is there.
        """
        names = [(tuple(namespace), key) for namespace, key in keys]
        values = await self._open()
        found = await _together(values.get_data(_name_of(*name)) for name in names)
        return {name: self._load(data) for name, data in zip(names, found, strict=True) if data is not None}

    async def aset(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        """Set values, each with its time to live in seconds; None keeps it for ever, 0 is over at once. All go out together.

        Where it fails, some may have been set.

        Raises:
            InvalidError: a value of more than `limits.MAX_DATA_BYTES` bytes; nothing was written.
        """
        entries = {_name_of(*name): (self._dump(value), ttl) for name, (value, ttl) in pairs.items()}
        for data, _ in entries.values():
            check_data(data, "a value to cache")
        values = await self._open()
        await _together(
            values.delete(name) if ttl is not None and ttl <= 0 else values.put_data(name, data, ttl=ttl)
            for name, (data, ttl) in entries.items()
        )

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Delete every entry of these namespaces, and of no others; of all of them for None. What is set meanwhile may stay.

        The whole store is gone through, a step at a time, and answers others meanwhile.
        """
        values = await self._open()
        heads = None if namespaces is None else {_head_of(namespace) for namespace in namespaces}
        if heads is not None and not heads:
            return
        pattern = "*" if heads is None or len(heads) > 1 else f"{next(iter(heads))}*"
        cursor: str | None = None
        while True:
            page = await values.list(pattern, limit=AT_ONCE, cursor=cursor)
            await _together(values.delete(name) for name in page if heads is None or name[: name.index(":") + 1] in heads)
            cursor = page.cursor
            if cursor is None:
                return

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        """As `aget`, for callers that cannot await."""
        return self._connection.run(self.aget(keys))

    def set(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        """As `aset`, for callers that cannot await."""
        self._connection.run(self.aset(pairs))

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """As `aclear`, for callers that cannot await."""
        self._connection.run(self.aclear(namespaces))

    # -- its life -----------------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Close what was opened here; a store that was given stays open. Later calls raise ClosedError."""
        if not self._is_copy:
            await self._connection.aclose()

    def close(self) -> None:
        """As `aclose`, for callers that cannot await."""
        if not self._is_copy:
            self._connection.close()

    async def __aenter__(self) -> ClewCache[ValueT]:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def __enter__(self) -> ClewCache[ValueT]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # -- how ----------------------------------------------------------------------------------------------------------

    async def _open(self) -> Values:
        return (await self._connection.get()).values(f"{PREFIX}{quote(self.owner, safe='')}:")

    def _dump(self, value: ValueT) -> bytes:
        kind, data = self.serde.dumps_typed(value)
        return kind.encode() + b":" + data

    def _load(self, data: bytes) -> ValueT:
        kind, colon, rest = data.partition(b":")
        if not colon:
            raise UnreadableError("a value of the cache is none that it wrote: another program did; clear the cache")
        value: ValueT = self.serde.loads_typed((kind.decode(errors="replace"), rest))
        return value


def _head_of(namespace: Namespace) -> str:
    """Return what the keys of a namespace begin with, below their owner's prefix, and no others."""
    return _short("".join(f"{_quoted(part)}/" for part in namespace)) + ":"


def _name_of(namespace: Namespace, key: str) -> str:
    return _head_of(namespace) + _short(_quoted(key))


def _quoted(text: str) -> str:
    # Half of a character is no Unicode, and a key of LangGraph's may have it.
    return quote(text, safe="", errors="surrogatepass")


def _short(text: str) -> str:
    return text if len(text) <= MOST_BYTES else f"={blake2b(text.encode(), digest_size=32).hexdigest()}"


async def _together(works: Iterable[Awaitable[T]]) -> list[T]:
    """Return what each gives, in order; the first error once none is under way any more."""
    done = await asyncio.gather(*works, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException):
            raise each
    return cast(list[T], done)
