"""The layout of langgraph-checkpoint-sqlite 3: two tables, `checkpoints` and `writes`, all values of a checkpoint in one row.

The file is opened for reading only, and read in short transactions, so that a program that writes to it is not held up.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from langgraph.checkpoint.serde.base import SerializerProtocol

from ....errors import DeniedError, InvalidError, UnavailableError, UnreadableError
from .records import Broken, Closing, Found, FoundWrite, reason_of
from .values import load

PAGE: Final = 8
"""Checkpoints in memory at once."""

_PAGE: Final = """
    SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata FROM checkpoints
    WHERE typeof(thread_id) = 'text' AND typeof(checkpoint_ns) = 'text' AND typeof(checkpoint_id) = 'text'
      AND (thread_id, checkpoint_ns, checkpoint_id) > (CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT))
    ORDER BY thread_id, checkpoint_ns, checkpoint_id LIMIT ?
"""
_ODD: Final = """
    SELECT count(*) FROM checkpoints
    WHERE typeof(thread_id) != 'text' OR typeof(checkpoint_ns) != 'text' OR typeof(checkpoint_id) != 'text'
"""
_WRITES: Final = """
    SELECT {path}, task_id, idx, channel, type, value FROM writes
    WHERE thread_id = CAST(? AS TEXT) AND checkpoint_ns = CAST(? AS TEXT) AND checkpoint_id = CAST(? AS TEXT)
"""

_Row = tuple[bytes, bytes, bytes, Any, Any, Any, Any]
"""A row of `checkpoints`; SQLite holds any column to no type."""


class SqliteSource(Closing):
    """A file of langgraph-checkpoint-sqlite."""

    def __init__(self, connection: sqlite3.Connection, name: str, serde: SerializerProtocol, *, has_path: bool) -> None:
        self._connection = connection
        self._name = name
        self._serde = serde
        self._writes = _WRITES.format(path="task_path" if has_path else "''")

    async def read(self) -> AsyncIterator[Found | Broken]:
        """See Source.read."""
        odd = (await self._ask(lambda: self._connection.execute(_ODD).fetchone()))[0]
        for _ in range(odd):
            yield Broken("checkpoint", f"{self._name}, table checkpoints", "its thread, namespace or id is no text")
        after: Sequence[bytes] = (b"", b"", b"")
        while True:
            page = await self._ask(self._page, after)
            for row, writes in page:
                for found in self._found(row, writes):
                    yield found
            if len(page) < PAGE:
                return
            after = page[-1][0][:3]

    def _page(self, after: Sequence[bytes]) -> list[tuple[_Row, list[Any]]]:
        connection = self._connection
        connection.execute("BEGIN")
        try:
            rows = connection.execute(_PAGE, (*after, PAGE)).fetchall()
            return [(row, connection.execute(self._writes, row[:3]).fetchall()) for row in rows]
        finally:
            connection.execute("COMMIT")

    def _found(self, row: _Row, writes: list[Any]) -> list[Found | Broken]:
        where = f"{self._name}, checkpoint {row[2].decode(errors='replace')}"
        try:
            thread, branch, id = (part.decode() for part in row[:3])
        except UnicodeDecodeError:
            return [Broken("checkpoint", where, "its thread, namespace or id is no UTF-8")]
        place = (thread, branch, id)
        try:
            checkpoint = load(self._serde, _text(row[4]) or "json", bytes(row[5]))
            metadata = json.loads(row[6]) if row[6] is not None else {}
            parent = _text(row[3]) or None
            if not isinstance(checkpoint, dict) or not isinstance(metadata, dict):
                raise InvalidError("it is no checkpoint")
        except Exception as error:
            # Whatever a stranger's bytes make a serializer raise: this one is told, and the others are read.
            return [Broken("checkpoint", where, reason_of(error), *place)]
        read: list[FoundWrite] = []
        found: list[Found | Broken] = []
        for path, task, index, channel, type_, value in writes:
            try:
                read.append(
                    FoundWrite(
                        _text(path), _text(task), int(index), _text(channel), load(self._serde, _text(type_), bytes(value or b""))
                    )
                )
            except Exception as error:
                found.append(Broken("write", where, reason_of(error), *place))
        found.append(Found(*place, parent, checkpoint, metadata, tuple(read)))
        return found

    async def _ask(self, work: Any, *args: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *args)
        except sqlite3.Error as error:
            raise _translate(error, self._name) from error

    async def aclose(self) -> None:
        """Close the file."""
        self._connection.close()


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode() if isinstance(value, bytes) else str(value)


def _translate(error: sqlite3.Error, name: str) -> Exception:
    if isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error)):
        return UnavailableError(f"{name} is locked by another program: try again later")
    return UnreadableError(f"{name} cannot be read ({error}): is it a whole SQLite file?")


async def open_sqlite(url: str, serde: SerializerProtocol) -> SqliteSource:
    """Open a file of langgraph-checkpoint-sqlite.

    Args:
        url: `sqlite:///FILE`, or a path.

    Raises:
        InvalidError: there is no such file, or it is not one of langgraph-checkpoint-sqlite.
        DeniedError, UnavailableError, UnreadableError: it cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("", "sqlite") or parts.netloc:
        raise InvalidError("the layout langgraph-sqlite is read from a file: give its path, or sqlite:///FILE")
    path = Path(unquote(parts.path.removeprefix("/")) if parts.scheme else url)
    return await asyncio.to_thread(_open, path, serde)


def _open(path: Path, serde: SerializerProtocol) -> SqliteSource:
    connection = None
    # A file that this user may not look at is one that is not there.
    if not os.path.isfile(path):
        raise InvalidError(f"there is no file {path} that this user may read")
    try:
        connection = _connect(path)
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {b"checkpoints", b"writes"} <= tables:
            raise InvalidError(f"{path} has no tables `checkpoints` and `writes`: langgraph-checkpoint-sqlite did not write it")
        columns = {row[1] for row in connection.execute("PRAGMA table_info(writes)")}
        return SqliteSource(connection, str(path), serde, has_path=b"task_path" in columns)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise _translate(error, str(path)) from error
    except BaseException:
        if connection is not None:
            connection.close()
        raise


def _connect(path: Path) -> sqlite3.Connection:
    base = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        return _look(base)
    except PermissionError as error:
        raise DeniedError(f"{path} may not be read by this user") from error
    except sqlite3.OperationalError:
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            raise
        # A file in a folder that nobody may write: nothing is in its log, so it is read as what cannot change.
        return _look(base + "&immutable=1")


def _look(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None, timeout=10)
    connection.text_factory = bytes
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
