"""What a person at a terminal wants to know about a SQLite store. It reads, and measures nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3

from .address import Address
from .unit import Unit

Fact = str | int | float | bool | None


def describe(unit: Unit, address: Address) -> dict[str, Fact]:
    """Return facts by name; sizes are bytes."""
    facts: dict[str, Fact] = {
        "engine": f"SQLite {sqlite3.sqlite_version}",
        "file": address.path or "none: in memory, gone when the process ends",
        "size": _pragma(unit, "page_count") * _pragma(unit, "page_size"),
        "schema version": _pragma(unit, "user_version"),
    }
    if address.path is None:
        return facts
    wal = address.path + "-wal"
    return facts | {
        "log": os.path.getsize(wal) if os.path.exists(wal) else 0,
        "journal mode": str(unit.db.execute("PRAGMA journal_mode").fetchone()[0]),
        "synchronous": address.synchronous,
        "most bytes": address.max_bytes if address.max_bytes is not None else "no limit",
        "free disk": shutil.disk_usage(os.path.dirname(address.path)).free,
    }


def _pragma(unit: Unit, name: str) -> int:
    return int(unit.db.execute(f"PRAGMA {name}").fetchone()[0])
