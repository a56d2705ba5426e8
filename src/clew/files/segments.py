"""The segments of an encrypted file, each of which opens by itself.

Each file has a cipher of its own, made from a key of the ring and the header's random salt. A segment is bound to the header and
to the file's key, and its nonce is its number and whether it is the last one: so none can be left out, repeated, moved within
its file or into another one, and what is cut off is noticed. Nothing is stored or fetched here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import UnreadableError
from ..wrappers.keyring import InvalidTag, Keyring, explain_refusal
from ..wrappers.places import of_file
from .layout import CUT_OFF, SALT, SEGMENT, STORED, Shape, read_id


class Cipher:
    """What seals and opens the segments of one file."""

    def __init__(self, keyring: Keyring, header: bytes, path: str) -> None:
        """Make it for a header and the file's encoded key; UnreadableError where the key is not in the ring."""
        key = keyring.find(read_id(header))
        self._id = key.id
        self._aead = key.make_cipher(header[-SALT:])
        self._bound = header + of_file(path)

    def seal(self, number: int, data: bytes | bytearray | memoryview, *, last: bool = False) -> bytes:
        """Return what is stored for a segment."""
        return self._aead.encrypt(_nonce(number, last), data, self._bound)

    def open(self, number: int, stored: bytearray | memoryview, *, last: bool) -> bytes:
        """Return the bytes of a stored segment; UnreadableError where it is not this one of this file."""
        try:
            return self._aead.decrypt(_nonce(number, last), stored, self._bound)
        except (InvalidTag, ValueError) as e:
            raise UnreadableError(explain_refusal(self._id, "file")) from e


async def seal_stream(chunks: AsyncGenerator[bytes, None], header: bytes, cipher: Cipher) -> AsyncGenerator[bytes, None]:
    """Yield the header and the segments of what the chunks hold, holding one segment at a time."""
    held = bytearray()
    number = 0
    async with aclosing(chunks):
        yield header
        async for chunk in chunks:
            left = memoryview(chunk)
            while left:
                # What may be the last one waits until more comes.
                if len(held) == SEGMENT:
                    yield cipher.seal(number, held)
                    held.clear()
                    number += 1
                if held or len(left) <= SEGMENT:
                    room = SEGMENT - len(held)
                    held += left[:room]
                    left = left[room:]
                else:
                    yield cipher.seal(number, left[:SEGMENT])
                    left = left[SEGMENT:]
                    number += 1
    yield cipher.seal(number, held, last=True)


async def open_stream(
    chunks: AsyncGenerator[bytes, None], cipher: Cipher, shape: Shape, first: int, until: int
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of the segments from `first` to `until`, each of which the chunks have as they are stored.

    Raises:
        UnreadableError: one is not what was written there, or is missing.
    """
    held = bytearray()
    number = first
    async with aclosing(chunks):
        async for chunk in chunks:
            left = memoryview(chunk)
            while number <= until:
                size = STORED if number < shape.last else shape.ending
                wanted = size - len(held)
                if wanted > len(left):
                    break
                if held:
                    held += left[:wanted]
                    opened = cipher.open(number, held, last=number == shape.last)
                    held.clear()
                else:
                    opened = cipher.open(number, left[:wanted], last=number == shape.last)
                left = left[wanted:]
                number += 1
                yield opened
            if number > until:
                return
            held += left
    raise UnreadableError(CUT_OFF)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11) + bytes((last,))
