"""What SQLite's errors mean for a caller: one sentence and one type each, never SQLite's bare words."""

from __future__ import annotations

import os
import sqlite3
from typing import Final

from ...errors import ClewError, DeniedError, FullError, InvalidError, UnavailableError, UnsupportedError
from .address import Address

NEARLY_FULL_BYTES: Final = 256 * 1024
"""With less than this free, a failed write means a full disk: SQLite calls some of those an I/O error."""

_BUSY: Final = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL))


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 where the error is the Python module's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another connection held the lock for too long."""
    return primary_code(error) in _BUSY


def translate(error: sqlite3.Error, address: Address) -> ClewError:
    """Return the error to raise from `error`."""
    name, code = address.name, primary_code(error)
    if code in _BUSY:
        return UnavailableError(f"{name} was locked by another process for {address.timeout_s:g} s: try again")
    if code == sqlite3.SQLITE_FULL:
        has_room = _free_bytes(address) >= NEARLY_FULL_BYTES
        why = "has grown to its max_bytes" if address.max_bytes and has_room else "is on a full disk"
        return FullError(f"{name} {why}; nothing was written: free some space and try again")
    if code == sqlite3.SQLITE_READONLY:
        return FullError(f"{name} cannot be written: make the file and its folder writable")
    if code in (sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return DeniedError(f"{name} may not be used by this user: change its permissions")
    if code == sqlite3.SQLITE_NOTADB:
        return UnsupportedError(f"{name} is not a SQLite file: name a file of clew's, or one that is not there yet")
    if code == sqlite3.SQLITE_CORRUPT:
        return UnsupportedError(f"{name} is damaged: restore a backup, or save what can be read with sqlite3's .recover")
    if code == sqlite3.SQLITE_TOOBIG:
        return InvalidError("this is larger than SQLite can hold")
    if code == sqlite3.SQLITE_CANTOPEN:
        return _explain_cannot_open(name, address)
    if code == sqlite3.SQLITE_IOERR and _free_bytes(address) < NEARLY_FULL_BYTES:
        return FullError(f"{name} is on a full disk; nothing was written: free some space and try again")
    reason = getattr(error, "sqlite_errorname", type(error).__name__)
    return UnavailableError(f"{name} could not be read or written ({reason}): {error}")


def explain(error: sqlite3.Error, address: Address) -> ClewError:
    """Return the error to hand to a caller in another thread, with its cause."""
    explained = translate(error, address)
    explained.__cause__ = error
    return explained


def _explain_cannot_open(name: str, address: Address) -> ClewError:
    if address.path is not None and not _may(address.path, os.R_OK):
        return DeniedError(f"{name} may not be used by this user: change its permissions")
    if address.path is not None and not _may(os.path.dirname(address.path), os.W_OK):
        return FullError(f"{name} cannot be written, nor its folder, where SQLite needs to keep its log: make both writable")
    return UnavailableError(f"{name} cannot be opened: look at the limit on open files")


def _may(path: str, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _free_bytes(address: Address) -> int:
    """Return the bytes that are free where the file is; many, where that cannot be told."""
    if address.path is None:
        return NEARLY_FULL_BYTES
    try:
        found = os.statvfs(os.path.dirname(address.path))
    except (AttributeError, OSError):  # Windows has no statvfs
        return NEARLY_FULL_BYTES
    return found.f_bavail * found.f_frsize
