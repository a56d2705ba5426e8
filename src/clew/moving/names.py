"""Names in order, of any number: they wait in a temporary file of SQLite's own, since SCAN and HSCAN know no order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from ..errors import InvalidError

Place = tuple[str, str, str]
"""What a key is of, in the three parts that a layout orders by; empty where none is meant."""


def check_place(*parts: object) -> list[str]:
    """Return the parts of a place, or raise InvalidError where one is no text."""
    if not all(isinstance(part, str) for part in parts):
        raise InvalidError("its thread, namespace or id is no text")
    texts = [str(part) for part in parts]
    "".join(texts).encode()  # A lone surrogate, which JSON may hold, is refused by this, as a ValueError.
    return texts


class Names:
    """Keys of a foreign database by what they are of. Each is remembered once."""

    def __init__(self) -> None:
        # An empty name is a file that is gone when it is closed.
        self._file = sqlite3.connect("", isolation_level=None)
        columns = "first, second, third, key BLOB, PRIMARY KEY (first, second, third, key)"
        self._file.execute(f"CREATE TABLE names ({columns}) WITHOUT ROWID")

    def add(self, rows: Iterable[tuple[str, str, str, bytes]]) -> None:
        """Remember keys: the three parts of each one's place, and the key."""
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR IGNORE INTO names VALUES (?, ?, ?, ?)", rows)
        self._file.execute("COMMIT")

    def pages(self, size: int, *, first: str | None = None) -> Iterator[list[tuple[Place, bytes]]]:
        """Yield all, `size` at a time, in order; only those with this first part, where one is given."""
        last: Sequence[str | bytes] = ("" if first is None else first, "", "", b"")
        only = "" if first is None else "first = ? AND"
        given = () if first is None else (first,)
        query = (
            f"SELECT * FROM names WHERE {only} (first, second, third, key) > (?, ?, ?, ?) "
            "ORDER BY first, second, third, key LIMIT ?"
        )
        while page := self._file.execute(query, (*given, *last, size)).fetchall():
            yield [(row[:3], row[3]) for row in page]
            last = page[-1]

    def firsts(self, size: int) -> Iterator[list[str]]:
        """Yield the first parts, each once, `size` at a time, in order."""
        last = ""
        while page := self._file.execute("SELECT DISTINCT first FROM names WHERE first > ? ORDER BY first LIMIT ?", (last, size)):
            found = [str(row[0]) for row in page.fetchall()]
            if not found:
                return
            yield found
            last = found[-1]

    def of(self, place: Place) -> list[bytes]:
        """Return the keys of one place."""
        return [row[0] for row in self._file.execute("SELECT key FROM names WHERE (first, second, third) = (?, ?, ?)", place)]

    def has(self, first: str) -> bool:
        """Tell whether some key has this first part."""
        return self._file.execute("SELECT 1 FROM names WHERE first = ? LIMIT 1", (first,)).fetchone() is not None

    def count(self) -> int:
        """Return how many keys are remembered."""
        return int(self._file.execute("SELECT count(*) FROM names").fetchone()[0])

    def count_firsts(self) -> int:
        """Return how many first parts there are."""
        return int(self._file.execute("SELECT count(DISTINCT first) FROM names").fetchone()[0])

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
