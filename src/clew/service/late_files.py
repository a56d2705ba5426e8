"""Files that may come later than the worker: until they are there, each call says why they are not."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from ..errors import ClewError, UnavailableError
from ..files import Files, Key
from ..files.contract import Opened, Stored


class LateFiles(Files):
    """Passes every call on to the files that were found, which are their opener's to close.

    Attributes:
        found: the files; None until they are there.
        why: what a call raises until then.
    """

    def __init__(self) -> None:
        super().__init__("the files")
        self.found: Files | None = None
        self.why: ClewError = UnavailableError("the files are being opened")

    @property
    def here(self) -> Files:
        """The files; `why` while they are not there."""
        if self.found is None:
            raise self.why
        return self.found

    async def _put(self, path: str, chunks: AsyncGenerator[bytes, None], if_match: str | None, create: bool) -> Stored:
        return await self.here._put(path, chunks, if_match, create)

    async def _get(self, path: str, start: int, length: int | None) -> Opened:
        return await self.here._get(path, start, length)

    async def _head(self, path: str) -> Stored:
        return await self.here._head(path)

    async def _list(self, below: str, after: str | None, most: int) -> Sequence[Stored]:
        return await self.here._list(below, after, most)

    async def _delete(self, path: str, if_match: str | None) -> bool:
        return await self.here._delete(path, if_match)

    async def _delete_some(self, paths: Sequence[str]) -> int:
        return await self.here._delete_some(paths)

    async def delete_all(self, prefix: Key) -> int:
        """See Files.delete_all; how it is done best, the files know."""
        self._check_open()
        return await self.here.delete_all(prefix)
