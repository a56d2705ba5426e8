"""A bridge for frameworks that call synchronously: it runs coroutines in an event loop of its own, in a thread of its own.

It may be used from any thread, also from one whose event loop runs, which then waits. What belongs to its loop (connections, as a
rule) ends with it. A `Connection` is a store with such a bridge, for adapters that have each method twice.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from contextlib import ExitStack
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary, WeakSet, finalize

from .errors import ClosedError, InvalidError
from .store import Store, connect

T = TypeVar("T")

__all__ = ["Bridge", "Connection"]

ENDING_S: Final = 5.0
"""How long the end of a bridge is waited for."""


class Bridge:
    """Runs coroutines for callers that cannot await. Its thread starts at the first call, and ends with `close`, or when nobody
    has the bridge any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: finalize[..., Any] | None = None
        self._closed = False

    @staticmethod
    def of(store: Store) -> Bridge:
        """Return the bridge that all synchronous callers of an open store share. It ends with the store; nobody closes it."""
        with _sharing:
            return _shared.setdefault(store, Bridge())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns, or raise what it raises. A caller that is interrupted cancels it.

        Raises:
            ClosedError: the bridge is closed, or was closed meanwhile.
            RuntimeError: the caller runs in the bridge's own event loop, and would wait for ever.
        """
        try:
            with self._lock:
                future = asyncio.run_coroutine_threadsafe(work, self._open())
        except BaseException:
            work.close()
            raise
        try:
            return future.result()
        except CancelledError as error:
            if not self._closed:
                raise
            raise ClosedError("the bridge was closed while the call was under way") from error
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel what is under way, end the event loop, and wait for its thread. A second close does nothing."""
        with self._lock:
            self._closed = True
            end, self._end = self._end, None
        if end is not None:
            end()

    def _open(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            raise ClosedError("this bridge is closed: make another")
        if self._loop is None:
            loop, ending = asyncio.new_event_loop(), asyncio.Event()
            thread = threading.Thread(target=_live, args=(loop, ending), name="clew-bridge", daemon=True)
            self._loop, self._end = loop, finalize(self, _stop, loop, ending, thread)
            # At the end of the process what works in it comes first.
            self._end.atexit = False
            _bridges.add(self)
            thread.start()
        elif self._loop is _loop_of_here():
            raise RuntimeError("a coroutine of this event loop cannot wait for it: await the asynchronous method instead")
        return self._loop


_shared: WeakKeyDictionary[Store, Bridge] = WeakKeyDictionary()
_sharing = threading.Lock()


class Connection:
    """A store for asynchronous and synchronous callers, from any thread: one that is given, or one opened at the first call.

    It closes only what it opened, at the latest when the process ends. Nothing is opened before the first call.
    """

    def __init__(self, store: Store | str) -> None:
        """Take an open store, which stays the caller's to close, or the URL of one.

        Raises:
            InvalidError: neither of them.
        """
        if not isinstance(store, Store) and (not isinstance(store, str) or "://" not in store):
            raise InvalidError("give an open store, as clew.connect(url) gives it, or a URL, as redis://host or sqlite:///path")
        self._url = store if isinstance(store, str) else None
        self._store = store if isinstance(store, Store) else None
        self._bridge = Bridge() if isinstance(store, str) else Bridge.of(store)
        self._lock = threading.Lock()
        self._closed = False

    async def get(self) -> Store:
        """Return the store; open it where that is not done yet.

        Raises:
            ClosedError: it was closed.
            UnavailableError, DeniedError, UnsupportedError, InvalidError, MissingExtraError: as `clew.connect`.
        """
        store = self._store
        if store is None or self._closed:
            if self._closed:
                raise ClosedError("this connection was closed: make another")
            opened = await connect(self._url)
            with self._lock:
                if self._store is None and not self._closed:
                    self._store = opened
                    _connections.add(self)
                store = self._store
            if store is not opened:
                # Another caller was quicker, or it was closed meanwhile.
                await opened.aclose()
                return await self.get()
        return store

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns that works on this store, or raise what it raises: for callers that cannot await."""
        return self._bridge.run(work)

    async def aclose(self) -> None:
        """Close what was opened here. Later calls raise ClosedError; a second close does nothing."""
        store = self._end()
        if store is not None:
            await store.aclose()
        if self._url is not None:
            await asyncio.to_thread(self._bridge.close)

    def close(self) -> None:
        """Close what was opened here, for callers that cannot await."""
        store = self._end()
        if store is not None:
            self._bridge.run(store.aclose())
        if self._url is not None:
            self._bridge.close()

    def close_at_exit(self) -> None:
        """As `close`, in the main thread of a process that ends, where no thread can be started any more."""
        store = self._end()
        if store is not None:
            asyncio.run(store.aclose())

    def _end(self) -> Store | None:
        """Take no more calls, and return the store to close, if it was opened here."""
        with self._lock:
            self._closed = True
            store = self._store if self._url is not None else None
            if self._url is not None:
                self._store = None
            return store


_connections: WeakSet[Connection] = WeakSet()
"""Those that opened a store."""
_bridges: WeakSet[Bridge] = WeakSet()


@atexit.register
def _end_all() -> None:
    with ExitStack() as stack:
        for bridge in list(_bridges):
            stack.callback(bridge.close)
        for connection in list(_connections):
            # What the loop of a bridge has open ends with it, just after.
            stack.callback(connection.close_at_exit)


def _live(loop: asyncio.AbstractEventLoop, ending: asyncio.Event) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(ending.wait())


def _stop(loop: asyncio.AbstractEventLoop, ending: asyncio.Event, thread: threading.Thread) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(ending.set)
    if thread is not threading.current_thread():
        # Bounded, since it may be the garbage collector that calls, amid whatever.
        thread.join(ENDING_S)


def _loop_of_here() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
