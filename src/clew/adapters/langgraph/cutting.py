"""Cutting a MessagePack array into its elements, and making one of elements, without a look inside them."""

from __future__ import annotations

from typing import Final


def array_header(count: int) -> bytes:
    """Return the bytes that begin an array of so many elements."""
    if count < 16:
        return bytes([0x90 | count])
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2)
    return b"\xdd" + count.to_bytes(4)


def cut(data: bytes, start: int, count: int) -> list[bytes]:
    """Return `count` neighbouring values of `data`, the first of which begins at `start`; IndexError where it is too short."""
    found = []
    for _ in range(count):
        # Nearly all are messages, which are extensions: their length stands in front.
        kind = data[start]
        if kind == 0xC8:
            end = start + 4 + int.from_bytes(data[start + 1 : start + 3])
        elif kind == 0xC7:
            end = start + 3 + data[start + 1]
        else:
            end = _skip(data, start)
        found.append(data[start:end])
        start = end
    return found


def _skip(data: bytes, at: int) -> int:
    """Return where the value that begins at `at` ends."""
    left = 1
    while left:
        left -= 1
        kind = data[at]
        at += 1
        if kind < 0x80 or kind >= 0xE0:
            continue
        if kind < 0x90:
            left += 2 * (kind & 15)
        elif kind < 0xA0:
            left += kind & 15
        elif kind < 0xC0:
            at += kind & 31
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            width, extra, each = _SIZED[kind]
            size = int.from_bytes(data[at : at + width])
            at += width + extra
            if each:
                left += each * size
            else:
                at += size
    return at


_FIXED: Final = {
    **dict.fromkeys((0xC0, 0xC1, 0xC2, 0xC3), 0),
    **{0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8},
    **{0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17},
}
"""How many bytes follow the first one."""
_SIZED: Final = {
    **{0xC4: (1, 0, 0), 0xC5: (2, 0, 0), 0xC6: (4, 0, 0), 0xD9: (1, 0, 0), 0xDA: (2, 0, 0), 0xDB: (4, 0, 0)},
    **{0xC7: (1, 1, 0), 0xC8: (2, 1, 0), 0xC9: (4, 1, 0)},
    **{0xDC: (2, 0, 1), 0xDD: (4, 0, 1), 0xDE: (2, 0, 2), 0xDF: (4, 0, 2)},
}
"""Bytes of the size, bytes between it and the data, and how many values one of the size is; 0 where it is bytes."""
