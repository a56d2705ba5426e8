"""Files in this process's memory, for tests and for a store in memory: gone when it is closed."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Final

from ..errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError
from .contract import Files, Opened, Stored

_CHUNK: Final = 256 * 1024


class Memory(Files):
    """A file store in memory."""

    def __init__(self) -> None:
        super().__init__("the files in memory")
        self._held: dict[str, tuple[Stored, bytes]] = {}
        self._paths: list[str] = []
        self._versions = 0

    async def _put(self, path: str, chunks: AsyncGenerator[bytes, None], if_match: str | None, create: bool) -> Stored:
        data = b"".join([chunk async for chunk in chunks])
        found = self._held.get(path)
        if create and found is not None:
            raise AlreadyExistsError(f"there is a file {path!r} already", actual=found[0].etag)
        if if_match is not None and (found is None or found[0].etag != if_match):
            actual = None if found is None else found[0].etag
            raise ConflictError(f"the file {path!r} is another version by now", expected=if_match, actual=actual)
        if found is None:
            insort(self._paths, path)
        self._versions += 1
        stored = Stored(path, len(data), f'"{self._versions}"', datetime.now(UTC))
        self._held[path] = stored, data
        return stored

    async def _get(self, path: str, start: int, length: int | None) -> Opened:
        stored, data = self._find(path)
        stop = stored.size if length is None else min(stored.size, start + length)
        if start >= stop and not (start == 0 and length is None):
            raise InvalidError(f"the file has {stored.size:,} bytes: a part of it cannot start at {start:,}")

        async def read() -> AsyncGenerator[bytes, None]:
            for at in range(start, stop, _CHUNK):
                yield data[at : min(at + _CHUNK, stop)]

        async def close() -> None:
            """Nothing is open."""

        return Opened(stored, start, stop, read(), close)

    async def _head(self, path: str) -> Stored:
        return self._find(path)[0]

    async def _list(self, below: str, after: str | None, most: int) -> list[Stored]:
        found: list[Stored] = []
        for path in self._paths[bisect_right(self._paths, max(below, after or "")) :]:
            if len(found) == most or not path.startswith(below):
                break
            found.append(self._held[path][0])
        return found

    async def _delete(self, path: str, if_match: str | None) -> bool:
        found = self._held.get(path)
        if found is not None and if_match not in (None, found[0].etag):
            raise ConflictError(f"the file {path!r} is another version by now", expected=if_match, actual=found[0].etag)
        return await self._delete_some([path]) == 1

    async def _delete_some(self, paths: Sequence[str]) -> int:
        count = 0
        for path in paths:
            if self._held.pop(path, None) is not None:
                self._paths.remove(path)
                count += 1
        return count

    async def aclose(self) -> None:
        await super().aclose()
        self._held.clear()
        self._paths.clear()

    def _find(self, path: str) -> tuple[Stored, bytes]:
        try:
            return self._held[path]
        except KeyError:
            raise NotFoundError(f"there is no file {path!r}") from None
