"""What a caller is told when a call fails: each is an error of py-key-value's, so that its wrappers know it, and one of clew's.

A store that is full or refuses the user raises clew's own error: py-key-value has none for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from key_value.aio.errors import (
    DeserializationError,
    InvalidKeyError,
    InvalidTTLError,
    SerializationError,
    StoreConnectionError,
)

import clew


class StoreAwayError(clew.UnavailableError, StoreConnectionError):
    """The store could not be reached in time; a write may or may not have happened, and may be repeated."""


class BadKeyError(clew.InvalidError, InvalidKeyError):
    """A key or the name of a collection that cannot be one: too long, or no valid Unicode."""


class BadValueError(clew.InvalidError, SerializationError):
    """The value is not a JSON object, or is too large."""


class BadTTLError(clew.InvalidError, InvalidTTLError):
    """The time to live is not a number of seconds from 0.001 to a hundred years."""

    def __init__(self, message: str) -> None:
        # InvalidTTLError would make a message of its own.
        super(InvalidTTLError, self).__init__(message)


class CorruptError(clew.UnreadableError, DeserializationError):
    """What is stored is not a JSON object: another program wrote it. It is kept as it is."""


@contextmanager
def telling() -> Iterator[None]:
    """Raise clew's errors as what py-key-value knows too."""
    try:
        yield
    except clew.UnavailableError as e:
        raise StoreAwayError(str(e)) from e
    except clew.UnreadableError as e:
        raise CorruptError(str(e)) from e
