"""A program of its own: turns of Agent Framework's agent on one history provider, timed here, ordered line by line.

    python turn_worker.py clew|peer REDIS_URL

Each line of its input is `fill N` or `turns N`; each line of its output is JSON. It runs in two environments, since the peer
allows an older redis-py only, and so imports nothing of this package.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from agent_framework import (
    Agent,
    AgentSession,
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatResponse,
    FunctionInvocationLayer,
    Message,
)
from agent_framework.observability import ChatTelemetryLayer

FILLER = " and so on" * 50
"""About 500 characters, so that a stored message has about 600."""


class InstantModel(FunctionInvocationLayer, ChatMiddlewareLayer, ChatTelemetryLayer, BaseChatClient):
    """A model that answers at once, and counts what it was sent."""

    def __init__(self) -> None:
        super().__init__(middleware=[])
        self.answers = 0
        self.received = 0

    def _inner_get_response(self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **more: Any) -> Any:
        self.received = len(messages)
        return self._answer()

    async def _answer(self) -> ChatResponse[Any]:
        self.answers += 1
        return ChatResponse(messages=[Message("assistant", [f"answer {self.answers}{FILLER}"])])


async def open_provider(kind: str, url: str) -> tuple[Any, Callable[[], Awaitable[object]]]:
    """Return the history provider, and what closes it."""
    if kind == "clew":
        from clew.adapters.agent_framework import ClewHistoryProvider

        provider = ClewHistoryProvider(url, owner="bench")
        return provider, provider.aclose
    from agent_framework_redis import RedisHistoryProvider  # type: ignore[import-not-found,unused-ignore]

    peer = RedisHistoryProvider(redis_url=url, application_id="bench")
    return peer, peer.aclose


async def main(kind: str, url: str) -> None:
    """Do what the lines of the input say, until it ends."""
    provider, close = await open_provider(kind, url)
    model = InstantModel()
    agent: Any = Agent(model, "Be brief.", context_providers=[provider])
    session = AgentSession(session_id=f"{kind}-session")
    loop = asyncio.get_running_loop()
    asked = 0
    try:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            verb, number = line.split()
            if verb == "fill":
                for start in range(0, int(number), 1_000):
                    texts = [f"message {n}{FILLER}" for n in range(start, min(start + 1_000, int(number)))]
                    roles = ("user", "assistant")
                    await provider.save_messages(
                        session.session_id, [Message(roles[n % 2], [text]) for n, text in enumerate(texts)]
                    )
                print("{}", flush=True)
                continue
            gc.collect()
            started = time.perf_counter()
            for _ in range(int(number)):
                asked += 1
                await agent.run(f"question {asked}{FILLER}", session=session)
            print(json.dumps({"seconds": time.perf_counter() - started, "received": model.received}), flush=True)
    finally:
        await close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
