"""The model of a program that runs for long: opened when it is first needed, shared by all, and opened again after its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from ..errors import ClosedError
from .models import Model, open_model, read_environment, trusts_tools

Opener = Callable[[AsyncExitStack], Awaitable[Model]]


class ModelSupply:
    """One model for a whole program. Whoever asks while it opens waits for the same opening, and may leave without ending it.

    Attributes:
        calls_tools: whether the model may be trusted to call tools; known before it is opened.
    """

    def __init__(self, opener: Opener = open_model, *, calls_tools: bool | None = None) -> None:
        """Open nothing yet.

        Args:
            opener: opens the model; what it leaves on the stack is closed with it.
            calls_tools: what `Model.calls_tools` will say; None reads it from the environment, as `open_model` will.
        """
        self.calls_tools = trusts_tools(read_environment()) if calls_tools is None else calls_tools
        self._opener = opener
        self._opening: asyncio.Task[Model] | None = None
        self._stack = AsyncExitStack()
        self._closed = False

    async def get(self) -> Model:
        """Return the model, opened where it is not. An opening that failed is tried again by the next call.

        Raises:
            ClewError: there is no model; the sentence says what to do.
            ClosedError: the supply was closed.
        """
        if self._closed:
            raise ClosedError("the supply of the model was closed: make a new one")
        if self._opening is None or self._is_spent(self._opening):
            self._opening = asyncio.create_task(self._open())
            # Where all who waited have left, its failure is nobody's.
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._opening)

    async def aclose(self) -> None:
        """Close the model. May be called twice."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        await self._stack.aclose()

    def _is_spent(self, opening: asyncio.Task[Model]) -> bool:
        if not opening.done():
            return False
        return opening.cancelled() or opening.exception() is not None or not opening.result().is_running()

    async def _open(self) -> Model:
        await self._stack.aclose()
        async with AsyncExitStack() as stack:
            model = await self._opener(stack)
            self._stack = stack.pop_all()
        return model
