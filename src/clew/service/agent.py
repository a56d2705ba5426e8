"""The agent behind the page: the search agent over clew's documentation, as a ChatKit server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, Store
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem

from ..assistant.agent import SearchAgent
from ..assistant.search import DocsSearch
from ..assistant.supply import ModelSupply

HISTORY = 50
"""Items of a thread that the agent sees."""


class SearchServer(ChatKitServer[dict[str, str]]):
    """Answers with a search agent."""

    def __init__(self, agent: SearchAgent, store: Store[Any], attachments: AttachmentStore[Any]) -> None:
        super().__init__(store, attachments)
        self._agent = agent

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: dict[str, str]
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Yield the events of an answer to the newest turn."""
        page = await self.store.load_thread_items(thread.id, None, HISTORY, "desc", context)
        async for event in self._agent.respond(thread, page.data[::-1], context):
            yield event


class Agent:
    """The search and the model that all threads of a worker share."""

    def __init__(self, supply: ModelSupply) -> None:
        """Open nothing yet. The supply of the model stays the caller's to close."""
        self._search = DocsSearch()
        self._agent = SearchAgent(self._search, supply)

    def make_server(self, store: Store[Any], attachments: AttachmentStore[Any]) -> SearchServer:
        """Return the ChatKit server on a store."""
        return SearchServer(self._agent, store, attachments)

    async def aclose(self) -> None:
        """Close the search."""
        self._search.close()
