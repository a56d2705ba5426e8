"""Messages that are not acknowledged yet: nothing leaves here before the store has it, and nothing is sent twice.

It lives in the process, is bounded, and sends a thread's batches in their order, in as few commits as they fit in.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent_framework import Message

from clew import NewItem, Ref
from clew.errors import FullError, InvalidError

MAX_WAITING: Final = 10_000
"""Messages that may wait in one provider; then a save that fails is raised, whatever `on_save_error` says."""
MAX_TOGETHER: Final = 1_000
"""Items in one commit, so that what piled up in an outage goes out in commits that the store accepts."""

logger = logging.getLogger(__name__)


class OutboxFullError(FullError):
    """Too much waits for the store to come back, so that a failed save cannot be kept for later."""


@dataclass(eq=False)
class Batch:
    """What one save is to append: all of it, or none.

    Attributes:
        messages: as the framework gave them.
        ids: of their items; they stay the same in every attempt.
        made: those of the ids that were made for this batch, so that nobody else has them.
        items: their stored form.
        title: for the thread, where this append makes it.
        fresh: there was no such thread a moment ago, so that this append most likely makes it.
        trim_before: the position before which the thread may be cut in the same commit.
        state: the session's state, told when it is saved.
        company: the earlier batches that went before it in every attempt, so that they are stored if it is.
        sent: an attempt was made.
        sending: an attempt is under way.
        refused: why the store will never take it; it is kept here and not sent again.
    """

    messages: list[Message]
    ids: list[str]
    made: frozenset[str]
    items: list[NewItem]
    title: str | None = None
    fresh: bool = False
    trim_before: int | None = None
    state: dict[str, Any] | None = None
    company: Sequence[Batch] = ()
    sent: bool = False
    sending: bool = False
    refused: str | None = None


Send = Callable[[Ref, Sequence[Batch]], Awaitable[None]]


class Outbox:
    """The batches of every thread that wait for their acknowledgement.

    Args:
        send: appends some batches of one thread in one commit.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[Ref, list[Batch]] = {}

    def add(self, ref: Ref, batch: Batch) -> None:
        """Put a batch at the end of its thread's queue. OutboxFullError where too many wait already."""
        waiting = sum(len(other.messages) for batches in self._waiting.values() for other in batches)
        if waiting + len(batch.messages) > MAX_WAITING and waiting:
            raise OutboxFullError(
                f"{waiting:,} messages wait to be saved, and this process keeps no more: the store must come back"
            )
        self._waiting.setdefault(ref, []).append(batch)

    def waiting(self, ref: Ref) -> list[Batch]:
        """Return the batches of a thread that the store has not acknowledged, in their order."""
        return list(self._waiting.get(ref, ()))

    def discard(self, ref: Ref, batch: Batch) -> None:
        """Take a batch out: it is saved, or its caller keeps it."""
        left = [other for other in self._waiting.get(ref, ()) if other is not batch]
        if left:
            self._waiting[ref] = left
        else:
            self._waiting.pop(ref, None)

    def confirm(self, ref: Ref, stored: Collection[str]) -> None:
        """Take out the batches that turn out to be stored: one id made for a batch proves all of it, since it is one commit.

        It must be done before the thread is cut, which forgets ids: a batch sent again would then stand there twice.
        """
        for batch in self.waiting(ref):
            proven = any(id in stored for id in batch.made) if batch.made else all(id in stored for id in batch.ids)
            if proven and not batch.sending:
                for other in (*batch.company, batch):
                    if other.refused is None:
                        self.discard(ref, other)

    def drop(self, ref: Ref) -> None:
        """Forget all that waits for a thread: it is being cleared or deleted."""
        self._waiting.pop(ref, None)

    def refs(self) -> list[Ref]:
        """Return the threads that have something waiting."""
        return list(self._waiting)

    async def flush(self, ref: Ref) -> None:
        """Send what waits for a thread and is not under way. What fails stays, in its order, and the error is raised."""
        batches = [batch for batch in self._waiting.get(ref, ()) if not batch.sending and batch.refused is None]
        while batches:
            together = _take(batches)
            del batches[: len(together)]
            try:
                await self._attempt(ref, together)
            except InvalidError:
                # One of them can never be stored: send each alone, so that it does not hold up the others.
                if len(together) == 1:
                    raise
                for batch in together:
                    try:
                        await self._attempt(ref, [batch])
                    except InvalidError as e:
                        logger.error("a batch of %d messages in thread %r cannot be stored: %s", len(batch.messages), ref.id, e)

    async def _attempt(self, ref: Ref, batches: Sequence[Batch]) -> None:
        for place, batch in enumerate(batches):
            if not batch.sent:
                batch.sent, batch.company = True, batches[:place]
            batch.sending = True
        try:
            await self._send(ref, batches)
        except InvalidError as e:
            if len(batches) == 1:
                batches[0].refused = str(e)
            raise
        finally:
            for batch in batches:
                batch.sending = False
        for batch in batches:
            self.discard(ref, batch)


def _take(batches: Sequence[Batch]) -> list[Batch]:
    """Return the first batches that fit in one commit, one at least."""
    taken: list[Batch] = []
    count = size = 0
    for batch in batches:
        count += len(batch.items)
        size += sum(len(item.data) for item in batch.items)
        if taken and (count > MAX_TOGETHER or size > 32 * 1024 * 1024):
            break
        taken.append(batch)
    return taken
