"""The conversations of channels: each leads to one session, on every worker, and is answered with the store or without it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from ... import Ref
from ...adapters.chatkit import Answer, BusyError, DurableServer
from ...adapters.routing import ConversationConfig, ConversationStore
from ...assistant.supply import ModelSupply
from ...errors import AlreadyExistsError, NotFoundError, UnavailableError
from .claims import Claim
from .compacting import compact
from .listening import Listener
from .sessions import ChannelKit, ChatSessions, Context, context_of, message_body
from .spare import MakeServer, Spare
from .talks import BEGIN_S, Making, Place, Replay, Talk, finish
from .views import Ask, ChatRun, ChatView, ClearView, CompactView

ATTEMPTS: Final = 3


class Chat:
    """Made when a worker starts. It has no store until it is given one."""

    def __init__(self, prefix: str, make_server: MakeServer, supply: ModelSupply, *, lease: float, beat: float) -> None:
        """Do nothing yet.

        Args:
            prefix: the beginning of the routes' keys.
            make_server: makes the agent's server, on a store in memory too.
            supply: the model that writes summaries; it stays the caller's to close.
            lease, beat: as DurableServer has them.
        """
        self._config = ConversationConfig(key_prefix=prefix)
        self._supply = supply
        self._beat = beat
        self._closing = asyncio.Event()
        self._spare = Spare(make_server, lease=lease, beat=beat, closing=self._closing)
        self._place: Place | None = None
        self._routing: ConversationStore | None = None

    async def attach(self, server: DurableServer[Context], kit: ChannelKit) -> None:
        """Take the store, which is open, and answer with it from now on."""
        routing = ConversationStore(self._config, store=kit.clew)
        with contextlib.suppress(UnavailableError):
            # It went away again just now; routing has noted that, and tries it.
            await routing.init()
        self._place = Place(server, kit, True, routing.mark_away, self._closing, self._beat)
        self._routing = routing

    @property
    def is_away(self) -> bool:
        """Whether the store is known to be away."""
        return self._routing is not None and self._routing.is_away

    def suspect_away(self, error: UnavailableError) -> None:
        """Take note that a call of somebody else's found the store away, if it is."""
        if self._routing is not None and not self._closing.is_set():
            self._routing.suspect_away(error)

    def note_answer(self) -> None:
        """Take note that a call of somebody else's was answered by the store."""
        if self._routing is not None and self._routing.is_away:
            self._routing.mark_back()

    async def begin(self, ask: Ask) -> Talk:
        """Begin to answer a message, with the store where it is there.

        Raises:
            BusyError: an answer is being made in this conversation.
            UnavailableError: this worker is about to end.
        """
        told = self._spare.told(ask)
        if told is not None:
            return told
        if self._place is not None and not self.is_away:
            try:
                return await self._begin_kept(self._place, ask)
            except UnavailableError as error:
                self._check_open()
                self._place.away(error)
        self._check_open()
        return await self._spare.begin(ask)

    async def clear(self, ask: Ask) -> ClearView:
        """Let a conversation start afresh at its next message. UnavailableError: whether it led anywhere is not known."""
        await self._spare.forget(ask.route)
        _, routing = self._attached()
        return ClearView(ask.conversation_id, await routing.clear(ask.route))

    async def compact(self, ask: Ask) -> CompactView:
        """Move a conversation to a new session with a summary; see `compacting`."""
        place, routing = self._attached()
        return await compact(place, routing, self._supply, ask)

    def close_readers(self) -> None:
        """Begin no more answers, and end the responses that wait for some."""
        self._closing.set()
        self._spare.close_readers()

    async def aclose(self, grace: float) -> None:
        """Close what is open here; the store is its opener's."""
        self.close_readers()
        if self._place is not None:
            await finish(self._place, grace)
        await self._spare.aclose(grace)
        if self._routing is not None:
            await self._routing.close()

    # -- how it is done -----------------------------------------------------------------------------------------------

    def _attached(self) -> tuple[Place, ConversationStore]:
        if self._place is None or self._routing is None:
            raise UnavailableError("the store is away since this worker started")
        return self._place, self._routing

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise UnavailableError("this worker is about to end: send it again, and another one takes it")

    async def _begin_kept(self, place: Place, ask: Ask) -> Talk:
        assert self._routing is not None, "it comes with the place"
        sessions = ChatSessions(place.store, ask)
        routing = self._routing.with_sessions(sessions)
        claim = None if ask.once is None else Claim(place, self._config.prefix_of("once"), ask, ask.once)
        first = None if claim is None else await claim.find(sessions)
        for attempt in range(ATTEMPTS):
            if first is None:
                found = await routing.resolve(ask.route)
                ref, created = Ref(ask.owner, found.session_id), found.created
            else:
                # It was answered where the conversation led then, wherever it leads now.
                ref, created, first = first, False, None
            try:
                if claim is None:
                    talk: Talk = await self._make(place, ask, ref, created)
                else:
                    talk = await self._make_once(place, ask, await claim.take(ref), created, claim)
            except NotFoundError:
                # Deleted just now, by somebody else: the next look at it tells.
                if attempt == ATTEMPTS - 1:
                    raise
            except BusyError as busy:
                made = place.server.ending(busy.run_id)
                if made is None or attempt == ATTEMPTS - 1:
                    raise
                # The store is back just now, and the end of an answer that was told without it is on its way there.
                await asyncio.wait({made}, timeout=BEGIN_S)
            else:
                await self._spare.forget(ask.route)
                return talk
        raise AssertionError("the last attempt returns or raises")

    async def _make_once(self, place: Place, ask: Ask, ref: Ref, created: bool, claim: Claim) -> Talk:
        for number in range(ATTEMPTS):
            run_id = claim.run_id(number)
            replay = Replay(place, ref, context_of(ask), _opening(ask, ref, False, run_id), run_id, claim.message_id)
            try:
                return await self._make(place, ask, ref, created, run_id, claim.message_id)
            except AlreadyExistsError:
                if await claim.is_stored(ref) or (await place.store.runs.get(ref, run_id)).is_open:
                    return replay
                # The first delivery came to nothing before its message was stored.
            except BusyError as busy:
                if busy.run_id != run_id:
                    raise
                await claim.is_stored(ref)
                return replay
        raise UnavailableError("this message was begun several times, and could not be stored: send it anew")

    async def _make(
        self, place: Place, ask: Ask, ref: Ref, created: bool, run_id: str | None = None, message_id: str | None = None
    ) -> Making:
        context, listener = context_of(ask, message_id), Listener()
        answer = await place.server.process(
            message_body(ref.id, ask.message), context, run_id=run_id, hear=listener.hear, patience=BEGIN_S
        )
        assert isinstance(answer, Answer), "a message is answered"
        opening = _opening(ask, ref, created, answer.run_id)
        return Making(place, ref, context, opening, listener, answer, spare=lambda: self._spare.begin(ask))


def _opening(ask: Ask, ref: Ref, created: bool, run_id: str) -> ChatView:
    return ChatView("", ask.conversation_id, ref.id, created, True, ChatRun(run_id, "open"))
