"""The layout of langchain-redis 0.2's chat message history: a RedisJSON document for each message.

    {prefix}{session}:{message}    {"type", "data", "message_id", "session_id", "timestamp"}

Its messages become items that `ClewChatMessageHistory` reads, with what there is of their fields. The server needs RedisJSON, not
RediSearch.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

import msgspec
from langchain_core.messages import messages_from_dict

from clew import NewItem
from clew.errors import InvalidError
from clew.model import JSON
from clew.moving.looking import Keys, name_of
from clew.moving.names import Names, check_place
from clew.moving.records import Broken, FoundThread, Row, Tell, reason_of
from clew.moving.said import ms_of
from clew.moving.source import RedisSource

from .messages import SAFE, write_message

PREFIX: Final = "chat:"
PIECE: Final = 200
"""Messages in memory at once, for each session under way."""
_PLACE: Final = ("$.session_id", "$.timestamp", "$.message_id")


class LangChainSource(RedisSource):
    """The messages under a prefix, by session."""

    def __init__(self, keys: Keys, prefix: str) -> None:
        super().__init__(keys)
        self._prefix = prefix.encode()

    async def learn(self, tell: Tell) -> None:
        """See Source.learn."""
        async for keys in self.keys.keys(self._prefix):
            rows = []
            for key, told in zip(keys, await self.keys.json(keys, *_PLACE), strict=True):
                try:
                    if told is None:
                        if await self.keys.exists(key):
                            raise InvalidError("the key holds no JSON document")
                        continue
                    places = json.loads(told)
                    session, id = check_place(places[_PLACE[0]][0], places[_PLACE[2]][0])
                    rows.append((session, f"{float(places[_PLACE[1]][0]):024.6f}", id, key))
                except (ValueError, LookupError, TypeError) as error:
                    tell(Broken("item", name_of(key), reason_of(error)))
            self.names.add(rows)

    def count(self) -> int:
        """See Source.count."""
        return self.names.count_firsts()

    def rows(self, size: int) -> Iterator[list[Row]]:
        """See Source.rows: one is a session."""
        for sessions in self.names.firsts(size):
            yield [Row(None, (session, "", ""), self._prefix + session.encode()) for session in sessions]

    async def open(self, row: Row) -> FoundThread | Broken | None:
        """See Source.open."""
        session = row.place[0]
        first = next(iter(self.names.pages(1, first=session)))[0]
        return _Session(self.keys, self.names, session, name_of(row.key), await self.keys.ttl(first[1]))


class _Session(FoundThread):
    """The messages of one session, in the order of their times, then of their ids."""

    __slots__ = ("_keys", "_names")

    def __init__(self, keys: Keys, names: Names, session: str, where: str, ttl_ms: int | None) -> None:
        super().__init__(None, session, where, ttl_ms=ttl_ms)
        self._keys = keys
        self._names = names

    async def items(self, mark: JSON) -> AsyncGenerator[list[NewItem | Broken]]:
        """See FoundThread.items."""
        for page in self._names.pages(PIECE, first=self.id):
            keys = [key for _, key in page]
            made: list[NewItem | Broken] = []
            for (place, key), raw in zip(page, await self._keys.json(keys), strict=True):
                # One that is not there any more has expired since.
                if raw is not None:
                    made.append(self._make(place[2], key, raw))
            yield made

    def _make(self, id: str, key: bytes, raw: bytes) -> NewItem | Broken:
        try:
            told: Any = json.loads(raw)
            message = messages_from_dict([{"type": told["type"], "data": told["data"]}])[0]
            return msgspec.structs.replace(write_message(message, SAFE, id), created_ms=ms_of(told.get("timestamp")))
        except Exception as error:
            # Whatever a stranger's document is: this one is told, and the others are read.
            return Broken("item", name_of(key), reason_of(error), self.id)


def open_source(keys: Keys, prefix: str | None) -> LangChainSource:
    """Open the layout.

    Args:
        prefix: the histories' `key_prefix`, with its colon.
    """
    return LangChainSource(keys, prefix or PREFIX)
