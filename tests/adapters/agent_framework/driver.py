"""The framework's own agent and loops, with a model that says what a test wrote down. Nothing else is made up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from agent_framework import (
    Agent,
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    Message,
    tool,
)
from agent_framework.observability import ChatTelemetryLayer

Line = str | Message | BaseException | Callable[[], Awaitable[str]]
"""What the model does at one call: a text, a message, an error, or something to await that gives a text."""


class ScriptedChatClient(FunctionInvocationLayer, ChatMiddlewareLayer, ChatTelemetryLayer, BaseChatClient):
    """A chat client that answers from a script, and keeps what it was sent.

    Args:
        script: what it does at each call, in order.
        conversation: with it, the client is one whose service keeps the conversation, under this id.
        answer_id: the id of every answer, as some servers give it.
    """

    def __init__(self, script: Iterable[Line], *, conversation: str | None = None, answer_id: str | None = None) -> None:
        super().__init__(middleware=[])
        self.script = iter(script)
        self.conversation = conversation
        self.answer_id = answer_id
        self.STORES_BY_DEFAULT = conversation is not None  # type: ignore[misc]
        self.sent: list[list[Message]] = []

    def _inner_get_response(self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **kwargs: Any) -> Any:
        self.sent.append(list(messages))
        line = next(self.script)
        if stream:
            return self._build_response_stream(self._stream(line), response_format=options.get("response_format"))
        return self._answer(line)

    async def _answer(self, line: Line) -> ChatResponse[Any]:
        return ChatResponse(messages=[await self._message(line)], conversation_id=self.conversation)

    async def _stream(self, line: Line) -> AsyncIterator[ChatResponseUpdate]:
        message = await self._message(line)
        for content in message.contents:
            parts = [content]
            if content.type == "text" and content.text:
                parts = [Content.from_text(content.text[:3]), Content.from_text(content.text[3:])]
            for part in parts:
                yield ChatResponseUpdate(
                    role="assistant", contents=[part], message_id=message.message_id, conversation_id=self.conversation
                )

    async def _message(self, line: Line) -> Message:
        if isinstance(line, BaseException):
            raise line
        if isinstance(line, Message):
            return line
        text = line if isinstance(line, str) else await line()
        return Message("assistant", [text], message_id=self.answer_id)

    def texts_sent(self, call: int = -1) -> list[str]:
        """Return the texts of one call's messages, the newest call's if none is named."""
        return [message.text for message in self.sent[call] if message.role != "system"]


def calls(*ids: str, name: str = "weather") -> Message:
    """Return an answer that calls a tool once for each id, with the id as the city."""
    return Message(
        "assistant", [Content.from_function_call(call_id=id, name=name, arguments=f'{{"city": "{id}"}}') for id in ids]
    )


@tool(approval_mode="never_require")
def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


@tool(approval_mode="always_require")
def guarded_weather(city: str) -> str:
    """Tell the weather to whom it may concern."""
    return f"windy in {city}"


def make_agent(client: ScriptedChatClient, provider: Any, **more: Any) -> Agent[Any]:
    """Return the framework's agent on this model and history."""
    return Agent(client, "Be brief.", name="guide", context_providers=[provider], tools=[weather, guarded_weather], **more)


async def run_streaming(agent: Agent[Any], text: str, session: Any) -> str:
    """Run a turn as a stream, to its end, and return the answer."""
    stream = agent.run(text, session=session, stream=True)
    parts = [update.text async for update in stream]
    await stream.get_final_response()
    return "".join(parts)


def shape(messages: Iterable[Message]) -> list[tuple[str, str]]:
    """Return role and text (or the ids of calls and results) of each message."""
    return [
        (message.role, message.text or ",".join(content.call_id or content.type for content in message.contents))
        for message in messages
    ]


async def hang() -> str:
    """Answer never."""
    await asyncio.Event().wait()
    raise AssertionError
