"""The schema of a file: whether it is ours, how old it is, and the way from there to the newest.

A migration happens whole or not at all. A file of another program is refused before anything is written to it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from ...errors import UnsupportedError
from .scripts import run_script, transaction

APPLICATION_ID: Final = 0x436C6577
"""The letters "Clew", where SQLite keeps the number of the program a file belongs to."""


@cache
def known_migrations() -> tuple[str, ...]:
    """Return the migrations of this release in order; the first brings an empty file to schema 1."""
    folder = files(__package__) / "migrations"
    names = sorted(found.name for found in folder.iterdir() if found.name.endswith(".sql"))
    return tuple((folder / name).read_text(encoding="utf-8") for name in names)


def read_marks(db: sqlite3.Connection) -> tuple[int, int, int]:
    """Return a file's application id and user version, and how many tables it has, without writing anything.

    In one look: another process may be making them just now, and half of it would seem another program's.
    """
    own = not db.in_transaction
    if own:
        db.execute("BEGIN")
    try:
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return _read_number(db, "application_id"), _read_number(db, "user_version"), int(tables)
    finally:
        if own and db.in_transaction:
            db.execute("ROLLBACK")


def check_schema(db: sqlite3.Connection, name: str, newest: int) -> int:
    """Return the schema's version, 0 for an empty file, without writing anything.

    Raises:
        UnsupportedError: the file is another program's, or a newer clew's.
    """
    application, version, tables = read_marks(db)
    if application != APPLICATION_ID:
        if application or version or tables:
            raise UnsupportedError(
                f"{name} is a SQLite file of another program: name a file of clew's, or one that is not there yet"
            )
        return 0
    if version > newest:
        raise UnsupportedError(f"{name} has schema {version}, and this clew knows up to {newest}: upgrade clew to use the file")
    return version


def migrate(db: sqlite3.Connection, name: str, migrations: Sequence[str]) -> int:
    """Bring the file to the newest schema in one transaction, and return that schema's version.

    Raises:
        UnsupportedError: as `check_schema`; it is asked again under the lock, since two processes may open at once.
    """
    newest = len(migrations)
    if check_schema(db, name, newest) == newest:
        return newest
    with transaction(db):
        for script in migrations[check_schema(db, name, newest) :]:
            run_script(db, script)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {newest}")
    return newest


def _read_number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
