"""How large things may be, and the checks that say so before anything is sent.

Every limit is enforced in one place, here, and is the same on every backend.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from . import frames
from .checkpoints import DropCheckpoints, Fenced, Part, PutCheckpoint, PutWrites, Revive
from .errors import InvalidError, ReusedTokenError
from .records import PRESENT, Append, Change, Expire, ExpiryKind, Once, Partition, PutDocument, Remove, Replace, Truncate

MAX_ID_BYTES: Final = 512
"""Bytes of UTF-8 in an owner, a name, a log, a document key, an entry id, a holder or a `once` token."""
MAX_DIGEST_BYTES: Final = 16
"""Bytes of the digest beside a `once` token."""
MAX_DATA_BYTES: Final = 8 * 1024 * 1024
"""Bytes of one entry, document or value."""
MAX_CHANGES: Final = 5_000
"""Changes in one commit."""
MAX_COMMIT_BYTES: Final = 64 * 1024 * 1024
"""Bytes of all data in one commit."""
MAX_LINKS: Final = 1_000
"""Links of one item."""
MAX_PAGE: Final = 1_000
"""Entries, threads or values in one page."""
MAX_VALUE_KEY_BYTES: Final = 4_096
"""Bytes of UTF-8 in the literal key of a value."""
MAX_TITLE_BYTES: Final = 4_096
"""Bytes of UTF-8 in a thread's title."""
MAX_FIELDS: Final = 1_000
"""Fields of a thread's metadata that are written at once."""
MAX_FIELD_BYTES: Final = 64 * 1024
"""Bytes of JSON in one field of a thread's metadata, which every page of a listing reads."""
MAX_DEPTH: Final = 100
"""How deep lists and objects may be nested in JSON that clew encodes."""
MAX_BRANCH_BYTES: Final = 4_096
"""Bytes of UTF-8 in the branch of a checkpoint, and in the path of a write, which grow with each level of nesting."""
ITEMS: Final = "items"
"""The log that the spans of a checkpoint's parts refer to."""
CHECKPOINTS: Final = "*checkpoints"
"""What stands for a partition's checkpoints where a backend names its logs; no log may have a name that begins so."""
NEAREST: Final = "*nearest/"
"""What the names of a partition's indexes of vectors begin with there; likewise."""
MAX_TTL_MS: Final = 100 * 366 * 24 * 3600 * 1000
"""A hundred years, in milliseconds."""
ONCE_REMEMBERED: Final = 1_000
"""The newest `once` tokens that each partition remembers."""
TOMBSTONE_MS: Final = 7 * 24 * 3600 * 1000
"""How long a deleted partition stays "gone" (a week), before its name can be used again."""


def check_id(text: str, what: str, *, most: int = MAX_ID_BYTES) -> str:
    """Return `text`, or raise InvalidError: it must be non-empty valid Unicode of at most `most` bytes of UTF-8."""
    if not isinstance(text, str):
        raise InvalidError(f"{what} must be a string, not {type(text).__name__}")
    if not text:
        raise InvalidError(f"{what} is empty: give at least one character")
    if len(text) > most:
        raise InvalidError(f"{what} has {len(text):,} characters: at most {most} bytes of UTF-8 are allowed")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as e:
        raise InvalidError(f"{what} holds a lone surrogate, which is not valid Unicode") from e
    if size > most:
        raise InvalidError(f"{what} has {size:,} bytes of UTF-8: at most {most} are allowed")
    return text


def check_partition(partition: Partition) -> Partition:
    """Return `partition`, or raise InvalidError where its owner or name is not a valid id."""
    check_id(partition.owner, "the owner")
    check_id(partition.name, "the thread id")
    return partition


def check_limit(limit: int, *, most: int = MAX_PAGE) -> int:
    """Return `limit`, or raise InvalidError unless it is from 1 to `most`. Nothing is clipped in silence."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= most:
        raise InvalidError(f"limit must be a whole number from 1 to {most}, not {limit!r}")
    return limit


def check_ttl(ttl_ms: int) -> int:
    """Return `ttl_ms`, or raise InvalidError unless it is from 1 ms to a hundred years."""
    if isinstance(ttl_ms, bool) or not isinstance(ttl_ms, int) or not 1 <= ttl_ms <= MAX_TTL_MS:
        raise InvalidError("a time to live must be from 1 millisecond to 100 years")
    return ttl_ms


def check_log(name: str) -> str:
    """Return `name`, or raise InvalidError where no log can have it."""
    check_id(name, "a log's name")
    for kept in (CHECKPOINTS, NEAREST):
        if name.startswith(kept):
            raise InvalidError(f"a log's name does not begin with {kept!r}, as {name[:40]!r} does: choose another")
    return name


def check_data(data: bytes, what: str) -> int:
    """Return the size of `data`, or raise InvalidError where it is not bytes or is too large."""
    if not isinstance(data, bytes):
        raise InvalidError(f"{what} must be bytes, not {type(data).__name__}")
    if len(data) > MAX_DATA_BYTES and not (data.startswith(frames.FRAMES) and len(data) <= MAX_DATA_BYTES + frames.ENTRY_ROOM):
        raise InvalidError(f"{what} has {len(data):,} bytes: at most {MAX_DATA_BYTES:,} are allowed; store large files elsewhere")
    return len(data)


def check_value_key(key: str) -> str:
    """Return `key`, or raise InvalidError where it is no valid literal key."""
    return check_id(key, "a value's key", most=MAX_VALUE_KEY_BYTES)


def check_elements(elements: Sequence[bytes], what: str) -> list[bytes]:
    """Return what is to go into a set or list at once, or raise InvalidError where that is nothing, or too many or too large."""
    found = list(elements)
    if not 1 <= len(found) <= MAX_CHANGES:
        raise InvalidError(f"there are {len(found):,} of {what}: from 1 to {MAX_CHANGES:,} are allowed at once")
    total = sum(check_data(each, what) for each in found)
    if total > MAX_COMMIT_BYTES:
        raise InvalidError(f"{what} have {total:,} bytes together: at most {MAX_COMMIT_BYTES:,} are allowed at once")
    return found


def check_json(value: object, what: str, *, depth: int = MAX_DEPTH) -> None:
    """Raise InvalidError unless `value` is JSON: None, a bool, a finite number, a string, or a list or dict of them."""
    kind = type(value)
    if value is None or kind is bool:
        return
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as e:
            raise InvalidError(f"{what} holds a lone surrogate, which is not valid Unicode") from e
    elif isinstance(value, int):
        if value.bit_length() > 4096:
            raise InvalidError(f"{what} holds a whole number of {value.bit_length():,} bits: write it as a string")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidError(f"{what} holds {value}, which JSON cannot say: leave it out, or use None")
    elif depth == 0:
        raise InvalidError(f"{what} is nested deeper than {MAX_DEPTH} levels, or holds itself")
    elif isinstance(value, list | tuple):
        for each in value:
            check_json(each, what, depth=depth - 1)
    elif isinstance(value, dict):
        for key, each in value.items():
            if not isinstance(key, str):
                raise InvalidError(f"{what} has the key {key!r}: a JSON object has strings for keys")
            check_json(key, what)
            check_json(each, what, depth=depth - 1)
    else:
        raise InvalidError(f"{what} holds a {kind.__name__}, which is not JSON: turn it into strings, numbers, lists and dicts")


def check_cursor(cursor: int | str | None) -> None:
    """Raise InvalidError unless it is None, a valid id, or a position from 0."""
    if cursor is None:
        return
    if isinstance(cursor, str):
        check_id(cursor, "the cursor")
    elif isinstance(cursor, bool) or not isinstance(cursor, int) or cursor < 0:
        raise InvalidError(f"a cursor is an item's id or a position from 0, not {cursor!r}")


def check_expect(expect: int | None) -> None:
    """Raise InvalidError unless it is None, a revision, 0 for "must not exist", or PRESENT."""
    if expect is not None and (isinstance(expect, bool) or not isinstance(expect, int) or expect < PRESENT):
        raise InvalidError(f"expect must be a revision, 0 for none, or PRESENT, not {expect!r}")


def check_revision(expect: int | None) -> None:
    """Raise InvalidError unless it is None or the revision of a partition that exists."""
    if expect is not None and (isinstance(expect, bool) or not isinstance(expect, int) or expect < 1):
        raise InvalidError(f"expect must be a revision of at least 1, not {expect!r}")


def check_once(once: str | Once | None) -> tuple[str | None, bytes]:
    """Return the token, None for none, and its digest, empty for none; InvalidError where one of them cannot be used."""
    if once is None:
        return None, b""
    if isinstance(once, str):
        return check_id(once, "the once token"), b""
    if not isinstance(once, Once) or not isinstance(once.digest, bytes) or not 1 <= len(once.digest) <= MAX_DIGEST_BYTES:
        raise InvalidError(f"once must be a token, or clew.Once(token, digest) with 1 to {MAX_DIGEST_BYTES} bytes of digest")
    return check_id(once.token, "the once token"), once.digest


def check_same_use(kept: bytes, digest: bytes) -> None:
    """Raise ReusedTokenError where a known token was used with another digest; one of both without a digest tells nothing."""
    if kept and digest and kept != digest:
        raise ReusedTokenError("this once token was used for another call before: give each call a token of its own")


def check_appends(changes: Sequence[Append]) -> None:
    """Raise InvalidError as `check_changes` would, for some appends to one log whose name is known to be good."""
    total = 0
    for change in changes:
        entry = change.entry
        data, key = entry.data, entry.key
        # In place, since this is done for every item: what is out of the common way is looked at again by the full check.
        if not isinstance(data, bytes) or len(data) > MAX_DATA_BYTES:
            check_data(data, "an item")
        total += len(data)
        # The stored form of an id ends in one or two marks; only that of a long one is worth a closer look.
        if not 1 < len(key) < MAX_ID_BYTES:
            check_id(entry.id, "an item's id")
    if (len(changes) > 1 and len({change.entry.key for change in changes}) < len(changes)) or total > MAX_COMMIT_BYTES:
        check_changes(changes)


def check_expiry(ttl_ms: int | None, kind: ExpiryKind) -> None:
    """Raise InvalidError unless this is a time to live, or None, and a kind of one."""
    if kind not in ("fixed", "sliding"):
        raise InvalidError(f"an expiry is 'fixed' or 'sliding', not {kind!r}")
    if ttl_ms is not None:
        check_ttl(ttl_ms)


def check_changes(changes: Iterable[Change]) -> None:
    """Raise InvalidError where a commit is too large, would write one entry twice, or writes into what it just cut off."""
    total = count = appended = reach = 0
    cut: set[str] = set()
    written: set[tuple[str, str]] = set()
    for change in changes:
        count += 1
        if isinstance(change, PutDocument):
            check_id(change.key, "a document's key")
            total += check_data(change.data, "a document") if change.data is not None else 0
            continue
        if isinstance(change, Expire):
            check_expiry(change.ttl_ms, change.kind)
            continue
        if isinstance(change, PutCheckpoint | PutWrites | DropCheckpoints | Fenced | Revive):
            total += _check_checkpoint_change(change)
            if isinstance(change, PutCheckpoint):
                reach = max(reach, _reach(change))
            continue
        check_log(change.log)
        if isinstance(change, Append | Replace):
            total += check_data(change.entry.data, "an item")
            name = check_id(change.entry.id, "an item's id")
            appended += isinstance(change, Append) and change.log == ITEMS
        elif isinstance(change, Remove):
            name = check_id(change.id, "an item's id")
        else:
            check_cursor(change.after if isinstance(change, Truncate) else change.before)
            cut.add(change.log)
            continue
        if change.log in cut and not isinstance(change, Append):
            raise InvalidError("in one commit, replace and remove come before truncate and trim: put them in that order")
        if (change.log, name) in written:
            raise InvalidError(f"one commit writes the item {name!r} twice: split it in two commits")
        written.add((change.log, name))
    _check_reach(reach, appended)
    if count > MAX_CHANGES:
        raise InvalidError(f"a commit holds {count:,} changes: at most {MAX_CHANGES:,} are allowed, so split it")
    if total > MAX_COMMIT_BYTES and total > MAX_COMMIT_BYTES + _room(changes):
        raise InvalidError(f"a commit holds {total:,} bytes: at most {MAX_COMMIT_BYTES:,} are allowed, so split it")


def _room(changes: Iterable[Change]) -> int:
    """Return by how many bytes a commit may be larger for the frames that a wrapper put its data into."""
    for change in changes:
        if isinstance(change, Append | Replace):
            data = change.entry.data
        elif isinstance(change, PutDocument):
            data = change.data or b""
        elif isinstance(change, PutCheckpoint):
            data = change.head
        else:
            data = change.writes[0].data if isinstance(change, PutWrites) and change.writes else b""
        if data.startswith(frames.FRAMES):
            return frames.ENTRY_ROOM
    return 0


def check_point(branch: str, id: str | None) -> None:
    """Raise InvalidError where these name no checkpoint; an id of None means the latest."""
    check_branch(branch)
    if id is not None:
        _check_word(id, "a checkpoint's id")


def check_window(window: int) -> int:
    """Return `window`, or raise InvalidError unless it is from 0 to MAX_PAGE entries."""
    if isinstance(window, bool) or not isinstance(window, int) or not 0 <= window <= MAX_PAGE:
        raise InvalidError(f"window must be a whole number from 0 to {MAX_PAGE}, not {window!r}")
    return window


def check_branch(branch: str) -> str:
    """Return `branch`, or raise InvalidError where it cannot be one. It may be empty."""
    return branch if branch == "" else _check_word(branch, "a checkpoint's branch", most=MAX_BRANCH_BYTES)


def _check_word(text: str, what: str, *, most: int = MAX_ID_BYTES) -> str:
    check_id(text, what, most=most)
    if "\0" in text:
        raise InvalidError(f"{what} holds a NUL, which separates names here: use another character")
    return text


def check_channel(channel: str) -> str:
    """Return the channel of a part or of a write, or raise InvalidError where it cannot be one."""
    return _check_channel(channel) if isinstance(channel, str) else _check_word(channel, "a channel")


def check_part_name(name: str) -> str:
    """Return the name of a part, or raise InvalidError unless it is a channel, NUL, and a version, neither of them empty."""
    return _check_part_name(name) if isinstance(name, str) else check_id(name, "a part's name")


# A program has the same few channels at every step, and most of its parts stay as they are.
@lru_cache(maxsize=1024)
def _check_channel(channel: str) -> str:
    return _check_word(channel, "a channel")


@lru_cache(maxsize=1024)
def _check_part_name(name: str) -> str:
    channel, nul, version = check_id(name, "a part's name").partition("\0")
    if not (channel and nul and version) or "\0" in version:
        raise InvalidError(f"a part's name is its channel, NUL, and its version, not {name!r}")
    return name


def _check_part(part: Part) -> int:
    if part.after is not None:
        check_part_name(part.after)
    for first, count in part.spans:
        if not (isinstance(first, int) and isinstance(count, int) and first != 0 and count > 0 and abs(first) + count < 2**53):
            raise InvalidError(f"a span is a position and a count of at least 1, not {(first, count)!r}")
    return check_data(part.data, "a part")


def _reach(change: PutCheckpoint) -> int:
    """Return which append its spans refer to at most, the first being 1."""
    ends = [count - first - 1 for part in change.parts.values() if part.spans for first, count in part.spans if first < 0]
    return max(ends) if ends else 0


def _check_reach(reach: int, appended: int) -> None:
    if reach > appended:
        raise InvalidError(f"a span refers to append {reach:,} of a commit that has {appended:,}: append it in the same commit")


def check_step(change: PutCheckpoint | PutWrites, appends: Sequence[Append], fenced: Fenced | None) -> None:
    """Raise InvalidError as `check_changes` would, for one checkpoint or writes, some appends to ITEMS, and a condition."""
    total = _check_checkpoint_change(change)
    if appends:
        check_appends(appends)
        total += sum([len(each.entry.data) for each in appends])
    if isinstance(change, PutCheckpoint):
        _check_reach(_reach(change), len(appends))
    if fenced is not None:
        _check_checkpoint_change(fenced)
    if total > MAX_COMMIT_BYTES:
        check_changes([*appends, change])


def _check_checkpoint_change(change: PutCheckpoint | PutWrites | DropCheckpoints | Fenced | Revive) -> int:
    """Raise InvalidError for what cannot be written; return how many bytes of data it has."""
    if isinstance(change, PutCheckpoint):
        check_point(change.branch, change.id)
        if change.parent is not None:
            _check_word(change.parent, "a checkpoint's parent")
        if change.made_ms is not None and not (isinstance(change.made_ms, int) and 0 <= change.made_ms < 2**53):
            raise InvalidError(f"made_ms is what an earlier outcome said, not {change.made_ms!r}")
        for name in change.uses:
            check_part_name(name)
        return check_data(change.head, "a checkpoint's head") + sum(
            _check_part(part) for name, part in change.parts.items() if check_part_name(name)
        )
    if isinstance(change, PutWrites):
        check_point(change.branch, change.id)
        for write in change.writes:
            if write.path:
                _check_word(write.path, "the path of a write", most=MAX_BRANCH_BYTES)
            _check_word(write.task, "the task of a write")
            check_channel(write.channel)
            if not isinstance(write.index, int) or not -1000 <= write.index < 1_000_000:
                raise InvalidError(f"the index of a write is from -1000 to 999,999, not {write.index}")
        return sum(check_data(write.data, "a write") for write in change.writes)
    if isinstance(change, DropCheckpoints):
        for branch, id in change.points:
            check_point(branch, id)
    elif isinstance(change, Fenced):
        check_id(change.name, "a lease's name")
        if not isinstance(change.fence, int) or not 1 <= change.fence < 2**53:
            raise InvalidError(f"a fence is at least 1, not {change.fence!r}")
    return 0
