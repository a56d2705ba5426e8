"""The search agent: it answers in a ChatKit thread, from passages that it finds, and says which pages they are from.

A model that can call tools decides itself what to look up. The local model is too weak for that, and `rule` decides for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final

from ..errors import MissingExtraError
from ..ids import new_id
from .profiles import PROFILES, AgentProfile
from .search import Searcher
from .supply import ModelSupply

try:
    from chatkit.store import StoreItemType
    from chatkit.types import ThreadItem, ThreadMetadata, ThreadStreamEvent, UserMessageItem
except ImportError as error:
    raise MissingExtraError("clew.assistant.agent", "chatkit") from error

from .animation import start_event
from .answer import Answer
from .calling import answer_with_tools
from .completion import NoToolsError
from .history import newest_turn, spoken_text
from .recap import summary_of, without_summary
from .ruled import answer_by_rule
from .turn import Events, Turn

SEARCH_S: Final = 10.0
TITLE: Final = 60
"""Characters of a title."""


def make_item_id(kind: StoreItemType, thread: ThreadMetadata, context: Any) -> str:
    """Return a fresh id with ChatKit's prefix and 128 bits, for the kinds `message` and `tool_call`."""
    return f"{'tc' if kind == 'tool_call' else 'msg'}_{new_id()}"


class SearchAgent:
    """Answers for a `ChatKitServer`, whose `respond` calls this one's. One agent serves any number of threads at once."""

    def __init__(
        self,
        search: Searcher,
        supply: ModelSupply,
        *,
        profiles: Sequence[AgentProfile] = PROFILES,
        docs_url: str | None = None,
        make_id: Callable[[StoreItemType, ThreadMetadata, Any], str] = make_item_id,
        search_s: float = SEARCH_S,
    ) -> None:
        """Do nothing yet.

        Args:
            search: where to look; `DocsSearch()` has clew's documentation.
            supply: the model; it stays the caller's to close.
            profiles: the agents that are shown.
            docs_url: where the pages are served, ending in a slash; None names the pages by their files.
            make_id: makes item ids; `store.generate_item_id` makes the store's.
            search_s: how many seconds a search may take.
        """
        self._search = search
        self._supply = supply
        self._profiles = tuple(profiles)
        self._docs_url = docs_url
        self._make_id = make_id
        self._search_s = search_s
        self._takes_tools = True

    async def respond(
        self, thread: ThreadMetadata, items: Sequence[ThreadItem], context: Any = None
    ) -> AsyncGenerator[ThreadStreamEvent, None]:
        """Answer the newest turn, as events for ChatKit. Nothing is stored here: ChatKit stores what the events say.

        A thread without a title is given one. A client tool call ends the turn; when its output is there, call this again. Where
        the task is cancelled during a search, the event that stops the animation still comes, and then the cancellation.

        Args:
            items: of the thread, oldest first. The newest turn is a person's message, or a client tool call with its output.
            context: passed to `make_id`.

        Raises:
            CustomStreamError: no model answered; ChatKit shows its sentence. What had been written is finished before.
        """
        if newest_turn(items) is None:
            return
        turn = Turn(
            thread=thread,
            items=without_summary(items, thread.metadata),
            summary=summary_of(thread),
            answer=Answer(self._make_id("message", thread, context), thread.id),
            make_id=lambda kind: self._make_id(kind, thread, context),
            search=self._search,
            supply=self._supply,
            profiles=self._profiles,
            docs_url=self._docs_url,
            search_s=self._search_s,
        )
        async with aclosing(self._answer(turn)) as events:
            async for event in events:
                # ChatKit saves a new title when it has passed an event on. Were that the start of a search, a request that is
                # cancelled meanwhile would never see the stop.
                if not thread.title and event != start_event():
                    thread.title = _title(items)
                yield event

    async def _answer(self, turn: Turn) -> Events:
        if self._supply.calls_tools and self._takes_tools:
            try:
                async with aclosing(answer_with_tools(turn)) as events:
                    async for event in events:
                        yield event
            except NoToolsError:
                # It stays so: the next turns are not made to wait for another refusal.
                self._takes_tools = False
            else:
                return
        async with aclosing(answer_by_rule(turn)) as events:
            async for event in events:
                yield event


def _title(items: Sequence[ThreadItem]) -> str | None:
    """Return the first words that a person said."""
    for item in items:
        if isinstance(item, UserMessageItem) and (line := " ".join(spoken_text(item).split())):
            return line if len(line) <= TITLE else f"{line[: TITLE - 1].rstrip()}…"
    return None
