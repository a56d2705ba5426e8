"""Ids that clew makes: 128 bits, in order of time as UUID version 7 draws them (RFC 9562).

They are unique without a server. They are no credentials, and nothing in clew orders by them: positions do that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

Clock = Callable[[], float]


def new_id(*, clock: Clock = time.time) -> str:
    """Return a fresh id of 32 lower-case hexadecimal digits.

    Args:
        clock: returns seconds since 1970; only a test gives its own.
    """
    return new_key(clock=clock).hex()


def new_key(*, clock: Clock = time.time) -> bytes:
    """Return a fresh id as the 16 bytes that are stored."""
    return key_at(int(clock() * 1000))


def key_at(ms: int) -> bytes:
    """Return a fresh id of this millisecond, as the 16 bytes that are stored."""
    try:
        return (ms & 0xFFFF_FFFF_FFFF).to_bytes(6) + _noise.pop()
    except IndexError:
        drawn = os.urandom(10 * _DRAWN)
        each = (int.from_bytes(drawn[at : at + 10]) & _RANDOM | _MARKS for at in range(0, len(drawn), 10))
        _noise.extend([noise.to_bytes(10) for noise in each])
        return key_at(ms)


# The six bits that mark the version and the variant take the place of as many random ones.
_RANDOM: Final = 0x0FFF_3FFF_FFFF_FFFF_FFFF
_MARKS: Final = 0x7000_8000_0000_0000_0000
_DRAWN: Final = 256
_noise: list[bytes] = []
"""Random bits drawn ahead, since each call of the system costs more than all the rest; each is taken once."""
# A forked child must not take the same ones as its parent.
os.register_at_fork(after_in_child=_noise.clear)


def new_thread_id() -> str:
    """Return a fresh thread id: `thr_` and 32 hexadecimal digits."""
    return f"thr_{new_id()}"
