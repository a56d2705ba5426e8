"""Streams of bytes: limited, and gathered into larger pieces."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing

from ..errors import InvalidError


async def limit_stream(data: bytes | AsyncIterable[bytes], most: int) -> AsyncGenerator[bytes, None]:
    """Yield what `data` is or yields, without empty chunks.

    Raises:
        InvalidError: it is more than `most` bytes, or something else than bytes.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        data = _once(bytes(data))
    elif not isinstance(data, AsyncIterable):
        raise InvalidError(f"a file's data must be bytes, or yield them, not {type(data).__name__}")
    seen = 0
    async for chunk in data:
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise InvalidError(f"a file's data must yield bytes, not {type(chunk).__name__}")
        seen += len(chunk)
        if seen > most:
            raise InvalidError(f"the file has more than {most:,} bytes, which is the most that is allowed here")
        if chunk:
            yield bytes(chunk)


async def gather(chunks: AsyncGenerator[bytes, None], size: int) -> AsyncGenerator[bytes, None]:
    """Yield the same bytes in pieces of at least `size`, but for the last one."""
    held: list[bytes] = []
    count = 0
    async with aclosing(chunks):
        async for chunk in chunks:
            held.append(chunk)
            count += len(chunk)
            if count >= size:
                yield b"".join(held)
                held, count = [], 0
    if held:
        yield b"".join(held)


async def _once(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data
