"""How much of a conversation fits a small model: a cautious measure of tokens, and a middleware that keeps to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

OF_A_MESSAGE: Final = 8
"""What a message costs beside its text."""


def measure(text: str) -> int:
    """Return a cautious count of tokens: two ASCII characters, or one byte of other UTF-8, count as one."""
    plain = sum(letter.isascii() for letter in text)
    return OF_A_MESSAGE + plain // 2 + len(text.encode(errors="replace")) - plain


def fit_into(room: int) -> Any:
    """Return an Agent Framework middleware that sends only the newest messages that fit, the instructions and the newest always.

    Args:
        room: in tokens, as `measure` counts them.
    """
    from agent_framework import ChatContext, chat_middleware

    async def fit(context: ChatContext, call_next: Callable[[], Awaitable[None]]) -> None:
        messages = list(context.messages)
        first = [message for message in messages[:1] if message.role == "system"]
        rest = messages[len(first) :]
        left = room - sum(measure(message.text or "") for message in first)
        start = len(rest)
        while start and (start == len(rest) or left >= measure(rest[start - 1].text or "")):
            start -= 1
            left -= measure(rest[start].text or "")
        while start < len(rest) - 1 and rest[start].role != "user":
            start += 1
        context.messages = [*first, *rest[start:]]
        await call_next()

    return chat_middleware(fit)
