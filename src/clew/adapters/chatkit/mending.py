"""What is done about answers whose process died, and about tool calls that nobody answers: nothing of them stays pending.

Whoever meets them does it; the store sees to it that it is done once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from chatkit.store import NotFoundError
from chatkit.types import ClientToolCallItem

import clew
from clew import Ref, Run
from clew.run_limits import MAX_EVENTS_AT_ONCE

from .drafts import Drafts
from .failures import AlreadyCompletedError, StoreAwayError, StoreRefusedError
from .frames import Whole
from .marks import find_last, find_marks, save_unfinished
from .owners import TContext
from .refusals import BadRequestError
from .store import ChatKitStore

__all__ = ["drop_pending_calls", "find_last", "find_marks", "find_newest", "is_broken", "mend", "translating"]


async def find_newest(store: clew.Store, ref: Ref, but: str | None = None) -> Run | None:
    """Return the thread's newest run that is not `but`, None where there is none. A stale one is marked interrupted."""
    page = await store.runs.list(ref, limit=1 if but is None else 2)
    return next((run for run in page.data if run.id != but), None)


def is_broken(run: Run) -> bool:
    """Tell whether the run was marked interrupted by somebody else than its producer, which saved nothing then.

    A run with data of its own is none of a ChatKit server's: no answer was made by it.
    """
    return not run.data and run.state == "interrupted" and run.end is not None and run.end.at.seq == 0


async def mend(store: clew.Store, ref: Ref, run: Run) -> None:
    """Keep what a broken run's log says that its answer had said, and mark it; once, whoever else does it.

    Raises:
        UnavailableError: the store is away.
    """
    drafts, whole = Drafts(), Whole()
    after = None
    try:
        while True:
            page = await store.runs.events(ref, run.id, after=after, limit=MAX_EVENTS_AT_ONCE)
            for event in page.events:
                frame = whole.take(event)
                if frame is not None:
                    drafts.see(msgspec.json.decode(frame))
                after = event.at
            if not page.has_more or not page.events:
                break
    except clew.GoneError:
        return
    except clew.NotFoundError:
        # The log went before anybody came: there is only the mark to set.
        pass
    try:
        await save_unfinished(store, ref, run.id, drafts.messages(), "interrupted", patience=0)
    except clew.NotFoundError:
        return


async def drop_pending_calls(kit: ChatKitStore[TContext], ref: Ref, context: TContext) -> None:
    """Remove the client tool calls at the thread's end that are pending: the person went on without them."""
    page = await kit.load_thread_items(ref.id, None, 5, "desc", context)
    for item in page.data:
        if isinstance(item, ClientToolCallItem):
            if item.status != "pending":
                return
            await kit.delete_thread_item(ref.id, item.id, context)


@contextmanager
def translating() -> Iterator[None]:
    """Raise what ChatKit raises as clew's own errors."""
    try:
        yield
    except NotFoundError as error:
        raise clew.NotFoundError(str(error) or "there is no such thing in this conversation") from error
    except StoreAwayError as error:
        raise clew.UnavailableError(error.message) from error
    except AlreadyCompletedError as error:
        raise clew.ConflictError(error.message) from error
    except StoreRefusedError as error:
        if isinstance(error.__cause__, clew.FullError):
            raise clew.FullError(error.message) from error
        raise BadRequestError(error.message) from error
    except clew.ClewError:
        raise
    except ValueError as error:
        # ChatKit's own word for a request that does not fit the thread.
        raise BadRequestError(f"this does not fit the conversation as it is now: {error}") from error
