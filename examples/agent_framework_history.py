"""An Agent Framework agent that remembers in the next process: run it twice. It needs no key, no network and no server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from agent_framework import Agent, AgentSession, BaseChatClient, ChatResponse, FunctionInvocationLayer, Message

import clew
from clew.adapters.agent_framework import ClewHistoryProvider


class Recaller(FunctionInvocationLayer, BaseChatClient):
    """A stand-in for a model: it says what it was told. Put any other chat client of the framework in its place."""

    def _inner_get_response(self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **kwargs: Any) -> Any:
        async def answer() -> ChatResponse[Any]:
            told = [message.text for message in messages if message.role == "user"]
            return ChatResponse(messages=[Message("assistant", [f"You told me: {'; '.join(told)}"])])

        return answer()


async def main() -> None:
    async with clew.connect("sqlite:///example.db") as store:
        history = ClewHistoryProvider(store, owner="ada", max_messages=40)
        agent = Agent(Recaller(), "You are a friend.", context_providers=[history])
        session = AgentSession(session_id="our-talk")

        for text in ("My name is Ada.", "I like trains."):
            print(">", text)
            print(await agent.run(text, session=session))

        for thread in await history.list_sessions():
            print(f"{thread.id}: {thread.title}, {len(await history.get_messages(thread.id))} messages")


asyncio.run(main())
