"""Reading a run for a response: bare frames for stock ChatKit clients, or SSE with ids for whoever comes back to it.

Silence is broken by comments. A response that ends without its run's end means: come back with your last id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

import msgspec

from clew import ClewError, RunEvent

from .frames import FRAME, PART, Whole, write_bare

logger = logging.getLogger("clew.adapters.chatkit")

BEAT: Final = b": still here\n\n"
RETRY: Final = b"retry: 1000\n\n"
_INTERRUPTED: Final = "The answer was interrupted. What was said is kept; please ask again."
_RELOAD: Final = "This answer is too far along to be shown here: please open the conversation again."

_CLOSING: Final = "The server is being restarted. The answer is kept: please open the conversation again."
_AWAY: Final = "The conversation cannot be reached at the moment. The answer goes on: please open it again in a moment."

Mend = Callable[[], Awaitable[None]]


async def bare(events: AsyncGenerator[RunEvent], beat: float, closing: asyncio.Event, mend: Mend) -> AsyncGenerator[bytes]:
    """Yield a run's frames from its first, without ids, as ChatKit's protocol has them; what else happens becomes its `error`."""
    whole = Whole()
    try:
        async with contextlib.aclosing(_listen(events, beat, closing)) as heard:
            async for event in heard:
                if event is None:
                    yield BEAT
                    continue
                frame = whole.take(event)
                if frame is not None:
                    yield write_bare(frame)
                elif event.kind == "resync":
                    yield write_bare(_error(_RELOAD))
                    return
                elif event.kind == "interrupted":
                    await _try(mend)
                    yield write_bare(_error(_INTERRUPTED))
        if closing.is_set():
            yield write_bare(_error(_CLOSING))
    except ClewError as error:
        logger.warning("a response ends before its answer: %s", error)
        yield write_bare(_error(_AWAY))


async def with_ids(events: AsyncGenerator[RunEvent], beat: float, closing: asyncio.Event, mend: Mend) -> AsyncGenerator[bytes]:
    """Yield a run's events as SSE with ids: frames without a name, all others by their kind, a `resync` without an id."""
    whole = Whole()
    yield RETRY
    async with contextlib.aclosing(_listen(_until_away(events), beat, closing)) as heard:
        async for event in heard:
            if event is None:
                yield BEAT
                continue
            if event.kind == PART:
                whole.take(event)
                continue
            if event.kind == FRAME:
                yield _sse(event.id, None, whole.take(event) or b"{}")
                continue
            if event.kind == "interrupted":
                # Before they are told of the end, what was said is in the thread.
                await _try(mend)
            data = event.data if event.is_end and event.data else b"{}"
            yield _sse(event.id, event.kind, data)


async def _until_away(events: AsyncGenerator[RunEvent]) -> AsyncGenerator[RunEvent]:
    """Yield the events, and end where the store goes away: the client comes back."""
    async with contextlib.aclosing(events):
        try:
            async for event in events:
                yield event
        except ClewError as error:
            logger.warning("a reader is sent away in the middle of an answer: %s", error)


def _sse(id: str | None, kind: str | None, data: bytes) -> bytes:
    head = (f"id: {id}\n" if id is not None else "") + (f"event: {kind}\n" if kind is not None else "")
    return head.encode() + b"data: " + data + b"\n\n"


async def _listen(events: AsyncGenerator[RunEvent], beat: float, closing: asyncio.Event) -> AsyncGenerator[RunEvent | None]:
    """Yield the events, None after `beat` seconds of silence; end with them, or when the process is about to."""
    ending = asyncio.create_task(closing.wait())
    step: asyncio.Task[RunEvent | None] | None = None
    try:
        while not closing.is_set():
            step = step or asyncio.create_task(_next(events))
            done, _ = await asyncio.wait({step, ending}, timeout=beat, return_when=asyncio.FIRST_COMPLETED)
            if step in done:
                event = step.result()
                if event is None:
                    return
                step = None
                yield event
            elif not done:
                yield None
    finally:
        tasks = [task for task in (step, ending) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await events.aclose()


async def _next(events: AsyncGenerator[RunEvent]) -> RunEvent | None:
    return await anext(events, None)


async def _try(mend: Mend) -> None:
    # Where the store is away, the next one who reads the thread does it.
    with contextlib.suppress(ClewError):
        await mend()


def _error(message: str) -> bytes:
    return msgspec.json.encode({"type": "error", "code": "custom", "message": message, "allow_retry": True})
