"""What one turn of the agent works with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from chatkit.store import StoreItemType
from chatkit.types import ClientToolCallItem, ThreadItem, ThreadItemDoneEvent, ThreadMetadata, ThreadStreamEvent

from ..ids import new_id
from .answer import Answer, make_source
from .looking import Looking
from .profiles import TOOL, AgentProfile, tool_arguments
from .search import Found, Searcher
from .supply import ModelSupply

Events = AsyncGenerator[ThreadStreamEvent, None]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: what is answered, and with what.

    Attributes:
        items: of the thread, oldest first.
        answer: the message that grows.
        make_id: makes an item's id, for the kinds `message` and `tool_call`.
        summary: what was said before the thread began, None where it is no continuation.
    """

    thread: ThreadMetadata
    items: Sequence[ThreadItem]
    answer: Answer
    make_id: Callable[[StoreItemType], str]
    search: Searcher
    supply: ModelSupply
    profiles: Sequence[AgentProfile]
    docs_url: str | None
    search_s: float
    summary: str | None = None

    def look(self, query: str) -> Looking:
        """Return a search that has not begun."""
        return Looking(self.search, query, self.search_s)

    def cite(self, found: Found, index: int | None = None) -> Iterator[ThreadStreamEvent]:
        """Yield the event that names a passage as a source of the answer."""
        return self.answer.cite(make_source(found, self.docs_url), index)

    def show_profiles(self, call_id: str | None = None) -> Iterator[ThreadStreamEvent]:
        """Yield the events that end the answer so far, and then call the client's tool: the last item of a turn.

        Args:
            call_id: the model's id of the call; None where no model made it.
        """
        yield from self.answer.finish()
        item = ClientToolCallItem(
            id=self.make_id("tool_call"),
            thread_id=self.thread.id,
            created_at=datetime.now(),  # naive, as everywhere in ChatKit
            call_id=call_id or f"call_{new_id()}",
            name=TOOL,
            arguments=tool_arguments(self.profiles),
        )
        yield ThreadItemDoneEvent(item=item)
