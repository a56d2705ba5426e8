"""Whose turn it is: the writers of one session in this process go one after another, in the order they came."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType


class Turns:
    """Turns by name: `async with turns.of("s1"):`. A name that nobody waits for costs next to nothing."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, str], deque[asyncio.Future[None]]] = {}

    def of(self, name: str) -> Turn:
        """Return the next turn of a name, in the running event loop."""
        return Turn(self._waiting, (id(asyncio.get_running_loop()), name))


class Turn:
    """One turn, to be entered once."""

    __slots__ = ("_name", "_waiting")

    def __init__(self, waiting: dict[tuple[int, str], deque[asyncio.Future[None]]], name: tuple[int, str]) -> None:
        self._waiting = waiting
        self._name = name

    async def __aenter__(self) -> None:
        queue = self._waiting.get(self._name)
        if queue is None:
            self._waiting[self._name] = deque()
            return
        mine = asyncio.get_running_loop().create_future()
        queue.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                # It had come to me already: to the next one.
                self._pass_on()
            raise

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        queue = self._waiting[self._name]
        while queue:
            following = queue.popleft()
            if not following.done():
                following.set_result(None)
                return
        del self._waiting[self._name]
