"""A part of a file, as the header `Range` asks for it: one range of bytes. Who asks for several at once is sent all of it."""

from __future__ import annotations

import re
from typing import Final

from .refusals import RangeError

_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)


def part_of(text: str | None, size: int) -> tuple[int, int] | None:
    """Return where the part of a file starts and how long it is; None for all of it.

    Args:
        text: the header; one that is malformed, or asks for several parts, asks for all.
        size: bytes of the file.

    Raises:
        RangeError: there is no such part.
    """
    found = _RANGE.fullmatch(text) if text is not None else None
    if found is None or found[1] == found[2] == "":
        return None
    if found[1]:
        start, stop = int(found[1]), int(found[2]) + 1 if found[2] else size
        if stop <= start < size:
            return None  # It ends before it begins.
    else:
        # The last bytes, as many as that.
        start, stop = max(0, size - int(found[2])), size
    stop = min(stop, size)
    if start >= stop:
        raise RangeError(f"the file has {size:,} bytes, and no such part", size)
    return start, stop - start
