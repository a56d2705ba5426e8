"""One message of a channel and its answer: to be waited for, or followed as events. It is made whether anybody reads or not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec
from chatkit.types import AssistantMessageItem, UserMessageItem

from ... import Ref, Store
from ...adapters.chatkit import Answer, DurableServer
from ...errors import ClewError, NotFoundError, UnavailableError
from ...runs import ENDINGS
from .listening import FAILED, Listener
from .sessions import ChannelKit, Context, output_body
from .views import ChatRun, ChatView

END_S: Final = 3.0
"""How long an answer that is complete is waited for until it is known to be kept."""
BEGIN_S: Final = 8.0
"""How long an answer may take to begin, before it is made without the store."""
CLOSING_S: Final = 5.0
"""How long answers are waited for when the worker is told to end."""
ROUNDS: Final = 3
"""How often an answer may go on after a client tool call."""
UNKNOWN: Final = "unknown"
BEAT: Final = b": still here\n\n"
WHY: Final = {
    "cancelled": "The answer was stopped.",
    "interrupted": "The answer was interrupted.",
    "error": FAILED,
}
NOTHING: Final = "There is no answer."


class Talk(Protocol):
    """One message and its answer.

    Attributes:
        is_replay: whether it was sent before, and is told again.
    """

    @property
    def is_replay(self) -> bool:
        """See above."""
        ...

    def events(self) -> AsyncGenerator[bytes]:
        """Yield server-sent events: `chat`, then the run's own, and `reply` where the worker lives to see it."""
        ...

    async def end(self) -> ChatView:
        """Return the answer when it has ended. UnavailableError where the worker ends first."""
        ...


class Told:
    """An answer that was given already, or is being given to somebody else."""

    is_replay = True

    def __init__(self, view: Awaitable[ChatView]) -> None:
        self._view = view

    async def events(self) -> AsyncGenerator[bytes]:
        """See Talk."""
        view = await self.end()
        yield sse("chat", view)
        yield sse("reply", view)

    async def end(self) -> ChatView:
        """See Talk."""
        return await asyncio.shield(asyncio.ensure_future(self._view))


@dataclass(slots=True)
class Place:
    """Where answers are made: the store, or memory.

    Attributes:
        is_kept: whether it is the store.
        away: is told when it is found to be away.
        closing: set when the worker is told to end.
    """

    server: DurableServer[Context]
    kit: ChannelKit
    is_kept: bool
    away: Callable[[UnavailableError], None]
    closing: asyncio.Event
    beat: float

    @property
    def store(self) -> Store:
        """Where the threads are."""
        return self.kit.clew


@dataclass(slots=True)
class Making:
    """An answer that this worker makes.

    Attributes:
        opening: what is known before the answer.
        spare: begins it anew without the store, where the store broke it off.
        finished: gets the answer, for others who ask for it.
    """

    place: Place
    ref: Ref
    context: Context
    opening: ChatView
    listener: Listener
    answer: Answer
    spare: Callable[[], Awaitable[Making]] | None = None
    finished: asyncio.Future[ChatView] | None = None
    rounds: int = field(default=0)
    is_replay: bool = False

    async def events(self) -> AsyncGenerator[bytes]:
        """See Talk."""
        yield sse("chat", self.opening)
        try:
            while True:
                async with contextlib.aclosing(self._follow()) as chunks:
                    async for chunk in chunks:
                        yield chunk
                async for beat in self._wait_beating():
                    yield beat
                if not await self._go_on():
                    break
            yield sse("reply", await self._view())
        except UnavailableError:
            # The worker ends: the reader comes back to the run's own events.
            return

    async def end(self) -> ChatView:
        """See Talk."""
        while True:
            async for _ in self._wait_beating():
                pass
            if not await self._go_on():
                return await self._view()

    # -- how it is done -----------------------------------------------------------------------------------------------

    async def _follow(self) -> AsyncGenerator[bytes]:
        if not self.place.is_kept:
            # Ids would promise that one could come back to it.
            async with contextlib.aclosing(self.answer.frames) as frames:
                async for frame in frames:
                    yield frame
            return
        with contextlib.suppress(ClewError):
            events = await self.place.server.events(self.ref.id, self.answer.run_id, self.context)
            async with contextlib.aclosing(events):
                async for chunk in events:
                    yield chunk

    async def _wait_beating(self) -> AsyncGenerator[bytes]:
        """Wait for the last frame; yield a comment now and then."""
        ended = asyncio.create_task(self.listener.ended.wait())
        closing = asyncio.create_task(self.place.closing.wait())
        try:
            while not ended.done():
                done, _ = await asyncio.wait({ended, closing}, timeout=self.place.beat, return_when=asyncio.FIRST_COMPLETED)
                if closing in done:
                    await asyncio.wait({ended}, timeout=CLOSING_S)
                    if not ended.done():
                        raise UnavailableError("this worker is about to end: send it again with the same Idempotency-Key")
                elif not done:
                    yield BEAT
        finally:
            for task in (ended, closing):
                task.cancel()
            await asyncio.gather(ended, closing, return_exceptions=True)

    async def _go_on(self) -> bool:
        """Answer a client tool call that nobody here can show; tell whether the answer goes on."""
        listener = self.listener
        if not listener.is_waiting or listener.error is not None or self.rounds == ROUNDS:
            return False
        if await self._settle() not in ENDINGS:
            return False
        listener.go_on()
        try:
            answer = await self.place.server.process(output_body(self.ref.id), self.context, hear=listener.hear, patience=BEGIN_S)
        except UnavailableError as error:
            listener.is_away = True
            self.place.away(error)
            return False
        except ClewError:
            # Somebody else answered it, at the page.
            return False
        assert isinstance(answer, Answer), "what goes on is an answer"
        await self.answer.frames.aclose()
        self.answer = answer
        self.rounds += 1
        return True

    async def _settle(self) -> str:
        """Return how the run ended, as far as the store can tell."""
        if not self.listener.is_away:
            await asyncio.wait({self.answer.made}, timeout=END_S)
            if self.answer.made.done():
                try:
                    async with asyncio.timeout(END_S):
                        return (await self.place.store.runs.get(self.ref, self.answer.run_id)).state
                except UnavailableError as error:
                    self.place.away(error)
                except TimeoutError:
                    self.place.away(UnavailableError("the store does not answer"))
                except ClewError:
                    # The session was deleted meanwhile.
                    return UNKNOWN
        if self.listener.is_away:
            self.place.away(UnavailableError("the store went away while an answer was made"))
        return UNKNOWN

    async def _view(self) -> ChatView:
        try:
            view = await self._make_view()
        except BaseException as error:
            if self.finished is not None and not self.finished.done():
                self.finished.set_exception(error)
                self.finished.exception()
            raise
        if self.finished is not None and not self.finished.done():
            self.finished.set_result(view)
        return view

    async def _make_view(self) -> ChatView:
        state = await self._settle()
        await self.answer.frames.aclose()
        listener = self.listener
        reply, error = listener.reply, listener.error or WHY.get(state)
        is_kept = self.place.is_kept and state in ENDINGS
        if self.place.is_kept and not is_kept:
            if listener.is_whole:
                error = None
            elif self.spare is not None:
                again = await (await self.spare()).end()
                reply, error = again.reply, again.error
        if not reply and error is None:
            error = NOTHING
        run = ChatRun(self.answer.run_id, state) if self.place.is_kept else None
        view = msgspec.structs.replace(self.opening, reply=reply, persisted=is_kept, run=run, error=error)
        return view


@dataclass(slots=True)
class Replay:
    """An answer to a message that was sent before: it is made once, here or on another worker, and told again."""

    place: Place
    ref: Ref
    context: Context
    opening: ChatView
    run_id: str
    message_id: str
    is_replay: bool = True

    async def events(self) -> AsyncGenerator[bytes]:
        """See Talk."""
        yield sse("chat", self.opening)
        with contextlib.suppress(ClewError):
            events = await self.place.server.events(self.ref.id, self.run_id, self.context)
            async with contextlib.aclosing(events):
                async for chunk in events:
                    yield chunk
        with contextlib.suppress(UnavailableError):
            yield sse("reply", await self.end())

    async def end(self) -> ChatView:
        """See Talk."""
        state = await self._wait(self.run_id)
        further = await self.place.store.runs.active(self.ref)
        if further is not None:
            # It goes on after a client tool call; another message's answer is not told.
            await self._wait(further.id)
        reply = await self._read()
        error = WHY.get(state) or (None if reply else NOTHING)
        return msgspec.structs.replace(self.opening, reply=reply, run=ChatRun(self.run_id, state), error=error)

    async def _wait(self, run_id: str) -> str:
        following = self.place.store.runs.follow(self.ref, run_id)
        closing = asyncio.create_task(self.place.closing.wait())
        reading = asyncio.create_task(_last_kind(following))
        try:
            await asyncio.wait({closing, reading}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise UnavailableError("this worker is about to end: send it again with the same Idempotency-Key")
            return reading.result()
        finally:
            for task in (closing, reading):
                task.cancel()
            await asyncio.gather(closing, reading, return_exceptions=True)

    async def _read(self) -> str:
        """Return what was said after the message, up to the next one."""
        try:
            page = await self.place.kit.load_thread_items(self.ref.id, self.message_id, 50, "asc", self.context)
        except NotFoundError:
            return ""
        texts: list[str] = []
        for item in page.data:
            if isinstance(item, UserMessageItem):
                break
            if isinstance(item, AssistantMessageItem):
                texts.append("".join(part.text for part in item.content).strip())
        return "\n\n".join(text for text in texts if text)


def sse(event: str, value: object) -> bytes:
    """Return a server-sent event with JSON."""
    return b"event: " + event.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"


async def _last_kind(events: AsyncGenerator[object]) -> str:
    kind = UNKNOWN
    async with contextlib.aclosing(events):
        async for event in events:
            kind = getattr(event, "kind", UNKNOWN)
    return kind
