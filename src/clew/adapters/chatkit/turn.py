"""One answer being made, apart from the request that asked for it: a task that reads a ChatKit server's frames into a run's log.

Nobody who reads or leaves changes anything. A stop, the end of the process and a lost run each end it in their own way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Final, Literal, TypeAlias

import msgspec

import clew
from clew import ClewError, Producer, Ref
from clew.errors import FencedError, NotFoundError, NotReplicatedError, UnavailableError

from .drafts import Drafts
from .frames import Frame, batch, cut, join, read_frame
from .marks import Mark, save_unfinished

logger = logging.getLogger("clew.adapters.chatkit")

Why: TypeAlias = Literal["stopped", "interrupted", "lost", "failed"]
"""Why an answer is ended before its own end: `lost` is another's by now, `failed` cannot be written down."""

Hear: TypeAlias = Callable[[Frame | None], None]
"""Who listens to an answer in the process that makes it. It must not raise."""

current: ContextVar[Turn | None] = ContextVar("clew_chatkit_turn", default=None)
"""The turn whose answer this task makes, for the server's hook."""
GIVE_UP_S: Final = 10.0
"""How long an answer may take to end when it is told to."""
GATHER_S: Final = 0.03
"""How long pieces of text are gathered before they are written down together."""
FAILED: Final[Frame] = {"type": "error", "code": "stream.error", "allow_retry": True}


class Turn:
    """One answer. `begun` is its run's id, as soon as there is something to read of it, or why there will be nothing."""

    def __init__(
        self,
        store: clew.Store,
        frames: AsyncIterator[bytes],
        begin: Callable[[Frame | None], Awaitable[tuple[Ref, Producer]]],
        *,
        makes_thread: bool,
        rewrite: Callable[[Frame], Frame | None],
        hear: Hear | None = None,
    ) -> None:
        """Do nothing yet; `start` does.

        Args:
            store: where the thread is.
            frames: what the ChatKit server streams.
            begin: starts the run, with the first frame where that is what makes the thread.
            makes_thread: whether it is.
            rewrite: returns a frame to be sent in the place of one; None leaves it as it is.
            hear: is called with each frame as it is made, before it is written down, and with None after the last one.
        """
        self._store = store
        self._frames = frames
        self._begin = begin
        self._makes_thread = makes_thread
        self._rewrite = rewrite
        self._hear = hear
        self.begun: asyncio.Future[tuple[Ref, str]] = asyncio.get_running_loop().create_future()
        self.why: Why | None = None
        self.drafts = Drafts()
        self._leave = asyncio.Event()
        self._waiting: list[tuple[bytes, Frame]] = []
        self._ready = asyncio.Event()
        self._is_complete = False
        self._ref: Ref | None = None
        self._producer: Producer | None = None

    @property
    def run_id(self) -> str | None:
        """The id of its run, None before that began."""
        return None if self._producer is None else self._producer.id

    @property
    def is_complete(self) -> bool:
        """Whether all of it was made, and only its end is to be written down."""
        return self._is_complete

    def start(self) -> asyncio.Task[None]:
        """Make the answer in a task of its own, which the caller keeps."""
        # Where nobody waits any more, why it did not begin is nobody's.
        self.begun.add_done_callback(lambda begun: begun.cancelled() or begun.exception())
        return asyncio.create_task(self._make())

    def leave(self) -> None:
        """The process ends: keep what there is, and end the run as `interrupted`."""
        self._leave.set()

    # -- making it ----------------------------------------------------------------------------------------------------

    async def _make(self) -> None:
        try:
            frames = aiter(self._frames)
            first: bytes | None = None
            if self._makes_thread:
                first = read_frame(await anext(frames))
            self._ref, self._producer = await self._begin(msgspec.json.decode(first) if first is not None else None)
            if first is not None:
                self._take(first)
        except StopAsyncIteration:
            self._refuse(NotFoundError("there is nothing to answer"))
            return
        except Exception as error:
            self._refuse(error)
            return
        finally:
            if self._producer is None:
                self._tell(None)
        try:
            await self._run(frames, self._ref, self._producer)
        except Exception as error:
            # The lease runs out, the run is marked interrupted, and whoever reads it next saves what its log holds.
            logger.exception("the answer of the run %s could not be brought to its end", self._producer.id)
            self._refuse(error)
        finally:
            await self._producer.aclose()

    async def _run(self, frames: AsyncIterator[bytes], ref: Ref, producer: Producer) -> None:
        making = asyncio.create_task(self._read(frames))
        writing = asyncio.create_task(self._write(producer))
        stopping = asyncio.create_task(producer.wait_stop())
        leaving = asyncio.create_task(self._leave.wait())
        try:
            await asyncio.wait({making, writing, stopping, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not making.done():
                self.why = self._reason(producer, writing)
                making.cancel()
                await asyncio.wait({making}, timeout=GIVE_UP_S)
            error = making.exception() if making.done() and not making.cancelled() else None
            is_refused = not self.begun.done()
            if error is not None and self.why is None and not is_refused:
                logger.error("an answer ended with an error", exc_info=error)
                self._take(msgspec.json.encode(FAILED))
            if not making.done():
                logger.error("the answer of the run %s does not end although it was told to; it is left alone", producer.id)
            if self.why == "stopped" and (error is not None or not making.done()):
                # Its own way of saving what there was did not work.
                await self._keep(ref, producer, "stopped")
        finally:
            self._is_complete = True
            self._tell(None)
            self._ready.set()
            for task in (stopping, leaving):
                task.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        try:
            await self._end(ref, producer, writing.exception(), is_refused)
        finally:
            # After the run's end, so that who is refused and tries again does not meet it.
            self._refuse(error or self._nothing())

    def _nothing(self) -> ClewError:
        if self.why is None:
            return NotFoundError("there is nothing to answer: the thread has no such message")
        return UnavailableError("the answer was ended before it began: try again")

    def _reason(self, producer: Producer, writing: asyncio.Task[None]) -> Why:
        if producer.stop_reason is not None:
            return "stopped" if producer.stop_reason == "cancelled" else "lost"
        if writing.done():
            return "failed"
        return "interrupted"

    async def _end(self, ref: Ref, producer: Producer, fault: BaseException | None, is_refused: bool) -> None:
        if fault is not None and self.why is None:
            self.why = "lost" if isinstance(fault, FencedError | NotFoundError) else "failed"
        if self.why == "lost":
            return
        if self.why == "interrupted":
            if not is_refused:
                await self._keep(ref, producer, "interrupted")
            await producer.interrupted()
        elif self.why == "stopped":
            await producer.cancelled()
        elif is_refused:
            await producer.fail(b'{"error":"refused"}')
        else:
            if self.why == "failed" or self.drafts.messages():
                await self._keep(ref, producer, "failed")
            is_failed = self.why == "failed" or self.drafts.has_error
            await (producer.fail() if is_failed else producer.finish())

    async def _keep(self, ref: Ref, producer: Producer, mark: Mark) -> None:
        await save_unfinished(self._store, ref, producer.id, self.drafts.messages(), mark)

    # -- its frames ---------------------------------------------------------------------------------------------------

    async def _read(self, frames: AsyncIterator[bytes]) -> None:
        """Read all frames. It waits for nothing else, so that a cancellation always meets the answer, and never this loop."""
        current.set(self)
        async for chunk in frames:
            self._take(read_frame(chunk))

    def _take(self, data: bytes) -> None:
        frame: Frame = msgspec.json.decode(data)
        instead = self._rewrite(frame)
        if instead is not None:
            frame, data = instead, msgspec.json.encode(instead)
        self.drafts.see(frame)
        self._tell(frame)
        self._waiting.append((data, frame))
        self._ready.set()
        if not self.begun.done() and self._ref is not None and self._producer is not None:
            self.begun.set_result((self._ref, self._producer.id))

    async def _write(self, producer: Producer) -> None:
        """Write frames down as they come, those that wait together in one trip."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            waiting, self._waiting = self._waiting, []
            for events in batch(event for frame in join(waiting) for event in cut(frame)):
                try:
                    await producer.extend(events)
                except (UnavailableError, NotReplicatedError) as error:
                    # The producer keeps them, and writes them before the next ones.
                    logger.warning("the store is away, and an answer goes on: %s", error)
            if self._is_complete and not self._waiting:
                return
            if not self._is_complete:
                await asyncio.sleep(GATHER_S)

    def _tell(self, frame: Frame | None) -> None:
        if self._hear is not None:
            self._hear(frame)

    def _refuse(self, error: BaseException) -> None:
        if not self.begun.done():
            self.begun.set_exception(error)
