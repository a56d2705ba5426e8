"""Repeating what is safe to repeat, until its outcome is known or patience ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from ...errors import NotReplicatedError, UnavailableError

T = TypeVar("T")
PATIENCE_S: Final = 30.0
"""How long a store that stays away is asked again, beside the time-out of each call."""
FIRST_REST_S: Final = 0.05
LONGEST_REST_S: Final = 1.0


async def repeat(call: Callable[[], Awaitable[T]], *, patience: float = PATIENCE_S) -> T:
    """Return what `call()` returns, asking again while the outcome is unknown; its last error after `patience` seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    rest = FIRST_REST_S
    while True:
        try:
            return await call()
        except (UnavailableError, NotReplicatedError):
            if loop.time() + rest >= until:
                raise
        await asyncio.sleep(rest * random.uniform(0.5, 1.0))
        rest = min(rest * 2, LONGEST_REST_S)
