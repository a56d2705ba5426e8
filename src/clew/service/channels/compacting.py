"""Moving a conversation to a new session that begins with a summary. The old session stays readable.

While the summary is written the old session has its turn taken, so that no message is said meanwhile that the summary lacks.
"""

from __future__ import annotations

import asyncio

from ... import Ref
from ...adapters.chatkit import BusyError
from ...adapters.routing import ConversationStore
from ...assistant.recap import summary_of, without_summary
from ...assistant.supply import ModelSupply
from ...errors import ConflictError, NotFoundError, UnavailableError
from .sessions import ChatSessions
from .summaries import MOST_ITEMS, lines_of, summarize
from .talks import BEGIN_S, Place
from .views import Ask, CompactView


async def compact(place: Place, routing: ConversationStore, supply: ModelSupply, ask: Ask) -> CompactView:
    """Compact a conversation, where it has been going on since its session began.

    Raises:
        BusyError: an answer is being made in it.
        ConflictError: it was moved or cleared meanwhile, and was left as it is.
        ModelError: no model wrote a summary; nothing was changed.
        UnavailableError: the store is away.
    """
    conversations = routing.with_sessions(ChatSessions(place.store, ask))
    nothing = CompactView(ask.conversation_id, False)
    previous = await conversations.get(ask.route)
    if previous is None:
        return nothing
    ref, context = Ref(ask.owner, previous), {"owner": ask.owner, "base": ask.base}
    try:
        # What a worker that died had said is a part of the conversation too.
        running = await place.server.active(previous, context)
        if running is not None:
            raise BusyError(previous, running.id)
        async with asyncio.timeout(BEGIN_S):
            turn = await place.store.runs.start(ref, data=b"compact")
    except NotFoundError:
        return nothing
    except TimeoutError as error:
        raise UnavailableError("the store did not answer in time") from error
    except ConflictError as error:
        raise BusyError(previous, str(error.actual)) from error
    async with turn:
        thread = await place.kit.load_thread(previous, context)
        page = await place.kit.load_thread_items(previous, None, MOST_ITEMS, "desc", context)
        lines = lines_of(without_summary(page.data[::-1], thread.metadata))
        if not lines:
            return nothing
        summary, count = await summarize(supply, lines, summary_of(thread))

        async def tell(session_id: str) -> str:
            if session_id != previous:
                raise ConflictError("the conversation was moved meanwhile", expected=previous, actual=session_id)
            return summary

        try:
            moved = await conversations.compact(ask.route, tell)
        except NotFoundError as error:
            raise ConflictError("the conversation was cleared meanwhile") from error
        if moved is None:
            raise ConflictError("the conversation was cleared meanwhile")
    return CompactView(
        ask.conversation_id, True, moved.previous, moved.session_id, None if page.has_more else len(lines), count, summary
    )
