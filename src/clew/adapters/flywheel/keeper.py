"""The store behind the managers: opened at the first call, given up for a while when it is away, and tried until it is back.

Shared by the sessions and the executions, so that both fail the same way: nothing is raised into a tool, and nothing is
reported as done that was not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self, TypeVar
from weakref import WeakKeyDictionary

from ... import Store, connect
from ...errors import ClewError, ConflictError, InvalidError, UnavailableError, UnreadableError
from ...settings import mask_url
from ...store import Gate, Values
from .outcome import Ids, Loaded, Outcome, Status, status_of

logger = logging.getLogger("clew.flywheel")
T = TypeVar("T")

OF_ONE_CALL: Final = (UnavailableError, InvalidError, ConflictError, UnreadableError)
"""What says nothing new of the store: the gate tells of the first, the others are about one call."""
MOST_PARTS: Final = 1_000
"""Parts of a scan that one list looks at."""


class Keeper:
    """A store, or none.

    Args:
        enabled: whether there is persistence at all.
        url: the store's URL; None where an open store is given.
        store: an open store to work on, which `close` leaves open.
        prefix: the literal beginning of the keys.
    """

    def __init__(self, *, enabled: bool, url: str | None, store: Store | None, prefix: str) -> None:
        self.enabled = enabled
        self.prefix = prefix
        self.place = store.place if store is not None else mask_url((url or "").partition("?")[0])
        self._url = url
        self._given = store
        self._store = store
        self._values: Values | None = None if store is None else store.values(prefix)
        self._gate = Gate(self._probe, self.place, "flywheel")
        self._opening: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._troubles: dict[str, type[ClewError]] = {}
        if not enabled:
            logger.info("flywheel persistence is disabled", extra={"event": "flywheel_disabled"})

    async def ask(self, verb: Callable[[Values], Awaitable[T]]) -> T:
        """Do something with the store; UnavailableError while it is known to be away."""
        return await self._ask(verb, "writes")

    async def change(self, verb: Callable[[Values], Awaitable[Outcome]], doing: str, what: object) -> Outcome:
        """Do a write, and say what it came to."""
        if not self.enabled:
            return Outcome("disabled")
        try:
            return await self._ask(verb, "writes")
        except ClewError as error:
            return Outcome(self._note(error, doing, what, "writes"), error)

    async def look(self, verb: Callable[[Values], Awaitable[T | None]], doing: str, what: object) -> Loaded[T]:
        """Do a read, None for what is not there, and say what it came to."""
        if not self.enabled:
            return Loaded(None, "disabled")
        try:
            found = await self._ask(verb, "reads")
        except ClewError as error:
            return Loaded(None, self._note(error, doing, what, "reads"), error)
        return Loaded(found, "missing" if found is None else "found")

    async def list(self, pattern: str, limit: int, cursor: str | None) -> Ids:
        """Return ids that match a glob, each once, in no order that is promised."""
        if not self.enabled:
            return Ids(status="disabled")
        try:
            return await self._ask(lambda values: _scan(values, pattern, limit, cursor), "reads")
        except ClewError as error:
            return Ids(status=self._note(error, "listing", pattern, "reads"), error=error)

    async def health_check(self) -> bool:
        """Ask the store whether it answers, and tell. Nothing is raised."""
        if not self.enabled:
            return False
        try:
            if self._store is None:
                await self._connect()
            else:
                # All of it: where a part is away, some sessions cannot be kept.
                await self._store.ping()
        except UnavailableError as error:
            self._note_away(error)
            return False
        except ClewError as error:
            self._note(error, "asking", self.place, "reads")
            return False
        self._gate.open()
        return True

    async def close(self) -> None:
        """Finish what was sent, and close what was opened. A later call opens it again."""
        await self._gate.aclose()
        store, self._store = self._store, self._given
        if store is not None and store is not self._given:
            self._values = None
            await store.aclose()

    async def _ask(self, verb: Callable[[Values], Awaitable[T]], kind: str) -> T:
        self._gate.check()
        try:
            values = self._values
            if values is None:
                values = await self._open()
            answer = await verb(values)
        except UnavailableError as error:
            self._note_away(error)
            raise
        if kind in self._troubles:
            del self._troubles[kind]
            logger.info("flywheel store takes %s again: %s", kind, self.place, extra={"event": "flywheel_in_order"})
        return answer

    async def _open(self) -> Values:
        lock = self._opening.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:
            if self._values is None:
                # Whoever had the lock before may have found that it is away.
                self._gate.check()
                return await self._connect()
            return self._values

    async def _connect(self) -> Values:
        store = await connect(self._url)
        if self._values is not None:
            # Another event loop, or the probe, was quicker.
            await store.aclose()
            return self._values
        self._store, self._values = store, store.values(self.prefix)
        logger.debug("flywheel store opened: %s", self.place)
        return self._values

    async def _probe(self) -> None:
        if self._store is None:
            await self._connect()
        else:
            await self._store.reach()

    def _note_away(self, error: UnavailableError) -> None:
        self._gate.note(error, in_part=self._store is not None and self._store.fails_in_part)

    def _note(self, error: ClewError, doing: str, what: object, kind: str) -> Status:
        """Log what nobody else tells of, once for each time that it begins for reads or writes, and return its word."""
        if not isinstance(error, OF_ONE_CALL):
            if self._troubles.get(kind) is not type(error):
                self._troubles[kind] = type(error)
                extra = {"event": "flywheel_refused", "store": self.place}
                logger.warning("flywheel store refuses %s: %s", kind, error, extra=extra)
        elif not isinstance(error, UnavailableError):
            name = getattr(what, "id", what)
            logger.warning("flywheel: %s %.100r was not done: %s", doing, name, error, extra={"event": "flywheel_failed"})
        return status_of(error)


class Kept:
    """What whatever stands on a keeper can do."""

    _keeper: Keeper

    @property
    def enabled(self) -> bool:
        """Whether there is persistence at all. A store that is away does not change it."""
        return self._keeper.enabled

    async def health_check(self) -> bool:
        """Ask the store whether it answers, and tell. Nothing is raised."""
        return await self._keeper.health_check()

    async def close(self) -> None:
        """Finish what was sent, and close what was opened. A later call opens it again."""
        await self._keeper.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


async def _scan(values: Values, pattern: str, limit: int, cursor: str | None) -> Ids:
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InvalidError(f"limit must be a whole number from 1, not {limit!r}")
    found: dict[str, None] = {}
    for _ in range(MOST_PARTS):
        page = await values.list(pattern, limit=1_000, cursor=cursor)
        found |= dict.fromkeys(page.data)
        cursor = page.cursor
        if cursor is None or len(found) >= limit:
            break
    return Ids(found, cursor=cursor)
