"""The layout of Merak's store for ChatKit, read into threads that `ChatKitStore` goes on with.

    chatkit:user:{user}:thread:{thread}:metadata      JSON
    chatkit:user:{user}:thread:{thread}:items         list of item ids
    chatkit:user:{user}:thread:{thread}:item:{id}     JSON
    chatkit:user:{user}:threads:index                 sorted set of thread ids by when they were made

Users, threads and ids are percent-encoded. Each user's threads become that user's, in the order in which they were made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

import msgspec

from clew import NewItem
from clew.errors import InvalidError
from clew.moving.lists import FoundList
from clew.moving.looking import Keys, name_of
from clew.moving.records import Broken, FoundThread, Row, Tell, fit_title, reason_of
from clew.moving.source import RedisSource

from .items import keep_item
from .threads import Fields, find_edit

PREFIX: Final = "chatkit"
_METADATA: Final = b":metadata"
_THREAD: Final = b":thread:"


class MerakSource(RedisSource):
    """The threads of all users."""

    def __init__(self, keys: Keys, prefix: str) -> None:
        super().__init__(keys)
        self._prefix = f"{prefix}:user:".encode()

    async def learn(self, tell: Tell) -> None:
        """See Source.learn."""
        async for keys in self.keys.keys(self._prefix):
            found = []
            for key in keys:
                user, thread, rest = key.removeprefix(self._prefix).partition(_THREAD)
                if not thread or not rest.endswith(_METADATA) or rest.count(b":") != 1:
                    continue
                try:
                    found.append((user, _text(user), _text(rest.removesuffix(_METADATA)), key))
                except UnicodeDecodeError as error:
                    tell(Broken("thread", name_of(key), reason_of(error)))
            times = await asyncio.gather(*(self._when(user, id) for user, _, id, _ in found))
            self.names.add((owner, when, id, key) for (_, owner, id, key), when in zip(found, times, strict=True))

    async def _when(self, user: bytes, id: str) -> str:
        """Return what orders a thread among the user's: its score in the index; what is not in it comes last."""
        score = await self.keys.score(self._prefix + user + b":threads:index", id.encode())
        return "~" if score is None else f"{max(score, 0.0):024.6f}"

    async def open(self, row: Row) -> FoundThread | Broken | None:
        """See Source.open."""
        id, where = row.place[2], name_of(row.key)
        (raw,) = await self.keys.get([row.key])
        if raw is None:
            return Broken("thread", where, "the key holds another type", id) if await self.keys.exists(row.key) else None
        try:
            told: Any = msgspec.json.decode(raw)
            if not isinstance(told, dict) or not isinstance(told.get("metadata") or {}, dict):
                raise InvalidError("it is no thread of ChatKit")
            rest = {name: value for name, value in told.items() if name not in ("id", "title", "metadata", "items")}
            edit = find_edit(Fields(fit_title(told.get("title")), told.get("metadata") or {}, rest), None)
        except (ValueError, RecursionError) as error:
            return Broken("thread", where, reason_of(error), id)
        return _Thread(
            self.keys,
            row.key.removesuffix(_METADATA),
            where,
            owner=row.owner,
            id=id,
            title=next(iter(edit.titles), None),
            metadata=edit.metadata,
            notes={name: value for name, value in edit.notes.items() if value is not None},
        )


class _Thread(FoundList):
    """The items whose ids are in a thread's list."""

    __slots__ = ("_base",)

    def __init__(self, keys: Keys, base: bytes, where: str, **known: Any) -> None:
        super().__init__(keys, base + b":items", keep_item, **known)
        self.where = where
        self._base = base

    async def make(self, elements: Sequence[bytes], place: int, seen: set[str]) -> list[NewItem | Broken]:
        """Return the items with these ids."""
        names = [self._base + b":item:" + quote(id, safe="").encode() for id in elements]
        made: list[NewItem | Broken] = []
        for name, data in zip(names, await self._keys.get(names), strict=True):
            try:
                if data is None:
                    raise InvalidError("the key has expired, was deleted, or holds another type")
                made.append(keep_item(data))
            except (ValueError, RecursionError) as error:
                made.append(Broken("item", name_of(name), reason_of(error), self.id))
        return made


def _text(quoted: bytes) -> str:
    return unquote_to_bytes(quoted).decode()


def open_source(keys: Keys, prefix: str | None) -> MerakSource:
    """Open the layout.

    Args:
        prefix: what stands before `:user:`.
    """
    return MerakSource(keys, prefix or PREFIX)
