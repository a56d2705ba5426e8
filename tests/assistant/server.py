"""A ChatKit server with the agent, as the documentation shows it, and a search that does not end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from chatkit.server import ChatKitServer
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem

from clew.adapters.chatkit import ChatKitStore
from clew.assistant.agent import SearchAgent
from clew.assistant.search import DocsSearch, Found

from .models import supply_at

Context = dict[str, str]
ADA: Context = {"owner": "ada"}
NOBODY = "http://127.0.0.1:1/v1"
"""Where no model is."""


class Server(ChatKitServer[Context]):
    """As the documentation shows it."""

    def __init__(self, store: ChatKitStore[Context], agent: SearchAgent) -> None:
        super().__init__(store)
        self.agent = agent

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Let the agent answer."""
        page = await self.store.load_thread_items(thread.id, None, 50, "desc", context)
        async for event in self.agent.respond(thread, page.data[::-1], context):
            yield event


def by_rule(store: ChatKitStore[Context], url: str, search: Any = None) -> Server:
    """Return a server with a small model."""
    return Server(store, SearchAgent(search or DocsSearch(), supply_at(url, calls_tools=False, room=1_500)))


def message(text: str) -> dict[str, Any]:
    """Return what a person sends."""
    return {"content": [{"type": "input_text", "text": text}], "attachments": [], "inference_options": {}}


def progress(frames: list[dict[str, Any]]) -> list[str]:
    """Return the texts of the progress updates."""
    return [frame["text"] for frame in frames if frame.get("type") == "progress_update"]


class Waiting:
    """A search that goes on until it is cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def search(self, query: str, limit: int = 5) -> list[Found]:
        """Wait."""
        self.begun.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError
