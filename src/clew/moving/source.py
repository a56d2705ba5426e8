"""A layout whose names are learned by a look at all keys, then read in order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from .looking import Keys
from .names import Names
from .records import Broken, Closing, Found, Row, Tell


class RedisSource(Closing):
    """Keys of a foreign Redis. A layout says what `learn` remembers in `names`, with the owner as the first part of a place, and
    what `open` makes of it.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.names = Names()

    @abstractmethod
    async def learn(self, tell: Tell) -> None:
        """See Source.learn."""

    def count(self) -> int:
        """See Source.count."""
        return self.names.count()

    def rows(self, size: int) -> Iterator[list[Row]]:
        """See Source.rows."""
        for page in self.names.pages(size):
            yield [Row(place[0] or None, place, key) for place, key in page]

    @abstractmethod
    async def open(self, row: Row) -> Found | Broken | None:
        """See Source.open."""

    async def aclose(self) -> None:
        """Close the connections, and remove the temporary file."""
        self.names.close()
        await self.keys.aclose()


def split_key(key: bytes, prefix: bytes) -> str:
    """Return what follows a prefix in a key; UnicodeDecodeError where that is no text."""
    return key.removeprefix(prefix).decode()
