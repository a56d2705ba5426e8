"""The history provider: one read before a run, one commit after it, and an outbox for what could not be committed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from types import TracebackType
from typing import Any, ClassVar, Literal, Self
from weakref import ReferenceType, WeakKeyDictionary

from agent_framework import AgentSession, HistoryProvider, Message, SessionContext, SupportsAgentRun

from clew import Item, Page, Ref, Store, Thread, safe_cut
from clew.errors import GoneError, InvalidError, NotFoundError, UnreadableError
from clew.ids import new_thread_id

from .branches import read_head
from .connection import Connection
from .guard import is_kept_by_service
from .messages import make_item, make_title, read_message, with_id
from .outbox import Batch, Outbox, OutboxFullError
from .quarantine import Quarantine, Unreadable
from .reading import load_items
from .repair import mend
from .selection import Chosen, Run, choose_new
from .sending import append_batches

logger = logging.getLogger("clew.adapters.agent_framework")

_RUN: ContextVar[ReferenceType[Run] | None] = ContextVar("clew_agent_framework_run", default=None)
"""The run being served. Weak, since a task that a store starts meanwhile keeps its copy of the context for life."""


class ClewHistoryProvider(HistoryProvider):
    """Keeps the messages of every session in a clew store: a session is a thread of `owner`.

    Args:
        store: what `clew.connect(url)` gives, which stays yours to close; or a URL, opened at first use and closed by `aclose`.
        owner: whose threads they are; part of the key.
        url: the same as a URL given as `store`.
        source_id: the provider's name within the agent, and the key of its state in the session.
        max_messages: keep only the newest so many of a thread; a tool call and its results stay or go together. None keeps all.
        prefix: put before every session id to make its thread id.
        thread_id: the thread of calls that name no session; made where none is given.
        branching: let copies of one session go apart: each sees its own turns after the copy, and none of the others'.
            The thread is then never cut; `max_messages` limits what is loaded.
        on_save_error: after a run, "report" logs a failed save, sets `saved` to False in the session's state, and tries
            again with the next save and at `aclose`; "raise" also raises, and the caller does not get the answer.
        on_unreadable: called once for each record that cannot be read.
        load_messages, store_inputs, store_context_messages, store_context_from, store_outputs: as in `HistoryProvider`.

    Raises:
        InvalidError: neither a store nor a usable URL, no owner, or a `max_messages` below 1.
    """

    DEFAULT_SOURCE_ID: ClassVar[str] = "clew"

    def __init__(
        self,
        store: Store | str | None = None,
        *,
        owner: str,
        url: str | None = None,
        source_id: str = DEFAULT_SOURCE_ID,
        max_messages: int | None = None,
        prefix: str = "",
        thread_id: str | None = None,
        branching: bool = False,
        on_save_error: Literal["report", "raise"] = "report",
        on_unreadable: Callable[[Unreadable], None] | None = None,
        load_messages: bool = True,
        store_inputs: bool = True,
        store_context_messages: bool = False,
        store_context_from: set[str] | None = None,
        store_outputs: bool = True,
    ) -> None:
        super().__init__(
            source_id,
            load_messages=load_messages,
            store_inputs=store_inputs,
            store_context_messages=store_context_messages,
            store_context_from=store_context_from,
            store_outputs=store_outputs,
        )
        if max_messages is not None and (isinstance(max_messages, bool) or not isinstance(max_messages, int) or max_messages < 1):
            raise InvalidError(f"max_messages must be a whole number from 1, or None to keep all, not {max_messages!r}")
        if not isinstance(owner, str) or not owner:
            raise InvalidError("owner must say whose conversations these are: a non-empty string")
        if on_save_error not in ("report", "raise"):
            raise InvalidError(f'on_save_error must be "report" or "raise", not {on_save_error!r}')
        self._connection = Connection(store, url)
        self.owner = owner
        self.prefix = prefix
        self.thread_id = thread_id or new_thread_id()
        self.max_messages = max_messages
        self.branching = branching
        self.on_save_error = on_save_error
        self._quarantine = Quarantine(on_unreadable)
        self._runs: WeakKeyDictionary[SessionContext, Run] = WeakKeyDictionary()
        self._outbox = Outbox(self._send)
        self._warned = False

    def __repr__(self) -> str:
        return f"ClewHistoryProvider(owner={self.owner!r}, source_id={self.source_id!r}, max_messages={self.max_messages})"

    # -- what the framework calls -----------------------------------------------------------------------------------

    async def before_run(
        self, *, agent: SupportsAgentRun, session: AgentSession, context: SessionContext, state: dict[str, Any]
    ) -> None:
        """Load the history into the run, unless the model's service has it already.

        Raises:
            GoneError: the thread was deleted.
            ClewError: the store cannot be read; the model has not been called.
        """
        run = self._runs[context] = Run.of(context)
        if is_kept_by_service(agent, context):
            self._warn_once(session)
            return
        token = _RUN.set(ReferenceType(run))
        try:
            await super().before_run(agent=agent, session=session, context=context, state=state)
        finally:
            _RUN.reset(token)

    async def after_run(
        self, *, agent: SupportsAgentRun, session: AgentSession, context: SessionContext, state: dict[str, Any]
    ) -> None:
        """Save the run's messages in one commit. See `on_save_error` for what happens when that fails."""
        ref = self._ref(context.session_id)
        # Not saved until the store says so, whatever happens in between.
        state["saved"] = False
        run = self._runs.get(context) or Run.of(context)
        token = _RUN.set(ReferenceType(run))
        try:
            await super().after_run(agent=agent, session=session, context=context, state=state)
        except Exception as error:
            if self.on_save_error == "raise" or isinstance(error, OutboxFullError):
                raise
            count = sum(len(batch.messages) for batch in self._outbox.waiting(ref))
            # No traceback of the driver here: it may show what was sent.
            logger.error("thread %r: %d messages are not saved yet: %s: %s", ref.id, count, type(error).__name__, error)
        else:
            state["saved"] = not self._outbox.waiting(ref)
        finally:
            _RUN.reset(token)

    async def get_messages(self, session_id: str | None, *, state: dict[str, Any] | None = None, **kwargs: Any) -> list[Message]:
        """Return the history of a session, oldest first, fit to be sent to a model.

        Records that cannot be read are left out and reported; what waits to be saved is at the end; a tool result without its
        call is left out, and a call that was never answered gets a result that says so.

        Args:
            session_id: the session; None for the provider's own `thread_id`.
            state: the session's state, which remembers where the thread ended.
        """
        ref = self._ref(session_id)
        run = _current_run()
        items = await self._load(ref, state)
        messages = self._read_messages(ref, items)
        stored = {item.id for item in items}
        self._outbox.confirm(ref, stored)
        for batch in self._outbox.waiting(ref):
            if batch.refused is None and (not self.branching or batch.state is state):
                pairs = zip(batch.messages, batch.ids, strict=True)
                messages += [with_id(message, id) for message, id in pairs if id not in stored]
        if run is not None:
            run.items, run.fresh = items, not items
            run.ids = stored | {message.message_id for message in messages if message.message_id is not None}
        if self.max_messages is not None and len(messages) > self.max_messages:
            messages = messages[-self.max_messages :]
        return mend(messages, run.context.input_messages if run is not None else ())

    async def save_messages(
        self,
        session_id: str | None,
        messages: Sequence[Message],
        *,
        state: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Append messages in one commit, with all that could not be saved before; those whose id the thread holds are left out.

        The thread is made where it does not exist, and takes its first user message as its title.

        Raises:
            InvalidError: a message cannot be stored: too large, or not JSON.
            GoneError: the thread was deleted.
            ClewError: the store refused or could not be reached. After a run the messages wait in this process and go with
                the next save; a caller of its own keeps them, and may call again: give them ids, and none is doubled.
        """
        ref = self._ref(session_id)
        run = _current_run()
        batch: Batch | None = None
        if chosen := choose_new(messages, run, self.source_id):
            batch = self._make_batch(ref, chosen, state)
            batch.fresh = run is not None and run.fresh
            self._outbox.add(ref, batch)
        try:
            if batch is not None and batch.refused is None:
                batch.trim_before = await self._find_cut(ref, run)
            await self._outbox.flush(ref)
            if batch is not None and batch.refused is not None:
                raise InvalidError(batch.refused)
        except BaseException:
            if run is None and batch is not None:
                self._outbox.discard(ref, batch)
            raise

    # -- what people call -------------------------------------------------------------------------------------------

    def unsaved(self, session: AgentSession | str | None) -> list[Message]:
        """Return the messages of a session that the store has not acknowledged, oldest first; they are in this process only."""
        session_id = session.session_id if isinstance(session, AgentSession) else session
        return [message for batch in self._outbox.waiting(self._ref(session_id)) for message in batch.messages]

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """The records that were left out of a history because they cannot be read."""
        return self._quarantine.records()

    async def flush(self) -> None:
        """Try again to save what could not be saved, in every session. The first error is raised; the rest is tried first."""
        errors: list[Exception] = []
        for ref in self._outbox.refs():
            try:
                await self._outbox.flush(ref)
            except Exception as e:
                errors.append(e)
        if errors:
            raise errors[0]

    async def clear(self, session_id: str | None) -> None:
        """Forget every message of a session and its title; the session can go on. Nothing happens where there is none."""
        ref = self._ref(session_id)
        self._outbox.drop(ref)
        store = await self._connection.get()
        try:
            await store.items.truncate(ref, 0)
            await store.threads.update(ref, title=None)
        except GoneError:
            raise
        except NotFoundError:
            return

    async def delete(self, session_id: str | None) -> bool:
        """Delete a session for good: a late save fails with GoneError. Return whether it was there."""
        ref = self._ref(session_id)
        self._outbox.drop(ref)
        return await (await self._connection.get()).threads.delete(ref)

    async def list_sessions(self, *, limit: int = 20, cursor: str | None = None) -> Page[Thread]:
        """Return the owner's sessions, the newest write first; `id` is the session id.

        With a prefix, threads of other prefixes are left out, so that a page may be shorter than its limit.
        """
        page = await (await self._connection.get()).threads.list(self.owner, limit=limit, cursor=cursor)
        mine = [replace(t, id=t.id.removeprefix(self.prefix)) for t in page if t.id.startswith(self.prefix)]
        return replace(page, data=mine)

    async def aclose(self) -> None:
        """Try again to save what waits, say what could not be saved, and close the store if the provider opened it.

        Raises:
            ClewError: with on_save_error="raise", what kept the last messages from being saved; the store is closed all the same.
        """
        try:
            await self.flush()
        except Exception as error:
            if self.on_save_error == "raise":
                raise
            count = sum(len(batch.messages) for ref in self._outbox.refs() for batch in self._outbox.waiting(ref))
            logger.error("closed with %d messages that could not be saved: %s: %s", count, type(error).__name__, error)
        finally:
            await self._connection.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def to_dict(self) -> dict[str, Any]:
        """Return what is needed to go on elsewhere: the thread, the prefix, the limit and the connection, and no message.

        The URL is the one given, credentials included: keep the result as you keep the URL. It is None for a provider that
        was given an open store.
        """
        return {
            "type": "clew_history_provider",
            "source_id": self.source_id,
            "owner": self.owner,
            "url": self._connection.url,
            "prefix": self.prefix,
            "thread_id": self.thread_id,
            "max_messages": self.max_messages,
            "branching": self.branching,
            "on_save_error": self.on_save_error,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], *, store: Store | str | None = None) -> Self:
        """Return the provider that `to_dict` described, on its URL or on the store given here. InvalidError where neither is."""
        names = ("owner", "source_id", "prefix", "thread_id", "max_messages", "branching", "on_save_error")
        try:
            owner = value["owner"]
        except KeyError as e:
            raise InvalidError("this state has no owner: it was not made by ClewHistoryProvider.to_dict") from e
        more = {name: value[name] for name in names[1:] if name in value}
        return cls(store if store is not None else value.get("url"), owner=owner, **more)

    # -- how it is done ---------------------------------------------------------------------------------------------

    def _ref(self, session_id: str | None) -> Ref:
        return Ref(self.owner, self.prefix + (self.thread_id if session_id is None else session_id))

    async def _load(self, ref: Ref, state: dict[str, Any] | None) -> list[Item]:
        store = await self._connection.get()
        return await load_items(store, ref, state, limit=self.max_messages, branching=self.branching)

    def _read_messages(self, ref: Ref, items: Sequence[Item]) -> list[Message]:
        messages: list[Message] = []
        for item in items:
            try:
                messages.append(read_message(item))
            except UnreadableError as e:
                id = None if item.unreadable is not None else item.id
                self._quarantine.report(Unreadable(ref.id, item.position, id, str(e)))
        return messages

    def _warn_once(self, session: AgentSession) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "session %r: the model's service keeps this conversation itself, so %r loads no history, or the model "
                'would get it twice; it still saves every message. To let it load, use default_options={"store": False}.',
                session.session_id,
                self.source_id,
            )

    def _make_batch(self, ref: Ref, chosen: Sequence[Chosen], state: dict[str, Any] | None) -> Batch:
        messages = [one.message for one in chosen]
        made = frozenset(one.id for one in chosen if one.made)
        batch = Batch(messages, [one.id for one in chosen], made, [], title=make_title(messages), state=state)
        parent = self._find_parent(ref, state) if self.branching else None
        try:
            for one in chosen:
                batch.items.append(make_item(one.message, id=one.id, created_ms=one.created_ms, parent=parent))
                parent = None
        except InvalidError as e:
            batch.items = []
            batch.refused = str(e)
        return batch

    def _find_parent(self, ref: Ref, state: dict[str, Any] | None) -> str | None:
        """Return the id of the item that a branch's next one continues."""
        for batch in reversed(self._outbox.waiting(ref)):
            if batch.state is state and batch.items:
                return batch.items[-1].id
        head = read_head(state)
        return head.id if head is not None else None

    async def _find_cut(self, ref: Ref, run: Run | None) -> int | None:
        """Return the position before which the thread can be cut with what waits for it, None where nothing is to go."""
        if self.max_messages is None or self.branching:
            return None
        stored = run.items if run is not None and run.items is not None else await self._load(ref, None)
        known = {item.id for item in stored}
        if run is None or run.items is None:
            self._outbox.confirm(ref, known)
        coming = [item for batch in self._outbox.waiting(ref) for item in batch.items if item.id not in known]
        cut = safe_cut([*stored, *coming], self.max_messages)
        if not stored or cut == 0:
            return None
        return stored[cut].position if cut < len(stored) else stored[-1].position + 1

    async def _send(self, ref: Ref, batches: Sequence[Batch]) -> None:
        store = await self._connection.get()
        await append_batches(store, ref, batches, branching=self.branching, remember_span=self.max_messages is None)


def _current_run() -> Run | None:
    reference = _RUN.get()
    return reference() if reference is not None else None
