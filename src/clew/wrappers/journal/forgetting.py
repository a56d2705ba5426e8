"""Forgetting an owner in the journals of a machine: what a store refused of theirs, and the bytes of what was written since."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ...errors import UnavailableError
from . import find_journals, opening
from .tables import delete_empty_places


def count_kept(folder: Path, owner: str) -> int:
    """Return how many writes of an owner are in the journals of a folder: those that wait, and those that were refused."""
    count = 0
    for each in find_journals(folder) if folder.is_dir() else ():
        with opening(each.path) as db:
            for table in ("entry", "aside"):
                count += db.execute(f"SELECT count(*) FROM {table} WHERE owner = ?", (owner,)).fetchone()[0]
    return count


def forget_refused(folder: Path, owner: str) -> list[Path]:
    """Delete what was refused of an owner's writes, and write each journal anew without its free pages.

    What waits is not touched: drain it first.

    Returns:
        the journals that could not be written anew, since a process was writing to them.
    """
    busy: list[Path] = []
    for each in find_journals(folder) if folder.is_dir() else ():
        try:
            with opening(each.path) as db:
                db.execute("DELETE FROM aside WHERE owner = ?", (owner,))
                delete_empty_places(db)
                try:
                    db.execute("VACUUM")
                    is_busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                except sqlite3.OperationalError:
                    is_busy = 1
                if is_busy:
                    busy.append(each.path)
        except sqlite3.Error as error:
            raise UnavailableError(f"the journal {each.path} cannot be changed: {error}") from error
    return busy
