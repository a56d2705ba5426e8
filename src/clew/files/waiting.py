"""Work that is over when the call is: also where the caller was cancelled meanwhile, and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def run_thread(work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
    """Run `work` in a thread and return what it returns.

    A cancelled caller waits until the thread is done, so that nothing it uses is taken from under it; then it is cancelled,
    and `undo` is called with what it does not get.
    """
    return await finish(asyncio.get_running_loop().run_in_executor(None, work), undo)


async def finish(work: asyncio.Future[T], undo: Callable[[T], None] | None = None) -> T:
    """Return what `work` gives. A cancelled caller waits for it all the same, and is cancelled then, as in `run_thread`."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError as e:
            # It may come again at every await. The very object says whose it is: scopes of anyio know theirs by it.
            cancelled = e
    if cancelled is not None:
        # Looked at in any case, so that the loop does not complain of an error that nobody saw.
        if not work.cancelled() and work.exception() is None and undo is not None:
            undo(work.result())
        raise cancelled
    return work.result()
