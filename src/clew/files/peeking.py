"""A look at how a stream of a file begins, before it goes on as it was; and what is told of a file that cannot be read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from ..errors import UnreadableError
from .contract import Opened


async def read_beginning(chunks: AsyncGenerator[bytes, None], least: int) -> bytes:
    """Return the first chunks: at least so many bytes, or all that there are."""
    held = b""
    while len(held) < least and (chunk := await anext(chunks, b"")):
        held += chunk
    return held


async def chain(beginning: bytes, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield what was read, and then what follows. Whoever has `chunks` closes them."""
    if beginning:
        yield beginning
    async for chunk in chunks:
        yield chunk


async def let_go(opened: Opened) -> None:
    """Close an open file of an engine."""
    await opened.chunks.aclose()
    await opened.close()


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Say which file it is that cannot be read."""
    try:
        yield
    except UnreadableError as e:
        raise UnreadableError(f"the file {path!r} cannot be read: {e}") from e
