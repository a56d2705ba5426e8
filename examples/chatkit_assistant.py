"""A ChatKit server that answers questions about clew, in a terminal: what it sends is what a page would get.

pip install 'clew[chat,chatkit,local-model]'; with OPENAI_API_KEY set, that model answers.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator

from chatkit.server import ChatKitServer, StreamingResult
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem

import clew
from clew.adapters.chatkit import ChatKitStore
from clew.assistant.agent import SearchAgent
from clew.assistant.search import DocsSearch
from clew.assistant.supply import ModelSupply

Context = dict[str, str]


class Server(ChatKitServer[Context]):
    """ChatKit's part is in the base class, clew's in the store and the agent."""

    def __init__(self, store: ChatKitStore[Context], agent: SearchAgent) -> None:
        super().__init__(store)
        self.agent = agent

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Give the newest items to the agent, oldest first, and pass on what it says."""
        page = await self.store.load_thread_items(thread.id, None, 50, "desc", context)
        async for event in self.agent.respond(thread, page.data[::-1], context):
            yield event


async def main(question: str) -> None:
    """Ask one question in a new thread."""
    supply = ModelSupply()
    async with clew.connect("sqlite:///assistant.db") as store:
        server = Server(ChatKitStore(store), SearchAgent(DocsSearch(), supply))
        message = {"content": [{"type": "input_text", "text": question}], "attachments": [], "inference_options": {}}
        result = await server.process(json.dumps({"type": "threads.create", "params": {"input": message}}), {"owner": "ada"})
        assert isinstance(result, StreamingResult)
        async for frame in result:
            event = json.loads(frame.removeprefix(b"data: "))
            if event["type"] == "progress_update":
                print(event["text"])
            elif event["type"] == "thread.item.updated" and "delta" in event["update"]:
                print(event["update"]["delta"], end="", flush=True)
        print()
    await supply.aclose()


asyncio.run(main(" ".join(sys.argv[1:]) or "What is a tombstone?"))
