"""What a `sqlite://` or `memory://` URL asks for. It reads the URL only; the file is looked at when it is opened."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from ...errors import InvalidError

SYNCHRONOUS: Final = ("full", "extra", "normal")
"""How hard a commit is pressed to the disk. `normal` keeps every commit when the process dies, not when the power does."""
MOST_TIMEOUT_S: Final = 3600.0
LEAST_BYTES: Final = 256 * 1024
OPTIONS: Final = ("synchronous", "timeout", "max_bytes")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is, and how it is to be opened.

    Attributes:
        path: the absolute path of the file, None for a store in memory.
        synchronous: one of SYNCHRONOUS.
        timeout_s: seconds to wait for another process's lock before UnavailableError.
        max_bytes: what the file may grow to before FullError; None for no limit of our own.
    """

    path: str | None
    synchronous: str = "full"
    timeout_s: float = 5.0
    max_bytes: int | None = None

    @property
    def name(self) -> str:
        """What an error calls this store."""
        return "the store in memory" if self.path is None else self.path


def parse_address(url: str) -> Address:
    """Return what the URL asks for: `sqlite:///relative.db`, `sqlite:////absolute.db` or `memory://`, with options.

    Raises:
        InvalidError: another scheme, no path, or an option that is unknown or out of range.
    """
    try:
        parts = urlsplit(url)
    except ValueError as e:
        raise InvalidError(f"the URL cannot be read: {e}") from e
    if parts.fragment:
        raise InvalidError("write '#' as %23 in a sqlite:// URL")
    options = _read_options(parts.query)
    return Address(
        _find_path(parts.scheme, parts.netloc, parts.path),
        _choose_synchronous(options.get("synchronous", "full")),
        _read_timeout(options.get("timeout", "5")),
        _read_max_bytes(options["max_bytes"]) if "max_bytes" in options else None,
    )


def _find_path(scheme: str, host: str, path: str) -> str | None:
    if scheme == "memory":
        if host or path not in ("", "/"):
            raise InvalidError("memory:// takes no name: each one that is opened is a store of its own")
        return None
    if scheme != "sqlite":
        raise InvalidError(f"a SQLite store is sqlite:///relative.db, sqlite:////absolute.db or memory://, not {scheme}://")
    if host:
        raise InvalidError("a sqlite:// URL has no host: write three slashes for a relative path, four for an absolute one")
    name = unquote(path.removeprefix("/"))
    if not name or name.endswith("/"):
        raise InvalidError("the sqlite:// URL names no file: write sqlite:///clew.db, or sqlite:////var/lib/clew.db")
    if "\0" in name:
        raise InvalidError("the path of the sqlite:// URL holds a NUL character")
    if name == ":memory:":
        raise InvalidError("for a store in memory, which is lost when it is closed, write memory://")
    return os.path.abspath(name)


def _read_options(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS:
            raise InvalidError(f"unknown option {name!r}: a SQLite store knows {', '.join(OPTIONS)}")
        if name in found:
            raise InvalidError(f"the option {name} is given twice")
        found[name] = text
    return found


def _choose_synchronous(text: str) -> str:
    if text.lower() not in SYNCHRONOUS:
        raise InvalidError(f"synchronous must be one of {', '.join(SYNCHRONOUS)}, not {text!r}")
    return text.lower()


def _read_timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= MOST_TIMEOUT_S:
        raise InvalidError(f"timeout must be from 0 to {MOST_TIMEOUT_S:.0f} seconds, not {text!r}")
    return seconds


def _read_max_bytes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) >= LEAST_BYTES):
        raise InvalidError(f"max_bytes must be a whole number of bytes, at least {LEAST_BYTES:,}, not {text!r}")
    return int(text)
