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
    moment = int(clock() * 1000) & 0xFFFF_FFFF_FFFF
    noise = int.from_bytes(os.urandom(10))
    # The six bits that mark the version and the variant take the place of as many random ones.
    bits = moment << 80 | noise & _RANDOM | _MARKS
    return f"{bits:032x}"


def new_keys(count: int, *, clock: Clock = time.time) -> list[bytes]:
    """Return some fresh ids of one moment as the 16 bytes that are stored, at the price of one look at the clock and one at the
    system's randomness."""
    moment = (int(clock() * 1000) & 0xFFFF_FFFF_FFFF) << 80 | _MARKS
    noise = os.urandom(10 * count)
    return [(moment | int.from_bytes(noise[at : at + 10]) & _RANDOM).to_bytes(16) for at in range(0, 10 * count, 10)]


def new_ids(count: int, *, clock: Clock = time.time) -> list[str]:
    """Return some fresh ids of one moment, as `new_id` writes them."""
    return [key.hex() for key in new_keys(count, clock=clock)]


_RANDOM: Final = 0x0FFF_3FFF_FFFF_FFFF_FFFF
_MARKS: Final = 0x7000_8000_0000_0000_0000


def new_thread_id() -> str:
    """Return a fresh thread id: `thr_` and 32 hexadecimal digits."""
    return f"thr_{new_id()}"
