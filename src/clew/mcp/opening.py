"""A store that is opened when it is first needed, and tried again at the next call where it was away."""

from __future__ import annotations

import asyncio
from types import TracebackType

from ..errors import ClosedError
from ..store import Store, connect


class Opening:
    """`await opening.store()`: the open store. One for all tasks of an event loop; `async with` closes it."""

    def __init__(self, url: str) -> None:
        """Open nothing yet."""
        self._url = url
        self._store: Store | None = None
        self._task: asyncio.Task[Store] | None = None
        self._is_closed = False

    async def store(self) -> Store:
        """Return the store, opened at the first call.

        Raises:
            UnavailableError, DeniedError, UnsupportedError, InvalidError, MissingExtraError: it cannot be opened now.
            ClosedError: this was closed.
        """
        if self._is_closed:
            raise ClosedError("the server is about to end")
        if self._store is not None:
            return self._store
        if self._task is None:
            self._task = asyncio.create_task(self._open())
            self._task.add_done_callback(self._opened)
        # Shielded: of several callers who wait for one opening, one may be cancelled.
        return await asyncio.shield(self._task)

    async def _open(self) -> Store:
        return await connect(self._url)

    def _opened(self, task: asyncio.Task[Store]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is None:
            self._store = task.result()

    async def __aenter__(self) -> Opening:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_closed = True
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._store is not None:
            await self._store.aclose()
