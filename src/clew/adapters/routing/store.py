"""From the conversations of chat channels to agent sessions, shared by all instances of a server.

Every answer is measured: what cannot be found out is an UnavailableError, never "not there", and while the store is known to be
away calls fail at once. Of many instances that meet a new conversation exactly one makes its session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass
from types import TracebackType
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from ... import Resolved, Store, connect
from ...errors import ClosedError, ConflictError, InvalidError, NotFoundError, UnavailableError
from ...ids import new_id
from ...settings import mask_url
from ...store import Gate, Routes
from .config import ConversationConfig
from .sessions import Sessions

logger = logging.getLogger("clew.routing")
T = TypeVar("T")

MAKING_S: Final = 30.0
"""How long an instance may take to make a session before another one tries."""
PATIENCE_S: Final = 65.0
"""How long a call waits for another instance to make one."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """A conversation that moved on: the session it left, which stays readable, and the one with the summary."""

    previous: str
    session_id: str


class ConversationStore:
    """Which session each conversation leads to. Safe to share by all tasks; `init` it first, `close` it at the end.

    Args:
        config: a ConversationConfig, or a mapping of its names; None for the defaults and the environment.
        sessions: who keeps the sessions: for `get_or_create_session` to see that one is still there and to make a real one, and
            for `compact`. For None a session is an id that is made here, and nobody is asked.
        store: an open store to work on, which `close` leaves open; None to open one.
        ttl: seconds without a look at a conversation after which its mapping vanishes; None for never.

    Raises:
        InvalidError: a setting that is not known, or cannot be used.
    """

    def __init__(
        self,
        config: ConversationConfig | Mapping[str, object] | None = None,
        *,
        sessions: Sessions | None = None,
        store: Store | None = None,
        ttl: float | None = None,
    ) -> None:
        if config is None:
            config = ConversationConfig()
        self.config = config if isinstance(config, ConversationConfig) else ConversationConfig.from_mapping(config)
        self._sessions = sessions
        self._given = store
        self._ttl = ttl
        self._url: str | None = None
        self._store: Store | None = None
        self._routes: Routes | None = None
        self._gate: Gate | None = None
        self._turns: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()

    # -- its life -----------------------------------------------------------------------------------------------------

    async def init(self, url: str | None = None) -> None:
        """Open the store and prove that it answers. Where it does not, it is tried on in the background until `close`.

        So a server may start without it, note the error, and route again when the store is there. Once it is initialized,
        another call does nothing.

        Args:
            url: the store; None for the configuration's, else the environment's.

        Raises:
            UnavailableError: it does not answer yet.
            DeniedError, UnsupportedError, InvalidError, MissingExtraError: it cannot be used; call `init` again when it can.
        """
        if self.is_initialized():
            logger.warning("ConversationStore is initialized already", extra={"event": "routing_init_again"})
            return
        # What an earlier call that failed left behind: this one tries anew.
        await self.close()
        self._url = None if self._given is not None else self.config.choose_url(url)
        place = self._given.place if self._given is not None else mask_url((self._url or "").partition("?")[0])
        gate = Gate(self._probe, place, "routing")
        try:
            await self._open()
        except UnavailableError as error:
            self._gate = gate
            gate.shut(error)
            raise
        self._gate = gate
        logger.info("ConversationStore initialized: %s", place, extra={"event": "routing_initialized", "store": place})

    def is_initialized(self) -> bool:
        """Tell whether the store has been reached since `init`. It may be away again by now: `health_check` measures that."""
        return self._routes is not None

    async def health_check(self) -> bool:
        """Ask the store whether it answers, within the command's time-out, and tell. Nothing is raised."""
        if self._gate is None:
            return False
        try:
            if self._store is None:
                await self._open()
            else:
                # All of it: where a part is away, some conversations cannot be led.
                await self._store.ping()
        except UnavailableError as error:
            self.mark_away(error)
            return False
        except Exception as error:
            logger.warning("routing health check: %s: %s", type(error).__name__, error, extra={"event": "routing_unhealthy"})
            return False
        self._gate.open()
        return True

    @property
    def is_away(self) -> bool:
        """Whether calls fail at once: the store did not answer, and is tried in the background. Nobody is asked."""
        return self._gate is not None and not self._gate.is_open

    def mark_away(self, error: UnavailableError) -> None:
        """Take note that a call of somebody else's found the store away: calls fail at once until it answers.

        Of a store that may be away in part, as a cluster, first it is asked whether anything of it answers.
        """
        if self._gate is not None:
            self._gate.note(error, in_part=self._store is not None and self._store.fails_in_part)

    def suspect_away(self, error: UnavailableError) -> None:
        """Ask the store whether it is away, since a call of somebody else's says so, and take note if it is."""
        if self._gate is not None:
            self._gate.suspect(error)

    def mark_back(self) -> None:
        """Take note that a call of somebody else's was answered by the store: it is not waited for until the next try."""
        if self._gate is not None and self._routes is not None:
            self._gate.open()

    def with_sessions(self, sessions: Sessions) -> ConversationStore:
        """Return the same routing with other sessions, as another owner's, by the same connection. This one is to be closed."""
        other = copy(self)
        other._sessions = sessions
        return other

    async def close(self) -> None:
        """Finish what was sent, and close what `init` opened. Later calls raise ClosedError; `init` opens it again."""
        gate, self._gate = self._gate, None
        store, self._store, self._routes = self._store, None, None
        if gate is not None:
            await gate.aclose()
        if store is not None and store is not self._given:
            await store.aclose()

    async def __aenter__(self) -> ConversationStore:
        await self.init()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    # -- the mapping --------------------------------------------------------------------------------------------------

    async def get(self, conversation_id: str) -> str | None:
        """Return the session the conversation leads to, None where there is none."""
        return await self._do(lambda routes: routes.get(conversation_id))

    async def set(self, conversation_id: str, session_id: str) -> None:
        """Lead the conversation to a session, wherever it led before."""
        await self._do(lambda routes: routes.set(conversation_id, session_id))

    async def delete(self, conversation_id: str) -> bool:
        """Delete the mapping; tell whether it was there. The session is left alone."""
        return await self._do(lambda routes: routes.delete(conversation_id))

    async def exists(self, conversation_id: str) -> bool:
        """Tell whether the conversation leads anywhere."""
        return await self._do(lambda routes: routes.exists(conversation_id))

    async def clear(self, conversation_id: str) -> bool:
        """Let the conversation start afresh at its next message; tell whether there was a mapping."""
        return await self.delete(conversation_id)

    async def conversations(self, session_id: str) -> list[str]:
        """Return the conversations that lead to a session now."""
        return await self._do(lambda routes: routes.conversations(session_id))

    # -- sessions -----------------------------------------------------------------------------------------------------

    async def get_or_create_session(self, conversation_id: str, *, gone: str | None = None) -> str:
        """Return the conversation's session, made where it has none, or where its session does not exist any more.

        One call of the store for a known conversation, where no `sessions` have to be asked.

        Args:
            gone: a session that the caller found to be gone: a mapping to it is replaced.

        Raises:
            UnavailableError: the store cannot be asked; nothing was made. Whatever `sessions` raise is passed on, and no mapping
                is touched for it.
        """
        return (await self.resolve(conversation_id, gone=gone)).session_id

    async def resolve(self, conversation_id: str, *, gone: str | None = None) -> Resolved:
        """Do as `get_or_create_session`, and tell also whether this call made the session."""
        found = await self._do(lambda routes: routes.get(conversation_id))
        if found is not None and await self._stands(found, gone):
            return Resolved(found, created=False)
        turn = self._turn(conversation_id)
        waits = turn.locked()
        async with turn:
            if waits:
                # Whoever had the turn before has made it, mostly: to ask for it among all instances would take four calls.
                found = await self.get(conversation_id)
                if found is not None and await self._stands(found, gone):
                    return Resolved(found, created=False)
            if self._sessions is None and found is None:
                return await self._do(lambda routes: routes.resolve(conversation_id, new_id))
            return await self._make(conversation_id, gone)

    async def compact(self, conversation_id: str, summary: str | Callable[[str], Awaitable[str]]) -> Compacted | None:
        """Move the conversation to a new session that carries a summary. The old one stays readable.

        Args:
            summary: the text, or what makes it of the old session's id.

        Returns:
            the two sessions; None where the conversation leads nowhere, and nothing is made.

        Raises:
            ConflictError: the conversation was moved meanwhile (`actual`), and was left where it is.
            NotFoundError: it was cleared meanwhile.
        """
        if self._sessions is None:
            raise InvalidError("a summary needs a session to stand in: give ConversationStore its sessions=")
        previous = await self.get(conversation_id)
        if previous is None:
            return None
        text = summary if isinstance(summary, str) else await summary(previous)
        if not isinstance(text, str) or not text.strip():
            raise InvalidError("a summary is text that is not empty")
        made = await self._sessions.create(conversation_id, summary=text, previous=previous)
        try:
            await self._do(lambda routes: routes.rebind(conversation_id, expect=previous, to=made))
        except (ConflictError, NotFoundError):
            await self._sessions.discard(made)
            raise
        return Compacted(previous, made)

    async def _stands(self, session_id: str, gone: str | None) -> bool:
        if session_id == gone:
            return False
        if self._sessions is None:
            return True
        answer = await self._sessions.exists(session_id)
        if not isinstance(answer, bool):
            raise InvalidError(f"sessions.exists must return True or False, and returned {type(answer).__name__}")
        return answer

    async def _make(self, conversation_id: str, gone: str | None) -> Resolved:
        async with self._making(conversation_id):
            found = await self.get(conversation_id)
            if found is not None and await self._stands(found, gone):
                return Resolved(found, created=False)
            made = new_id() if self._sessions is None else await self._sessions.create(conversation_id)
            settled = await self._publish(conversation_id, found, made)
            if settled != made and self._sessions is not None:
                await self._sessions.discard(made)
            return Resolved(settled, created=settled == made)

    async def _publish(self, conversation_id: str, found: str | None, made: str) -> str:
        """Lead the conversation to `made` if it still leads to `found`; return where it leads."""
        if found is not None:
            try:
                await self._do(lambda routes: routes.rebind(conversation_id, expect=found, to=made))
                return made
            except ConflictError as error:
                return str(error.actual)
            except NotFoundError:
                # Cleared just now: as if it had been new.
                pass
        return (await self._do(lambda routes: routes.resolve(conversation_id, lambda: made))).session_id

    @asynccontextmanager
    async def _making(self, conversation_id: str) -> AsyncIterator[None]:
        """Be the one instance that makes this conversation's session, or wait for the one that does."""
        holder = new_id()
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + PATIENCE_S, 0.005

        async def claim(store: Store) -> bool:
            claims = store.routes(self.config.prefix_of("making"))
            return (await claims.resolve(conversation_id, lambda: holder, ttl=MAKING_S)).created

        async def release(store: Store) -> None:
            with suppress(ConflictError):
                await store.routes(self.config.prefix_of("making")).delete(conversation_id, expect=holder)

        while not await self._ask(claim):
            if loop.time() > end:
                raise UnavailableError(
                    f"another instance has been making the session of {conversation_id!r} for too long: try again"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.1)
        try:
            yield
        finally:
            # It runs out by itself, where the store went away meanwhile.
            with suppress(UnavailableError, ClosedError):
                await self._ask(release)

    def _turn(self, conversation_id: str) -> asyncio.Lock:
        """Return what lets the tasks of this process in one by one, so that only one of them asks the store for its turn."""
        name = (id(asyncio.get_running_loop()), conversation_id)
        lock = self._turns.get(name)
        if lock is None:
            lock = self._turns[name] = asyncio.Lock()
        return lock

    # -- the store ----------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        store = self._given
        if store is None:
            assert self._url is not None
            store = await connect(self._url)
        else:
            await store.reach()
        if self._routes is not None:
            # Somebody else was quicker.
            if store is not self._given:
                await store.aclose()
            return
        self._store = store
        self._routes = store.routes(self.config.routes_prefix, index=self.config.prefix_of("session"), ttl=self._ttl)

    async def _probe(self) -> None:
        if self._store is None:
            await self._open()
        else:
            await self._store.reach()

    async def _do(self, verb: Callable[[Routes], Awaitable[T]]) -> T:
        async def do(store: Store) -> T:
            assert self._routes is not None
            return await verb(self._routes)

        return await self._ask(do)

    async def _ask(self, verb: Callable[[Store], Awaitable[T]]) -> T:
        gate = self._gate
        if gate is None:
            raise ClosedError("this ConversationStore is not initialized: await its init() first")
        gate.check()
        assert self._store is not None, "the gate is open only after the store was"
        try:
            return await verb(self._store)
        except UnavailableError as error:
            self.mark_away(error)
            raise
