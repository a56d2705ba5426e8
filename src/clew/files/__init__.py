"""Files: bytes under keys, in a folder, in an S3-compatible bucket, or in memory. `connect_files` opens what a URL names.

Skills, artifacts and attachments are files. Who may read or write one is for the caller to say: `keys` only keeps one
owner's names out of another's reach.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import Any, cast

from ..errors import ClosedError, InvalidError
from ..settings import Settings
from .address import Bucket, Place, parse_files_url, read_sealing, url_beside
from .contract import MAX_FILE_BYTES, FileInfo, Files, Reading
from .folder import open_folder
from .keys import Key, fit, volume_key
from .memory import Memory
from .unsealed import Unsealed

__all__ = [
    "MAX_FILE_BYTES",
    "Connecting",
    "FileInfo",
    "Files",
    "Key",
    "Reading",
    "connect_files",
    "fit",
    "parse_files_url",
    "url_beside",
    "volume_key",
]


class Connecting:
    """A file store on its way: `async with` it, or `await` it and close the store yourself. Nothing is opened before."""

    def __init__(self, url: str | None, settings: Settings | None = None) -> None:
        self._url = url
        self._settings = settings
        self._files: Files | None = None

    def __await__(self) -> Generator[Any, None, Files]:
        return self._open().__await__()

    async def __aenter__(self) -> Files:
        if self._files is not None:
            raise InvalidError("this connection is in use: call connect_files again for another one")
        self._files = await self._open()
        return self._files

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        files, self._files = self._files, None
        if files is None:
            raise ClosedError("this connection is closed already")
        await files.aclose()

    async def _open(self) -> Files:
        url, beside, of_store = self._url, False, ""
        if url is None:
            settings = self._settings or Settings.from_env()
            url, beside = settings.files_url or url_beside(settings.url), settings.files_url is None
            of_store = settings.url
        # Before anything is opened: what is said of encryption may be wrong.
        seal = _make_seal(url, of_store)
        return seal(await _open_place(parse_files_url(url), parents=beside))


async def _open_place(place: Place, *, parents: bool) -> Files:
    if place is None:
        return Memory()
    if isinstance(place, Bucket):
        # Imported here: only S3 needs obstore.
        opened: Files = await import_module(".s3", __name__).open_bucket(place)
        return opened
    return await open_folder(place, parents=parents)


def _make_seal(url: str, of_store: str) -> Callable[[Files], Files]:
    """Return what is to stand around the files: encryption, as their URL says or else as that of the store they belong to."""
    options = read_sealing(url) or read_sealing(of_store)
    if options is None or options.keys is None:
        return Unsealed
    # Imported here: only who encrypts needs the library.
    wrap = partial(
        import_module(".sealed", __name__).Sealed,
        keyring=import_module("clew.wrappers.keyring").Keyring.parse(options.keys),
        takes_plain=options.takes_plain,
    )
    return cast("Callable[[Files], Files]", wrap)


def connect_files(url: str | None = None, *, settings: Settings | None = None) -> Connecting:
    """Open a file store, and prove that it answers: `async with connect_files(url) as files:`, or `await connect_files(url)`.

    Args:
        url: `file:///absolute/folder`, `s3://bucket/prefix?endpoint=https://host`, or `memory://`; None for the one that
            CLEW_FILES_URL names, or else a folder beside the embedded store.
            Encryption stands in it as options, as in a store's: `encryption_secret`, `encryption_file`, `encryption_plain`.
        settings: what says so where there is no `url`; the environment's for None. Files are then encrypted with the keys of the
            store, unless their own URL has some.

    Raises:
        InvalidError: an unknown scheme, a bad path, option or key, or a folder whose parent is missing.
        MissingExtraError: `s3://`, and obstore is not installed; or encryption, and cryptography is not.
        UnavailableError, DeniedError, UnsupportedError: the place does not answer, or cannot be used.
    """
    if url is not None and not isinstance(url, str):
        raise InvalidError(f"the URL for files must be a string, not {type(url).__name__}")
    return Connecting(url, settings)
