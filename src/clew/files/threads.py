"""Blocking calls in threads, which are over when the call is: also where the caller was cancelled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def run_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread and return what it returns.

    A cancelled caller waits until the thread is done, so that nothing it uses is taken from under it; then it is cancelled.
    """
    task = asyncio.get_running_loop().run_in_executor(None, work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            # It may come again at every await.
            cancelled = True
    if cancelled:
        # Retrieved, so that the loop does not complain of an error nobody saw.
        task.exception()
        raise asyncio.CancelledError
    return task.result()
