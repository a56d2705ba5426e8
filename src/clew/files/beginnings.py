"""How the files of a store begin: with the header of an encrypted file, or as anything else. What was seen is remembered."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from ..errors import InvalidError, UnavailableError
from ..frames import SEALED_FILE
from .contract import Files, Stored
from .layout import HEADER
from .peeking import let_go, read_beginning

TRIES: Final = 3
"""How often a file is asked for anew where another version came between its beginning and its bytes."""
_KNOWN: Final = 4_096
"""Files of which it is remembered how the version begins that was seen last."""


class Beginnings:
    """What is known of the files of one store. A header is None where the file is not encrypted."""

    def __init__(self, inner: Files) -> None:
        """Look into `inner`, as it stores files."""
        self._inner = inner
        self._known: OrderedDict[str, tuple[str, bytes | None]] = OrderedDict()

    def get(self, path: str) -> tuple[str, bytes | None] | None:
        """Return the ETag and the header of the version that was seen last; None where none was."""
        return self._known.get(path)

    def note(self, stored: Stored, header: bytes | None) -> None:
        """Remember how a version begins."""
        self._known[stored.path] = stored.etag, header
        self._known.move_to_end(stored.path)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def forget(self, path: str) -> None:
        """Know nothing of a file any more."""
        self._known.pop(path, None)

    async def look(self, path: str) -> tuple[Stored, bytes | None]:
        """Return what is stored, and its header, in one request, and remember it.

        Raises:
            NotFoundError: there is no such file.
            UnavailableError: it is replaced all the time.
        """
        for _ in range(TRIES):
            try:
                opened = await self._inner._get(path, 0, HEADER)
            except InvalidError:
                stored = await self._inner._head(path)
                if stored.size:
                    continue  # It was empty a moment ago.
                self.note(stored, None)
                return stored, None
            try:
                beginning = await read_beginning(opened.chunks, HEADER)
            finally:
                await let_go(opened)
            header = beginning if beginning.startswith(SEALED_FILE) else None
            self.note(opened.stored, header)
            return opened.stored, header
        raise UnavailableError(f"the file {path!r} changes faster than it can be looked at: try again")
