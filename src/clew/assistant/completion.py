"""One request to a model that speaks OpenAI's chat completions: its text as it comes, then the tools it calls.

What goes wrong becomes one error with a sentence that people may see: neither the key, nor the conversation, nor where the
model runs is in it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..errors import MissingExtraError, UnavailableError
from .history import Message
from .models import Model

try:
    import openai
except ImportError as error:
    raise MissingExtraError("clew.assistant.agent", "chat") from error

MODEL_S: Final = 120.0
"""How long a model may be silent."""


class NoToolsError(UnavailableError):
    """The model, or the server it runs on, takes no tools."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that the model calls."""

    id: str
    name: str
    arguments: str

    def parse(self) -> dict[str, Any] | None:
        """Return the arguments; None where the model did not write an object in JSON."""
        try:
            value = json.loads(self.arguments or "{}")
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


async def complete(
    model: Model, messages: Sequence[Message], options: Mapping[str, Any] | None = None, *, patience_s: float = MODEL_S
) -> AsyncGenerator[str | Call, None]:
    """Send a request, and yield the parts of the text as they come, then the calls. Closing it ends the request.

    Args:
        options: what to send beside the model's own options, as `tools`; it goes before them.
        patience_s: how many seconds the model may be silent.

    Raises:
        NoToolsError: there are tools among the options, and it does not take them. Nothing was yielded.
        UnavailableError: the model did not answer; the sentence says why.
    """
    given = {**model.options, **(options or {})}
    request: Any = {"model": model.name, "messages": list(messages), **given}  # a TypedDict of forty fields in the SDK
    calls: dict[int, list[str]] = {}
    has_begun = has_ended = False
    try:
        async with asyncio.timeout(patience_s):
            stream = await model.api.chat.completions.create(stream=True, **request)
        async with stream:
            has_begun = True
            chunks = aiter(stream)
            while True:
                async with asyncio.timeout(patience_s):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                for choice in chunk.choices[:1]:
                    has_ended = has_ended or choice.finish_reason is not None
                    for piece in choice.delta.tool_calls or ():
                        known = calls.setdefault(piece.index, ["", "", ""])
                        function = piece.function
                        known[0] = known[0] or piece.id or ""
                        known[1] += (function.name if function else None) or ""
                        known[2] += (function.arguments if function else None) or ""
                    if choice.delta.content:
                        yield choice.delta.content
    except Exception as error:
        if not _is_the_models(error):
            raise
        if "tools" in given and _refuses_tools(error):
            raise NoToolsError(f"{model.name} takes no tools") from error
        raise UnavailableError(_sentence(error, model, has_begun)) from error
    if not has_ended:
        raise UnavailableError(f"{model.name} broke off in the middle of its answer")
    for index in sorted(calls):
        id, name, arguments = calls[index]
        yield Call(id or f"call_{index}", name, arguments)


def _is_the_models(error: Exception) -> bool:
    """Tell whether the model or the way to it failed. While a stream is read, the transport's own errors come as they are."""
    if isinstance(error, openai.OpenAIError | TimeoutError | OSError | ValueError):
        return True
    return type(error).__module__.startswith(("httpx", "httpcore"))


def _refuses_tools(error: Exception) -> bool:
    if not isinstance(error, openai.APIStatusError) or error.status_code not in (400, 404, 422, 500, 501):
        return False
    said = str(error).lower()
    return "tool" in said or "jinja" in said or "function call" in said


def _sentence(error: Exception, model: Model, has_begun: bool) -> str:
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return f"{model.name} was silent for too long: try again later"
    if has_begun and (isinstance(error, openai.APIConnectionError) or not isinstance(error, openai.OpenAIError)):
        return f"{model.name} broke off in the middle of its answer"
    if isinstance(error, openai.APIConnectionError | OSError):
        return f"{model.name} cannot be reached: try again later"
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return f"{model.name} refused the key: set another one"
    if isinstance(error, openai.RateLimitError):
        return f"{model.name} is asked too much, or its quota is used up: try again later"
    if isinstance(error, openai.NotFoundError):
        return f"there is no model {model.name} there: set another name"
    status = f" with status {error.status_code}" if isinstance(error, openai.APIStatusError) else ""
    return f"{model.name} did not answer ({type(error).__name__}{status})"
