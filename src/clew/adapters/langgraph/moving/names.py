"""Names in order, of any number: they wait in a temporary file of SQLite's own, since SCAN and HSCAN know no order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from ....errors import InvalidError

Place = tuple[str, str, str]
"""Thread, namespace, and id of a checkpoint; empty where none is meant."""


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
        columns = "thread, ns, id, key BLOB, PRIMARY KEY (thread, ns, id, key)"
        self._file.execute(f"CREATE TABLE names ({columns}) WITHOUT ROWID")

    def add(self, rows: Iterable[tuple[str, str, str, bytes]]) -> None:
        """Remember keys: thread, namespace, id, key."""
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR IGNORE INTO names VALUES (?, ?, ?, ?)", rows)
        self._file.execute("COMMIT")

    def pages(self, size: int) -> Iterator[list[tuple[Place, bytes]]]:
        """Yield all, `size` at a time, in the order of threads, namespaces and ids."""
        last: Sequence[str | bytes] = ("", "", "", b"")
        query = "SELECT * FROM names WHERE (thread, ns, id, key) > (?, ?, ?, ?) ORDER BY thread, ns, id, key LIMIT ?"
        while page := self._file.execute(query, (*last, size)).fetchall():
            yield [(row[:3], row[3]) for row in page]
            last = page[-1]

    def of(self, place: Place) -> list[bytes]:
        """Return the keys of one place."""
        return [row[0] for row in self._file.execute("SELECT key FROM names WHERE (thread, ns, id) = (?, ?, ?)", place)]

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
