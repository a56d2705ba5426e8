"""The layout of codecoder's conversation store, whose keys clew's routing has too, to the letter.

    {prefix}conv:{conversation}          session id
    {prefix}autonomous:{conversation}    JSON

To move it is to copy it to another store. There, and in the store that it is in already, each route is noted in the index
`{prefix}session:{session}`, by which clew tells which conversations lead to a session.
"""

from __future__ import annotations

from typing import Final

from ..looking import Keys, name_of
from ..records import Broken, FoundRoute, FoundValue, Row, Tell, reason_of
from ..source import RedisSource, split_key
from .flywheel import open_value

PREFIX: Final = "codecoder:"


class CodecoderSource(RedisSource):
    """The routes under a prefix."""

    def __init__(self, keys: Keys, prefix: str) -> None:
        super().__init__(keys)
        self._prefix = prefix.removesuffix("conv:")
        self._routes = f"{self._prefix}conv:".encode()
        self._values = f"{self._prefix}autonomous:".encode()

    async def learn(self, tell: Tell) -> None:
        """See Source.learn."""
        async for keys in self.keys.keys(self._prefix.encode()):
            self.names.add(("", "", "", key) for key in keys if key.startswith((self._routes, self._values)))

    async def open(self, row: Row) -> FoundRoute | FoundValue | Broken | None:
        """See Source.open."""
        if row.key.startswith(self._values):
            return await open_value(self.keys, row.key)
        (session,), ttl_ms = await self.keys.get([row.key]), await self.keys.ttl(row.key)
        if session is None:
            there = await self.keys.exists(row.key)
            return Broken("route", name_of(row.key), "the key holds another type") if there else None
        try:
            conversation = split_key(row.key, self._routes)
            return FoundRoute(self._routes.decode(), f"{self._prefix}session:", conversation, session.decode(), ttl_ms)
        except UnicodeDecodeError as error:
            return Broken("route", name_of(row.key), reason_of(error))


def open_source(keys: Keys, prefix: str | None) -> CodecoderSource:
    """Open the layout.

    Args:
        prefix: the `key_prefix`, with its colon.
    """
    return CodecoderSource(keys, prefix or PREFIX)
