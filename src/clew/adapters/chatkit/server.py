"""A ChatKit server whose answers outlive their requests: each is a run, and the response only tails it.

It wraps any `ChatKitServer` as it is. A reader that leaves changes nothing; a stop ends the answer and keeps what it had said;
what a process that died had said is kept by whoever meets its run next. Nothing here knows a web framework.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic

from chatkit.server import ChatKitServer, StreamingResult
from chatkit.types import (
    ChatKitReq,
    ItemsListReq,
    ThreadItem,
    ThreadMetadata,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsGetByIdReq,
)
from pydantic import TypeAdapter, ValidationError

import clew
from clew import EventId, Producer, Ref, Retention, Run
from clew.errors import AlreadyExistsError, ConflictError, GoneError, InvalidError, UnavailableError

from . import mending
from .failures import telling
from .frames import Frame
from .marks import Mark
from .owners import TContext
from .refusals import BadRequestError, BusyError
from .store import ChatKitStore
from .tailing import bare, with_ids
from .turn import Hear, Turn, current

logger = logging.getLogger("clew.adapters.chatkit")

_REQUEST: Final[TypeAdapter[Any]] = TypeAdapter(ChatKitReq)
LEASE_S: Final = 15.0
STOPPING_S: Final = 5.0
"""How long a new turn waits for one that was told to stop."""
LEAVE_S: Final = 5.0
"""How long it may take to keep what was said when the process ends."""
RETENTION: Final = Retention(max_events=100_000)
REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in one piece.

    Attributes:
        json: the body, `application/json`.
    """

    json: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is being made, whether it is read or not.

    Attributes:
        thread_id, run_id: for whoever comes back to it.
        frames: what stock ChatKit clients read, `text/event-stream`. Close it when its reader leaves.
        made: done when the answer has ended and all of it is written down, or cannot be.
    """

    thread_id: str
    run_id: str
    frames: AsyncGenerator[bytes]
    made: asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a thread stands.

    Attributes:
        run: the answer that is being made, None where none is.
        last: the id of the newest item that is shown.
        marks: for the ids of items that end an answer which is not whole: `stopped`, `interrupted` or `failed`.
    """

    run: Run | None
    last: str | None
    marks: Mapping[str, Mark]


class DurableServer(Generic[TContext]):
    """`durable = DurableServer(MyChatKitServer(ChatKitStore(store)))`, and `await durable.process(body, context)` for its own."""

    def __init__(
        self, server: ChatKitServer[TContext], *, lease: float = LEASE_S, retention: Retention = RETENTION, beat: float = 15.0
    ) -> None:
        """Take over a server's hook for cancelled streams; everything else of it stays as it is.

        Args:
            server: any ChatKit server on a `ChatKitStore`.
            lease: seconds until the answer of a process that died counts as interrupted.
            retention: how long the runs are kept; the thread's items stay.
            beat: seconds of silence after which a response sends a comment, so that nothing on the way takes it for dead.

        Raises:
            InvalidError: its store is another one.
        """
        if not isinstance(server.store, ChatKitStore):
            raise InvalidError("the server's store must be a ChatKitStore: its answers are kept as runs beside its threads")
        self._server = server
        self._kit: ChatKitStore[TContext] = server.store
        self._store: clew.Store = server.store.clew
        self._lease = lease
        self._retention = retention
        self._beat = beat
        self._turns: dict[asyncio.Task[None], Turn] = {}
        self._mended: OrderedDict[str, None] = OrderedDict()
        self._closing = asyncio.Event()
        self._hook = server.handle_stream_cancelled
        server.handle_stream_cancelled = self._end_early  # type: ignore[method-assign]  # the one seam that ChatKit gives

    # -- what people ask ----------------------------------------------------------------------------------------------

    async def process(
        self,
        request: str | bytes | bytearray,
        context: TContext,
        *,
        run_id: str | None = None,
        hear: Hear | None = None,
        patience: float | None = None,
    ) -> Reply | Answer:
        """Answer a ChatKit request; `process` of the wrapped server does the work.

        Args:
            run_id: the id of the answer's run, so that a request that is sent twice is answered once; made for None.
            hear: is called in this process with each frame of the answer as it is made, and with None after the last one. It
                hears also what the store is too far away to keep, and must not raise.
            patience: how many seconds an answer may take to begin; None for as long as the store is asked.

        Raises:
            AlreadyExistsError: the thread has a run of this id: follow that one.
            BadRequestError: it is none that ChatKit knows, or does not fit the thread as it is.
            NotFoundError, GoneError: this owner has no such thread, item or attachment.
            BusyError: an answer is being made in this thread; `run_id` says which.
            UnavailableError: the store, or this process, is not there for it now.
        """
        try:
            parsed = _REQUEST.validate_json(request)
        except ValidationError as error:
            raise BadRequestError("this is no ChatKit request: its type or its parameters are wrong") from error
        with mending.translating():
            thread_id = getattr(parsed.params, "thread_id", None)
            if isinstance(parsed, ThreadsGetByIdReq | ItemsListReq) and isinstance(thread_id, str):
                await self._mend(self._kit.ref_of(thread_id, context))
            if isinstance(parsed, ThreadsCreateReq | ThreadsAddUserMessageReq):
                # Before anything is written: else an unknown one leaves an empty thread behind.
                for id in parsed.params.input.attachments:
                    await self._kit.load_attachment(id, context)
            result = await self._server.process(request, context)
            if not isinstance(result, StreamingResult):
                return Reply(result.json)
            return await self._answer(aiter(result), parsed, thread_id, context, run_id, hear, patience)

    async def stop(self, thread_id: str, run_id: str, context: TContext) -> Run:
        """Ask an answer to stop, and return its run, which is open until it has. What it had said is kept, and marked.

        Raises:
            NotFoundError, GoneError: this owner has no such run.
        """
        with mending.translating():
            return await self._store.runs.cancel(self._kit.ref_of(thread_id, context), run_id)

    async def active(self, thread_id: str, context: TContext) -> Run | None:
        """Return the run of the answer that is being made in a thread, None where none is. As `stop` otherwise."""
        with mending.translating():
            ref = self._kit.ref_of(thread_id, context)
            found = await self._store.runs.active(ref)
            if found is None:
                await self._mend(ref)
                # The list of a thread that nobody has is empty, and says nothing.
                await self._store.threads.get(ref)
            return found

    async def events(self, thread_id: str, run_id: str, context: TContext, after: str | None = None) -> AsyncGenerator[bytes]:
        """Return an answer's events as SSE with ids, from the one after `after`, on any worker; to be closed by its reader.

        A `resync` event, which has no id, says: forget what you have of this answer, and read the thread's items again.

        Raises:
            NotFoundError, GoneError: this owner has no such run.
            BadRequestError: `after` is no event's id.
        """
        with mending.translating():
            ref = self._kit.ref_of(thread_id, context)
            try:
                cursor = None if after is None else EventId.parse(after)
            except InvalidError as error:
                raise BadRequestError(str(error)) from error
            # Here, so that it is refused before a response has begun.
            await self._store.runs.get(ref, run_id)
        events = self._store.runs.follow(ref, run_id, after=cursor)
        return with_ids(events, self._beat, self._closing, lambda: self._mend(ref))

    async def standing(self, thread_id: str, context: TContext, *, limit: int = 100) -> Standing:
        """Return how a thread stands: what is being made in it, its newest item, and which answers are not whole.

        Args:
            limit: how many of the newest items are looked at, hidden ones included.

        Raises:
            NotFoundError, GoneError: this owner has no such thread.
        """
        with mending.translating():
            run = await self.active(thread_id, context)
            items = await self._store.items.tail(self._kit.ref_of(thread_id, context), limit)
            return Standing(run, mending.find_last(items), mending.find_marks(items))

    def ending(self, run_id: str) -> asyncio.Task[None] | None:
        """Return what writes down the end of an answer that this process has made, None where there is no such answer."""
        return next((task for task, turn in self._turns.items() if turn.is_complete and turn.run_id == run_id), None)

    # -- the end of the process ---------------------------------------------------------------------------------------

    def close_readers(self) -> None:
        """End every response; what they read goes on being made, and their clients come back to another worker. May be
        called from a signal handler's `call_soon_threadsafe`."""
        self._closing.set()

    async def aclose(self, grace: float = 10.0) -> None:
        """Take no more turns; give those that run `grace` seconds to end, then keep what they have and mark it interrupted.

        Where the store is away that cannot be done: after LEAVE_S seconds it is left to whoever reads those answers next.
        """
        self.close_readers()
        if self._turns:
            await asyncio.wait(set(self._turns), timeout=grace)
        for turn in list(self._turns.values()):
            turn.leave()
        if self._turns:
            await asyncio.wait(set(self._turns), timeout=LEAVE_S)
        left = set(self._turns)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    @property
    def busy(self) -> int:
        """How many answers this process is making."""
        return len(self._turns)

    # -- how it is done -----------------------------------------------------------------------------------------------

    async def _answer(
        self,
        frames: AsyncIterator[bytes],
        parsed: Any,
        thread_id: str | None,
        context: TContext,
        run_id: str | None,
        hear: Hear | None,
        patience: float | None,
    ) -> Answer:
        if self._closing.is_set():
            raise UnavailableError("this server is about to end: send it again, and another one takes it")
        makes_thread = isinstance(parsed, ThreadsCreateReq)
        is_new_message = isinstance(parsed, ThreadsAddUserMessageReq)

        async def begin(first: Frame | None) -> tuple[Ref, Producer]:
            ref = self._kit.ref_of(first["thread"]["id"] if first is not None else str(thread_id), context)
            producer = await self._start(ref, run_id)
            if not makes_thread:
                try:
                    await self._mend(ref, but=producer.id)
                    if is_new_message:
                        await mending.drop_pending_calls(self._kit, ref, context)
                except BaseException:
                    await producer.fail()
                    raise
            return ref, producer

        turn = Turn(self._store, frames, begin, makes_thread=makes_thread, rewrite=_rewrite, hear=hear)
        task = turn.start()
        self._turns[task] = turn
        task.add_done_callback(lambda done: self._turns.pop(done, None))
        try:
            async with asyncio.timeout(patience):
                # Whoever waits here may leave: the answer is made all the same.
                ref, run = await asyncio.shield(turn.begun)
        except TimeoutError as error:
            turn.leave()
            raise UnavailableError("the store did not answer in time, so no answer was begun") from error
        events = self._store.runs.follow(ref, run)
        return Answer(ref.id, run, bare(events, self._beat, self._closing, lambda: self._mend(ref)), task)

    async def _start(self, ref: Ref, id: str | None) -> Producer:
        start = partial(self._store.runs.start, ref, id=id, lease=self._lease, retention=self._retention)
        try:
            return await start()
        except AlreadyExistsError:
            raise
        except ConflictError as conflict:
            other = str(conflict.actual)
            try:
                if (await self._store.runs.get(ref, other)).cancel_ms is not None:
                    return await start(wait=STOPPING_S)
            except (ConflictError, GoneError) as again:
                if isinstance(again, GoneError | AlreadyExistsError):
                    raise
            raise BusyError(ref.id, other) from conflict

    async def _mend(self, ref: Ref, *, but: str | None = None) -> None:
        """Keep what the thread's newest answer had said, where the process that made it died."""
        newest = await mending.find_newest(self._store, ref, but)
        if newest is None or newest.id in self._mended:
            return
        if mending.is_broken(newest):
            await mending.mend(self._store, ref, newest)
        if not newest.is_open:
            self._mended[newest.id] = None
            while len(self._mended) > REMEMBERED:
                self._mended.popitem(last=False)

    async def _end_early(self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: TContext) -> None:
        """Stand in for the server's `handle_stream_cancelled`: only a stop is what the hook was written for."""
        turn = current.get()
        if turn is None or turn.why == "stopped":
            with telling():
                await self._hook(thread, pending_items, context)


def _rewrite(frame: Frame) -> Frame | None:
    """Tell ChatKit's own client not to offer its stop button: it only leaves, and leaving is no stop."""
    if frame.get("type") != "stream_options":
        return None
    return {**frame, "stream_options": {**frame["stream_options"], "allow_cancel": False}}
