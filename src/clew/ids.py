"""Ids that clew makes: 128 bits, in order of time as UUID version 7 draws them (RFC 9562).

They are unique without a server. They are no credentials, and nothing in clew orders by them: positions do that.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

Clock = Callable[[], float]


def new_id(*, clock: Clock = time.time) -> str:
    """Return a fresh id of 32 lower-case hexadecimal digits.

    Args:
        clock: returns seconds since 1970; only a test gives its own.
    """
    moment = int(clock() * 1000) & 0xFFFF_FFFF_FFFF
    noise = secrets.randbits(74)
    bits = (moment << 80) | (0x7 << 76) | ((noise >> 62) << 64) | (0b10 << 62) | (noise & 0x3FFF_FFFF_FFFF_FFFF)
    return f"{bits:032x}"


def new_thread_id() -> str:
    """Return a fresh thread id: `thr_` and 32 hexadecimal digits."""
    return f"thr_{new_id()}"
