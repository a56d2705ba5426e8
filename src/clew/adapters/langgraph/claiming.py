"""A claim on a thread: a lease that is renewed while it is held, and whose fence goes with every put."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Any, Final

from langchain_core.runnables import RunnableConfig

from ...blocking import Connection
from ...errors import ClewError, ConflictError, NotFoundError
from ...ids import new_id
from ...model import Ref
from ...records import Lease
from ...store import Store

LEASE: Final = "__clew_lease"
"""Where a configuration carries it. LangGraph keeps nothing in metadata whose name begins so."""
NAME: Final = "langgraph"
"""The name of the lease in its thread."""

HOLDER: Final = "langgraph/holder"
"""The note of a thread that says who claimed it last."""


def lease_of(configurable: dict[str, Any]) -> Lease | None:
    """Return the lease that a configuration carries."""
    lease = configurable.get(LEASE)
    return lease if isinstance(lease, Lease) else None


class Claim:
    """A thread that is one worker's: `async with claim as config`, or `with claim as config`. Made by `ClewSaver.claim`.

    Attributes:
        lease: what is held; None before it is entered.
    """

    def __init__(self, connection: Connection, thread: Ref, ttl: float, holder: str | None) -> None:
        self._connection = connection
        self._thread = thread
        self._ttl = ttl
        self._holder = new_id() if holder is None else holder
        self._renewing: asyncio.Task[None] | None = None
        self.lease: Lease | None = None

    async def __aenter__(self) -> RunnableConfig:
        store = await self._connection.get()
        lease = await store.checkpoints.claim(self._thread, NAME, self._holder, ttl=self._ttl)
        if lease is None:
            other = await _holder_of(store, self._thread)
            raise ConflictError(
                f"the thread {self._thread.id!r} is claimed by {other or 'another worker'}: try again when it is done",
                expected=self._holder,
                actual=other,
            )
        self.lease = lease
        with suppress(NotFoundError):
            # Only for whoever comes second: a thread that is not there yet tells nobody.
            await store.threads.put(self._thread, notes={HOLDER: self._holder})
        self._renewing = asyncio.create_task(self._renew(), name="clew-langgraph-claim")
        return {"configurable": {"thread_id": self._thread.id, LEASE: lease}}

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        if self.lease is not None:
            # It runs out by itself where the store is away.
            with suppress(ClewError):
                await (await self._connection.get()).checkpoints.release(self._thread, self.lease)

    def __enter__(self) -> RunnableConfig:
        return self._connection.run(self.__aenter__())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.run(self.__aexit__(kind, error, trace))

    async def _renew(self) -> None:
        """Hold on. Whoever was too late learns of it from the FencedError of its next put."""
        while self.lease is not None:
            await asyncio.sleep(self._ttl / 3)
            try:
                renewed = await (await self._connection.get()).checkpoints.renew(self._thread, self.lease, ttl=self._ttl)
            except ClewError:
                continue
            if renewed is None:
                return


async def _holder_of(store: Store, thread: Ref) -> str | None:
    """Return who claimed a thread last, as far as it is known."""
    try:
        holder = (await store.threads.get(thread)).notes.get(HOLDER)
    except ClewError:
        return None
    return holder if isinstance(holder, str) else None
