"""A backend around a backend: it counts the trips, and breaks them where a test says so."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Literal

from clew.errors import UnavailableError

VERBS = ("commit", "fetch", "read", "revision", "drop", "list", "expire")


class Watched:
    """Passes every call on.

    Attributes:
        calls: how often each verb was called.
        fail: what becomes of commits: nothing special, an error before they are sent, or an error after they were applied.
        away: every verb fails.
        held: set, and commits wait for it before they are sent.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.calls: Counter[str] = Counter()
        self.fail: Literal["no", "before", "after"] = "no"
        self.away = False
        self.held: asyncio.Event | None = None

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if name not in VERBS:
            return attribute

        async def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            if self.away or (name == "commit" and self.fail == "before"):
                raise UnavailableError("the store is away")
            if name == "commit" and self.held is not None:
                await self.held.wait()
            result = await attribute(*args, **kwargs)
            if name == "commit" and self.fail == "after":
                raise UnavailableError("the store went away")
            return result

        return counted
