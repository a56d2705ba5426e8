"""What every file store around another one does alike: it passes on what is not its own."""

from __future__ import annotations

from collections.abc import Sequence

from .contract import Files, Stored
from .keys import Key


class Around(Files):
    """A file store around another one, which it closes.

    Attributes:
        inner: the store that has the files.
    """

    def __init__(self, inner: Files) -> None:
        super().__init__(inner.name)
        self.inner = inner

    @property
    def newest_key(self) -> str | None:
        """The id of the key that it writes with; None where it does not encrypt."""
        return None

    def describe(self) -> str:
        """Return what it does to files, for people."""
        return "not encrypted"

    async def _head(self, path: str) -> Stored:
        return await self.inner._head(path)

    async def _list(self, below: str, after: str | None, most: int) -> Sequence[Stored]:
        return await self.inner._list(below, after, most)

    async def _delete(self, path: str, if_match: str | None) -> bool:
        return await self.inner._delete(path, if_match)

    async def _delete_some(self, paths: Sequence[str]) -> int:
        return await self.inner._delete_some(paths)

    async def delete_all(self, prefix: Key) -> int:
        """See Files.delete_all. What goes is not looked into."""
        self._check_open()
        return await self.inner.delete_all(prefix)

    async def aclose(self) -> None:
        """See Files.aclose."""
        await super().aclose()
        await self.inner.aclose()
