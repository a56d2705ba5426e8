"""The layout of Lab 11: `{prefix}:{thread}`, a list of message JSON, where the thread is `thread_<uuid>`."""

from __future__ import annotations

from typing import Final

from clew.moving.looking import Keys, name_of
from clew.moving.records import Broken, FoundThread, Row, Tell, reason_of
from clew.moving.source import RedisSource, split_key

from .records import open_list

PREFIX: Final = "lab11"


class Lab11Source(RedisSource):
    """The threads under a prefix."""

    def __init__(self, keys: Keys, prefix: str) -> None:
        super().__init__(keys)
        self._prefix = f"{prefix}:".encode()

    async def learn(self, tell: Tell) -> None:
        """See Source.learn."""
        async for keys in self.keys.keys(self._prefix):
            rows = []
            for key in keys:
                try:
                    rows.append(("", split_key(key, self._prefix), "", key))
                except UnicodeDecodeError as error:
                    tell(Broken("thread", name_of(key), reason_of(error)))
            self.names.add(rows)

    async def open(self, row: Row) -> FoundThread | Broken | None:
        """See Source.open."""
        return await open_list(self.keys, row.key, row.place[1])


def open_source(keys: Keys, prefix: str | None) -> Lab11Source:
    """Open the layout.

    Args:
        prefix: the lab's key prefix, without its colon.
    """
    return Lab11Source(keys, prefix or PREFIX)
