"""`on_outage=journal`: writes are accepted into a local file while the store is away, and written in order, once each, after.

A folder has a file for each process that is open at a time, since a journal belongs to one.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_plus, urlsplit

from ...backend import Backend
from ...errors import ConflictError, DeniedError, FullError, InvalidError, UnavailableError, UnsupportedError
from ...settings import data_folder
from ..queries import split_options
from .book import Book, open_book
from .draining import Drainer
from .tables import Aside, check_format, count_waiting, list_aside
from .wrapper import JournalBackend

__all__ = [
    "Aside",
    "Book",
    "Drainer",
    "Found",
    "JournalBackend",
    "Options",
    "drain",
    "drop_aside",
    "find_journals",
    "open_book",
    "open_journal",
    "take_book",
    "take_options",
]

MOST_SLOTS: Final = 64
"""Processes with a journal in one folder for one store."""
LEAST_BYTES: Final = 256 * 1024
MOST_BYTES: Final = 1 << 30
"""How far a journal grows where the URL does not say."""
NAMES: Final = ("on_outage", "journal", "journal_bytes")


class Options(NamedTuple):
    """What a URL says of its journal.

    Attributes:
        folder: where the journals are; made where it is missing.
        max_bytes: how far one grows.
    """

    folder: Path
    max_bytes: int = MOST_BYTES


class Found(NamedTuple):
    """A journal's file, looked at without opening the journal.

    Attributes:
        path: the file.
        store: which store it is for, credentials masked.
        depth: how many writes wait.
        aside: those that were refused for good.
    """

    path: Path
    store: str
    depth: int
    aside: list[Aside]


def take_options(url: str) -> tuple[str, Options | None]:
    """Return the URL without what it says of a journal, and that; None where the store is to go without.

    Raises:
        InvalidError: a policy or number that is none, or options of a journal without one.
    """
    plain, texts = split_options(url, NAMES)
    if not texts:
        return url, None
    found = {name: unquote_plus(text) for name, text in texts.items()}
    policy = found.pop("on_outage", "raise")
    if policy not in ("raise", "journal"):
        raise InvalidError(f"on_outage must be raise or journal, not {policy!r}")
    if policy == "raise":
        if found:
            raise InvalidError(f"the option {next(iter(found))} goes with on_outage=journal")
        return plain, None
    text = found.get("journal_bytes", str(MOST_BYTES))
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) >= LEAST_BYTES):
        raise InvalidError(f"journal_bytes must be a whole number of bytes, at least {LEAST_BYTES:,}, not {text!r}")
    folder = found.get("journal") or str(data_folder(os.environ) / "journal")
    return plain, Options(Path(folder).absolute(), int(text))


async def open_journal(inner: Backend, url: str, options: Options) -> JournalBackend:
    """Put a journal around an open backend: the first of the folder's that nobody has open, those with waiting writes first.

    What waits there from before is written from now on.

    Args:
        url: the store's, by which journals of different stores are told apart.

    Raises:
        ConflictError: all journals of this store are open elsewhere.
        UnsupportedError: a file in the folder is no journal, or one of a newer format.
        DeniedError, FullError, InvalidError, UnavailableError: it cannot be made.
    """
    return JournalBackend(inner, await take_book(_identify(inner, url), options))


async def take_book(store: str, options: Options) -> Book:
    """Open the journal of a store as `open_journal` does, for whoever writes from it by a Drainer of its own.

    Args:
        store: by which journals of different stores and uses are told apart; no credentials.
    """
    folder = options.folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        kind = DeniedError if isinstance(error, PermissionError) else InvalidError if is_file else FullError
        raise kind(f"the journal's folder {folder} cannot be made ({error.strerror}): name another one") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise DeniedError(f"this user may not write in the journal's folder {folder}: mend its rights, or name another one")
    # Whoever starts again takes up what a process left that died.
    for path in sorted(_paths(store, options), key=lambda path: not _has_writes(path)):
        try:
            return await open_book(str(path), store, max_bytes=options.max_bytes)
        except ConflictError:
            continue
    raise ConflictError(f"all {MOST_SLOTS} journals of this store in {folder} are open elsewhere: name another folder")


def find_journals(folder: Path) -> list[Found]:
    """Return the journals in a folder, also those that a process has open.

    Raises:
        UnsupportedError: a file is no journal, or one of a newer format.
        UnavailableError: one cannot be read.
        InvalidError, DeniedError: that is no folder, or cannot be looked into.
    """
    found = []
    for path in _list(folder):
        try:
            with _reading(path) as db:
                if not check_format(db, str(path)):
                    (store,) = db.execute("SELECT store FROM meta").fetchone()
                    found.append(Found(path, store, count_waiting(db), list_aside(db)))
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
                raise UnsupportedError(f"{path} is no journal of clew: move it away, or name another folder") from error
            raise UnavailableError(f"the journal {path} cannot be read ({error}): try again later") from error
    return found


def _list(folder: Path) -> list[Path]:
    """Return what has the name of a journal in a folder; nothing where no process has made the folder yet."""
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if fnmatch(name, "*-*.db")]
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise InvalidError(f"{folder} is no folder: name the journals' folder") from error
    except OSError as error:
        raise DeniedError(f"the journals' folder {folder} cannot be looked into ({error.strerror}): mend its rights") from error


async def drain(inner: Backend, url: str, options: Options, *, seconds: float) -> list[str]:
    """Write what waits in this store's journals to it, and return the files of those that another process has open: it does so.

    Args:
        inner: the open store, without a journal. It is not closed.
        url: as in `open_journal`.
        seconds: how long each journal may take.

    Raises:
        UnavailableError: something still waits.
        InvalidError, DeniedError: as find_journals.
    """
    busy = []
    _list(options.folder)
    for path in [path for path in _paths(_identify(inner, url), options) if _has_writes(path)]:
        try:
            book = await open_book(str(path), _identify(inner, url), max_bytes=options.max_bytes)
        except ConflictError:
            busy.append(str(path))
            continue
        drainer = Drainer(inner, book, reach=None)
        try:
            drainer.start()
            async with asyncio.timeout(seconds):
                await drainer.drained()
        except TimeoutError as error:
            raise UnavailableError(f"{drainer.depth} writes still wait in {path} ({drainer.trouble}): try again later") from error
        finally:
            await drainer.aclose()
            await book.aclose()
    return busy


def drop_aside(path: Path, seqs: Sequence[int]) -> int:
    """Forget writes that were refused for good (all of them for an empty sequence), and return how many those were."""
    marks = ",".join(str(int(seq)) for seq in seqs)
    try:
        with opening(path) as db:
            if check_format(db, str(path)):
                return 0
            return db.execute("DELETE FROM aside" + (f" WHERE seq IN ({marks})" if seqs else "")).rowcount
    except sqlite3.Error as error:
        raise UnavailableError(f"the journal {path} cannot be changed: {error}") from error


def _paths(store: str, options: Options) -> list[Path]:
    digest = hashlib.blake2b(store.encode(), digest_size=6).hexdigest()
    return [options.folder / f"{digest}-{slot}.db" for slot in range(1, MOST_SLOTS + 1)]


def _has_writes(path: Path) -> bool:
    """Tell whether writes stand in a file: those that wait, and those that the store has, until they are deleted."""
    if not path.exists():
        return False
    try:
        with _reading(path) as db:
            return db.execute("SELECT 1 FROM entry LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        # Whatever is wrong with it, to open it says so.
        return True


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with opening(path) as db:
        db.execute("PRAGMA query_only = ON")
        yield db


@contextmanager
def opening(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal's file beside whoever has it open."""
    db = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", isolation_level=None, timeout=1.0, uri=True)
    try:
        yield db
    finally:
        db.close()


def _identify(inner: Backend, url: str) -> str:
    place = str(getattr(inner, "place", urlsplit(url).scheme))
    options = [part for part in urlsplit(url).query.split("&") if part.partition("=")[0] in ("namespace", "db")]
    return place + ("?" + "&".join(sorted(options)) if options else "")
