"""An optional power: values that are changed at their end, so that a long one grows without being sent or written anew.

The values are those of `Values`, under the same literal keys, and every verb of `Values` sees them whole.
"""

from __future__ import annotations

from typing import Final, Protocol, runtime_checkable

from .errors import InvalidError
from .limits import MAX_DATA_BYTES, MAX_TTL_MS, check_data, check_value_key

__all__ = ["MAX_TAIL_BYTES", "Splicing", "check_splice", "too_large"]

MAX_TAIL_BYTES: Final = 4_096
"""Bytes at the end of a value that one splice may look at."""


@runtime_checkable
class Splicing(Protocol):
    """A change to a value that depends on how it ends."""

    async def splice_value(
        self,
        key: str,
        data: bytes,
        *,
        mark: bytes,
        tail: int,
        keep: int = 0,
        head: bytes = b"",
        whole: bool = False,
        ttl_ms: int | None = None,
        ttl_at: tuple[int, int] | None = None,
    ) -> tuple[bool, bytes | None]:
        """Put `data` where the last `tail` bytes of the value stand, or in the place of all of it, if these begin with `mark`.

        A call is never sent twice: UnavailableError, where its outcome is not known.

        Args:
            data: what comes there; with `keep` at least as long as `tail`.
            mark: what these last bytes must begin with; not empty.
            tail: how many they are, from 1 to MAX_TAIL_BYTES. A shorter value does not match.
            keep: how many of the very last bytes stay, after `data`; fewer than `tail`.
            head: what comes in the place of as many bytes at the beginning, in the same step. A value that is not as long
                as head and tail together does not match.
            whole: whether the whole value is replaced; then nothing is kept, and there is no head.
            ttl_ms: milliseconds it then has left; 0 for ever; None leaves its time alone.
            ttl_at: from where to where (exclusive) in these last bytes the milliseconds stand as decimal digits, spaces before
                them; what is no such number leaves its time alone.

        Returns:
            whether it was done, and the last `tail` bytes as they were before; None where there is no value.

        Raises:
            InvalidError: the value would be larger than `limits.MAX_DATA_BYTES`; the key holds a set or list.
        """
        ...


def check_splice(
    key: str,
    data: bytes,
    *,
    mark: bytes,
    tail: int,
    keep: int,
    head: bytes,
    whole: bool,
    ttl_ms: int | None,
    ttl_at: tuple[int, int] | None,
) -> None:
    """Raise InvalidError where an argument of `splice_value` is wrong."""
    check_value_key(key)
    check_data(data, "what is put at the end of a value")
    check_data(mark, "the mark")
    check_data(head, "the head")
    if isinstance(tail, bool) or not isinstance(tail, int) or not 1 <= tail <= MAX_TAIL_BYTES:
        raise InvalidError(f"the tail is a number of bytes from 1 to {MAX_TAIL_BYTES:,}, not {tail!r}")
    if not 1 <= len(mark) <= tail:
        raise InvalidError("the mark is empty or longer than the tail: give the bytes that the tail begins with")
    if isinstance(keep, bool) or not isinstance(keep, int) or not 0 <= keep < tail or (keep and whole):
        raise InvalidError(
            f"what is kept of a tail of {tail} bytes is a number of fewer bytes, 0 for a whole value, not {keep!r}"
        )
    if head and whole:
        raise InvalidError("a whole value has no head of its own: put it into the data")
    if len(data) + keep < tail:
        raise InvalidError("what is put at the end is shorter than what it replaces: put the whole value")
    if ttl_ms is not None and ttl_at is not None:
        raise InvalidError("a time to live is given or read, not both: leave one of them out")
    if ttl_ms is not None and (isinstance(ttl_ms, bool) or not isinstance(ttl_ms, int) or not 0 <= ttl_ms <= MAX_TTL_MS):
        raise InvalidError("a time to live must be from 1 millisecond to 100 years, or 0 for ever")
    if ttl_at is not None:
        first, last = ttl_at
        if not (isinstance(first, int) and isinstance(last, int) and 0 <= first < last <= tail):
            raise InvalidError(f"the milliseconds stand within the tail, from one place to a later one, not at {ttl_at!r}")


def too_large() -> InvalidError:
    """Return the error for a value that would grow too large."""
    return InvalidError(f"the value would have more than {MAX_DATA_BYTES:,} bytes: shorten it, or begin another one")
