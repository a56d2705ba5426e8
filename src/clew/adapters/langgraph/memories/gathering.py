"""Writes of many callers to one namespace, gathered: while one commit is under way, what comes meanwhile waits for the next.

Of several writes of one key in a commit the last one stays, as if they were made one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from weakref import WeakKeyDictionary

from .namespaces import Namespace


@dataclass(frozen=True, slots=True)
class Put:
    """A write of one item: its value as JSON (None: delete it), its time to live, and its vectors (None: it has none)."""

    key: str
    data: bytes | None
    ttl_ms: int | None = None
    vectors: bytes | None = None


Write: TypeAlias = Callable[[Namespace, Mapping[str, Put]], Awaitable[None]]


@dataclass(slots=True)
class _Pile:
    """What waits for one namespace."""

    puts: dict[str, Put] = field(default_factory=dict)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


class Gathering:
    """Gathers the writes of one store, for each event loop by itself."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._piles: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Namespace, _Pile]] = WeakKeyDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, namespace: Namespace, puts: Sequence[Put]) -> None:
        """Return when these are written, perhaps together with other callers'. A caller that is cancelled stops no write."""
        loop = asyncio.get_running_loop()
        piles = self._piles.setdefault(loop, {})
        pile = piles.get(namespace)
        if pile is None:
            pile = piles[namespace] = _Pile()
            task = loop.create_task(self._work(piles, namespace, pile), name="clew-langgraph-store")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        for put in puts:
            pile.puts.pop(put.key, None)
            pile.puts[put.key] = put
        future = loop.create_future()
        pile.waiting.append(future)
        await future

    async def _work(self, piles: dict[Namespace, _Pile], namespace: Namespace, pile: _Pile) -> None:
        try:
            while pile.waiting:
                puts, waiting = pile.puts, pile.waiting
                pile.puts, pile.waiting = {}, []
                try:
                    await self._write(namespace, puts)
                except Exception as error:
                    for future in waiting:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for future in waiting:
                        if not future.done():
                            future.set_result(None)
        finally:
            del piles[namespace]
            for future in pile.waiting:
                future.cancel()
