"""What came over standard input and is no message: told to the client, who would otherwise wait for an answer for ever.

The SDK leaves such a line out. JSON allows what no message may hold, as half of a character, which clients that cut a text send.
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

from mcp import types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError


class AnsweringStream:
    """The SDK's stream of messages, without what could not be read: that is answered where it has an id."""

    def __init__(self, reading: Any, writing: Any) -> None:  # the SDK's own streams, whose types it does not name in public
        self._reading = reading
        self._writing = writing

    @property
    def last_context(self) -> Any:  # whatever the SDK put there for itself
        """As the SDK's own stream has it."""
        return getattr(self._reading, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message."""
        while True:
            item = await self._reading.receive()
            answer = _answer_to(item) if isinstance(item, Exception) else None
            if answer is None:
                return item  # type: ignore[no-any-return]  # as above
            await self._writing.send(SessionMessage(answer))

    async def aclose(self) -> None:
        """Close the SDK's stream."""
        await self._reading.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        item: SessionMessage | Exception
        async for item in self._reading:
            answer = _answer_to(item) if isinstance(item, Exception) else None
            if answer is None:
                return item
            await self._writing.send(SessionMessage(answer))
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()


def _answer_to(error: Exception) -> types.JSONRPCError | None:
    """Return what to say to a line that could not be read; None where nobody waits for an answer."""
    if not isinstance(error, ValidationError):
        return None
    first = error.errors(include_url=False)[0]
    id = _id_in(first["input"])
    if id is None:
        return None
    return types.JSONRPCError(
        jsonrpc="2.0",
        id=id,
        error=types.ErrorData(code=types.PARSE_ERROR, message=f"The message cannot be read: {first['msg']}. Mend it."),
    )


def _id_in(line: object) -> int | str | None:
    """Return the id of a request that is not one; None where there is none to be found."""
    found = line
    if isinstance(line, str | bytes):
        try:
            # No number of thousands of digits is an id.
            found = json.loads(line, parse_int=lambda digits: int(digits[:40]))
        except (ValueError, RecursionError):
            return None
    id = found.get("id") if isinstance(found, dict) else None
    is_one = isinstance(id, int | str) and not isinstance(id, bool)
    return id if is_one and str(id).isprintable() else None
