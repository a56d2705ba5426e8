"""SQL in one transaction: all of it or nothing. `sqlite3.executescript` would commit the transaction that is open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock, and commit at the end; whatever is raised within takes all of it back."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # Where the disk is full, SQLite has done so by itself.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def run_script(db: sqlite3.Connection, script: str) -> None:
    """Run the statements of a script, each of which ends in a line's last semicolon.

    Raises:
        ValueError: it ends in the middle of a statement.
    """
    for statement in _split(script):
        db.execute(statement)


def _split(script: str) -> list[str]:
    statements, part = [], ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            statements.append(part)
            part = ""
    if any(line.strip() and not line.lstrip().startswith("--") for line in part.splitlines()):
        raise ValueError("a script ends in the middle of a statement")
    return statements
