"""SQLite, embedded: one file, durable when a commit returns; or a store in memory, for those who name it."""

from __future__ import annotations

from .address import parse_address
from .backend import SqliteBackend

__all__ = ["SqliteBackend", "open_backend"]


async def open_backend(url: str) -> SqliteBackend:
    """Open the store of a `sqlite:///relative.db`, `sqlite:////absolute.db` or `memory://` URL.

    The file is made where there is none, readable by its user alone; its folder has to be there. Options:
    `synchronous` (full, extra, or normal: keeps every commit when the process dies, not when the power does),
    `timeout` (seconds to wait for another process's lock, 5), `max_bytes` (how far the file may grow).

    Raises:
        InvalidError: a bad URL or option, or a folder that does not exist.
        UnsupportedError: the file is another program's, a newer clew's, or damaged.
        FullError, DeniedError, UnavailableError: it cannot be written, opened, or locked in time.
    """
    backend = SqliteBackend(parse_address(url))
    await backend.open()
    return backend
