"""One message of a channel and its answer: to be waited for, or followed as events. It is made whether anybody reads or not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

import msgspec
from chatkit.types import AssistantMessageItem, UserMessageItem

from ... import Ref, Store
from ...adapters.chatkit import Answer, DurableServer
from ...errors import ClewError, NotFoundError, UnavailableError
from ...runs import ENDINGS
from .listening import FAILED, Listener
from .sessions import ChannelKit, Context, output_body
from .views import ChatRun, ChatView

T = TypeVar("T")
END_S: Final = 5.0
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


@dataclass(slots=True)
class Place:
    """Where answers are made: the store, or memory.

    Attributes:
        is_kept: whether it is the store.
        away: is told when it is found to be away.
        closing: set when the worker is told to end.
        tasks: what brings answers to their end.
    """

    server: DurableServer[Context]
    kit: ChannelKit
    is_kept: bool
    away: Callable[[UnavailableError], None]
    closing: asyncio.Event
    beat: float
    tasks: set[asyncio.Task[ChatView]] = field(default_factory=set)

    @property
    def store(self) -> Store:
        """Where the threads are."""
        return self.kit.clew


class Making:
    """An answer that this worker makes, whoever reads it: a task of its own brings it to its end."""

    is_replay = False

    def __init__(
        self,
        place: Place,
        ref: Ref,
        context: Context,
        opening: ChatView,
        listener: Listener,
        answer: Answer,
        spare: Callable[[], Awaitable[Talk]] | None = None,
    ) -> None:
        """Start the task.

        Args:
            opening: what is known before the answer.
            spare: begins it anew without the store, where the store broke it off.
        """
        self._place = place
        self._ref = ref
        self._context = context
        self._opening = opening
        self._listener = listener
        self._answers = [answer]
        self._more = asyncio.Event()
        self._spare = spare
        self._task = asyncio.create_task(self._bring())
        place.tasks.add(self._task)
        self._task.add_done_callback(place.tasks.discard)
        # Where nobody waits, what went wrong is nobody's.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def events(self) -> AsyncGenerator[bytes]:
        """See Talk."""
        yield sse("chat", self._opening)
        number = 0
        while True:
            async with contextlib.aclosing(self._follow(self._answers[number])) as chunks:
                async for chunk in chunks:
                    yield chunk
            while not self._task.done() and number + 1 == len(self._answers):
                if self._place.closing.is_set():
                    # The reader comes back to the run's own events.
                    return
                if not await self._wait_more():
                    yield BEAT
            number += 1
            if number == len(self._answers):
                break
        if not self._task.cancelled():
            yield sse("reply", self._task.result())

    async def end(self) -> ChatView:
        """See Talk."""
        return await wait_for(self._task, self._place.closing)

    # -- how it is done -----------------------------------------------------------------------------------------------

    async def _follow(self, answer: Answer) -> AsyncGenerator[bytes]:
        if not self._place.is_kept:
            # Ids would promise that one could come back to it.
            async with contextlib.aclosing(answer.frames) as frames:
                async for frame in frames:
                    yield frame
            return
        with contextlib.suppress(ClewError):
            events = await self._place.server.events(self._ref.id, answer.run_id, self._context)
            async with contextlib.aclosing(events):
                async for chunk in events:
                    yield chunk

    async def _wait_more(self) -> bool:
        """Wait until there is more to follow, or nothing ever; tell whether that was before a comment is due."""
        self._more.clear()
        watching = [asyncio.create_task(event.wait()) for event in (self._more, self._place.closing)]
        try:
            done, _ = await asyncio.wait({self._task, *watching}, timeout=self._place.beat, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        return bool(done)

    async def _bring(self) -> ChatView:
        await self._listener.ended.wait()
        while await self._go_on():
            await self._listener.ended.wait()
        state = await self._settle()
        listener = self._listener
        reply, error = listener.reply, listener.error or WHY.get(state)
        is_kept = self._place.is_kept and state in ENDINGS
        if self._place.is_kept and not is_kept:
            if listener.is_whole:
                error = None
            elif self._spare is not None and not self._place.closing.is_set():
                # One that is being made there is another message's.
                with contextlib.suppress(ClewError):
                    again = await (await self._spare()).end()
                    reply, error = again.reply, again.error
        if not reply and error is None:
            error = NOTHING
        run = ChatRun(self._answers[-1].run_id, state) if self._place.is_kept else None
        return msgspec.structs.replace(self._opening, reply=reply, persisted=is_kept, run=run, error=error)

    async def _go_on(self) -> bool:
        """Answer a client tool call that nobody here can show; tell whether the answer goes on."""
        listener = self._listener
        if not listener.is_waiting or listener.error is not None or len(self._answers) > ROUNDS:
            return False
        if await self._settle() not in ENDINGS:
            return False
        listener.go_on()
        try:
            answer = await self._place.server.process(
                output_body(self._ref.id), self._context, hear=listener.hear, patience=BEGIN_S
            )
        except UnavailableError as error:
            listener.is_away = True
            self._place.away(error)
            return False
        except ClewError:
            # Somebody else answered it, at the page.
            return False
        assert isinstance(answer, Answer), "what goes on is an answer"
        self._answers.append(answer)
        self._more.set()
        return True

    async def _settle(self) -> str:
        """Return how the run ended, as far as the store can tell."""
        answer = self._answers[-1]
        try:
            if self._listener.is_away:
                raise UnavailableError("the store went away while an answer was made")
            async with asyncio.timeout(END_S):
                await asyncio.wait({answer.made})
                return (await self._place.store.runs.get(self._ref, answer.run_id)).state
        except UnavailableError as error:
            self._place.away(error)
        except TimeoutError:
            self._place.away(UnavailableError("the store does not answer"))
        except ClewError:
            # The session was deleted meanwhile.
            return UNKNOWN
        return UNKNOWN


class Told:
    """An answer that is made, or was made, for a request that was sent before."""

    is_replay = True

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    async def events(self) -> AsyncGenerator[bytes]:
        """See Talk."""
        view = await self.end()
        yield sse("chat", view)
        yield sse("reply", view)

    async def end(self) -> ChatView:
        """See Talk."""
        return await self._talk.end()


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
        reading = asyncio.create_task(_last_kind(self.place.store.runs.follow(self.ref, run_id)))
        try:
            return await wait_for(reading, self.place.closing)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

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


async def wait_for(task: asyncio.Task[T], closing: asyncio.Event) -> T:
    """Return what a task returns, which goes on whoever waits. UnavailableError where the worker ends first."""
    ending = asyncio.create_task(closing.wait())
    try:
        await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait({task}, timeout=CLOSING_S)
        if not task.done() or task.cancelled():
            raise UnavailableError("this worker is about to end: send it again with the same Idempotency-Key")
        return task.result()
    finally:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)


async def finish(place: Place, grace: float) -> None:
    """Wait until the answers of a place have come to their end, at most `grace` seconds and a little; give up the others."""
    if place.tasks:
        await asyncio.wait(set(place.tasks), timeout=grace + END_S)
    for task in set(place.tasks):
        task.cancel()
    await asyncio.gather(*place.tasks, return_exceptions=True)


def sse(event: str, value: object) -> bytes:
    """Return a server-sent event with JSON."""
    return b"event: " + event.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"


async def _last_kind(events: AsyncGenerator[object]) -> str:
    kind = UNKNOWN
    async with contextlib.aclosing(events):
        async for event in events:
            kind = getattr(event, "kind", UNKNOWN)
    return kind
