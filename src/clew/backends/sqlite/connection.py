"""Opening the file: what is there is looked at before anything is written, then WAL, the schema, and the settings.

A connection is made, used and closed by one thread.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import quote

from ...errors import DeniedError, FullError, InvalidError, UnsupportedError
from .address import Address
from .faults import is_busy, translate
from .migrating import check_schema, known_migrations, migrate

OLDEST_SQLITE: Final = (3, 24, 0)
CACHE_KIB: Final = 16 * 1024
CHECKPOINT_PAGES: Final = 4_000
"""Pages in the log before it is put back into the file: the more, the more often a page was written in between."""
WAL_KEPT_BYTES: Final = 64 * 1024 * 1024
"""A log that grew beyond this is cut back to it by the next checkpoint."""


def open_writer(address: Address, migrations: Sequence[str] | None = None) -> sqlite3.Connection:
    """Return the connection that writes; the file is made, or brought to the newest schema, where it has to be.

    Raises:
        InvalidError: the folder does not exist, or the path is no plain file.
        UnsupportedError: the file is another program's, a newer clew's, or damaged; or the file system cannot do WAL.
        FullError, DeniedError, UnavailableError: it cannot be written, opened, or locked within the time-out.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise UnsupportedError(f"SQLite {sqlite3.sqlite_version} is too old: clew needs 3.24 or newer")
    if address.path is not None:
        _prepare_file(address.path)
    scripts = known_migrations() if migrations is None else migrations
    return _connect(address, lambda db: _prepare_schema(db, address, scripts))


def open_reader(address: Address) -> sqlite3.Connection:
    """Return a connection that cannot write, to a file that `open_writer` has opened."""
    return _connect(address, lambda db: db.execute("PRAGMA query_only = ON"))


def _prepare_file(path: str) -> None:
    """Make the file where there is none, for its user alone: it holds conversations."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise InvalidError(f"the folder {folder} does not exist: make it first, or name another file")
    try:
        if os.path.lexists(path):
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise InvalidError(f"{path} is not a plain file: name a file of clew's, or one that is not there yet")
            return
        # Never opened by hand where it is there: closing it would drop the locks this process holds on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except PermissionError as e:
        raise DeniedError(f"{path} may not be made or read by this user: change the folder's permissions") from e
    except OSError as e:
        # A full or read-only disk; otherwise a name too long, a link to nowhere, and the like.
        kind = FullError if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS) else InvalidError
        raise kind(f"{path} cannot be made or looked at: {e.strerror}") from e


def _connect(address: Address, prepare: Callable[[sqlite3.Connection], object]) -> sqlite3.Connection:
    name = ":memory:" if address.path is None else f"file:{quote(address.path)}?mode=rw"
    try:
        db = sqlite3.connect(name, timeout=address.timeout_s, isolation_level=None, uri=address.path is not None)
        try:
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            prepare(db)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as e:
        raise translate(e, address) from e
    return db


def _prepare_schema(db: sqlite3.Connection, address: Address, migrations: Sequence[str]) -> None:
    newest = len(migrations)
    version = check_schema(db, address.name, newest)
    if address.path is not None:
        _turn_on_wal(db, address)
        db.execute(f"PRAGMA synchronous = {address.synchronous}")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        db.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
    if address.max_bytes is not None:
        page_size = db.execute("PRAGMA page_size").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {address.max_bytes // page_size}")
    if version < newest:
        migrate(db, address.name, migrations)


def _turn_on_wal(db: sqlite3.Connection, address: Address) -> None:
    """Switch the file to WAL. SQLite does not wait for a lock while it switches, so we do."""
    until = time.monotonic() + address.timeout_s
    while True:
        try:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.Error as e:
            if not is_busy(e):
                raise
            if time.monotonic() >= until:
                raise translate(e, address) from e
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise UnsupportedError(f"{address.name} is on a file system where SQLite cannot keep its log (WAL): use a local disk")
        return
