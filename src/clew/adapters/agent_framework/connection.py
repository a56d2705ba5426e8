"""The store a provider works on: one it was given, or one it opens itself at first use.

It closes only what it opened.
"""

from __future__ import annotations

import asyncio

import clew
from clew import Store
from clew.errors import ClosedError, InvalidError


class Connection:
    """A store, or the URL of one.

    Args:
        store: an open store, or a URL.
        url: a URL.

    Raises:
        InvalidError: none of them, both, or a URL without a scheme.
    """

    def __init__(self, store: Store | str | None, url: str | None) -> None:
        if store is not None and url is not None:
            raise InvalidError("give a store or a URL, once")
        if isinstance(store, str):
            store, url = None, store
        if store is None and not url:
            raise InvalidError("no store is given: pass what clew.connect(url) gives, or url='redis://...' or 'sqlite:///path'")
        if url is not None and "://" not in url:
            raise InvalidError("the store's URL has no scheme: use redis://host, sqlite:///path or another that clew knows")
        self.url = url
        self._store = store
        self._opening: tuple[asyncio.AbstractEventLoop, asyncio.Task[Store]] | None = None
        self._closed = False

    async def get(self) -> Store:
        """Return the store; open it if need be."""
        if self._closed:
            raise ClosedError("this history provider was closed: make another")
        if self._store is None:
            loop = asyncio.get_running_loop()
            if self._opening is None or self._opening[0] is not loop:
                self._opening = loop, loop.create_task(_open(self.url or ""))
            task = self._opening[1]
            try:
                # Shielded: of several callers who wait for one opening, one may be cancelled.
                store = await asyncio.shield(task)
            finally:
                if task.done():
                    self._opening = None
            if self._store is None:
                self._store = store
            elif self._store is not store:
                # Another event loop, in another thread, was quicker.
                await store.aclose()
        return self._store

    async def aclose(self) -> None:
        """Close what was opened here. Later calls of `get` raise ClosedError."""
        self._closed = True
        if self._opening is not None:
            await self._opening[1]
        if self.url is not None and self._store is not None:
            store, self._store = self._store, None
            await store.aclose()


async def _open(url: str) -> Store:
    return await clew.connect(url)
