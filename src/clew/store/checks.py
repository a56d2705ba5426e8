"""What the verbs check before they call a backend: names, powers, times, JSON. A failed check sends nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from ..backend import Backend, Cataloguing, Collecting, Expiry, Leasing, Listing, Values
from ..checkpointing import Checkpointing
from ..errors import ConflictError, InvalidError, NotFoundError, UnsupportedError
from ..limits import MAX_TTL_MS, check_data, check_json, check_partition
from ..model import JSON, ThreadKey
from ..records import Partition
from ..splicing import Splicing

LOG: Final = "items"
"""The log of every thread."""
THREAD: Final = "thread"
"""The document that makes a partition a thread."""


class Unset(msgspec.Struct, frozen=True):
    """The type of `UNSET`."""


UNSET: Final = Unset()
"""An argument that was not given, where None has a meaning of its own."""


def partition_of(thread: ThreadKey) -> Partition:
    """Return the partition of a thread, or raise InvalidError where that names none."""
    try:
        partition = Partition(thread.owner, thread.id)
    except AttributeError as e:
        raise InvalidError(
            f"a {type(thread).__name__} names no thread: pass a Thread, or clew.Ref(owner, id), since an id alone opens nothing"
        ) from e
    if type(partition.owner) is str and type(partition.name) is str:
        # The backend checks the rest of it, before it sends anything.
        return partition
    return check_partition(partition)


def need_listing(backend: Backend) -> Listing:
    """Return the backend as one that lists, or raise UnsupportedError."""
    if isinstance(backend, Listing):
        return backend
    raise UnsupportedError("this store keeps no list of threads: use another one, or keep the threads' ids yourself")


def need_cataloguing(backend: Backend) -> Cataloguing:
    """Return the backend as one that knows the order in which threads were made, or raise UnsupportedError."""
    if isinstance(backend, Cataloguing):
        return backend
    raise UnsupportedError("this store does not know the order in which threads were made: use another one, or threads.list")


def need_expiry(backend: Backend) -> Expiry:
    """Return the backend as one that lets threads expire, or raise UnsupportedError."""
    if isinstance(backend, Expiry):
        return backend
    raise UnsupportedError("this store lets no thread expire: use another one, or delete threads yourself")


def need_leasing(backend: Backend) -> Leasing:
    """Return the backend as one that leases names, or raise UnsupportedError."""
    if isinstance(backend, Leasing):
        return backend
    raise UnsupportedError("this store has no leases, by which writers are told apart: use another one, or write without a claim")


def need_checkpointing(backend: Backend) -> Checkpointing:
    """Return the backend as one that keeps checkpoints, or raise UnsupportedError."""
    if isinstance(backend, Checkpointing):
        return backend
    raise UnsupportedError("this store keeps no checkpoints of programs: use another one")


def need_values(backend: Backend) -> Values:
    """Return the backend as one that has values under literal keys, or raise UnsupportedError."""
    if isinstance(backend, Values):
        return backend
    raise UnsupportedError("this store has no values under literal keys, which values and routes are: use another one")


def need_collecting(backend: Backend) -> Collecting:
    """Return the backend as one that has sets and lists under literal keys, or raise UnsupportedError."""
    if isinstance(backend, Collecting):
        return backend
    raise UnsupportedError(
        "this store has no sets and lists under literal keys (none that encrypts values has, CLEW_ENCRYPTION_VALUES): use another"
    )


def need_splicing(backend: Backend) -> Splicing:
    """Return the backend as one whose values are changed at their end, or raise UnsupportedError."""
    if isinstance(backend, Splicing):
        return backend
    raise UnsupportedError(
        "this store cannot change a value at its end (none can that encrypts values, CLEW_ENCRYPTION_VALUES): use another one"
    )


def ttl_ms_of(ttl: float) -> int:
    """Return seconds as whole milliseconds, or raise InvalidError unless they are from 0.001 to a hundred years."""
    is_number = isinstance(ttl, int | float) and not isinstance(ttl, bool) and math.isfinite(ttl)
    if not is_number or not 0.001 <= ttl <= MAX_TTL_MS / 1000:
        raise InvalidError(f"a time to live is a number of seconds, from 0.001 to 100 years, not {ttl!r}; None means for ever")
    return round(ttl * 1000)


def check_expect(expect: int | None) -> None:
    """Raise InvalidError unless `expect` is a revision or None."""
    if expect is not None and (isinstance(expect, bool) or not isinstance(expect, int) or expect < 0):
        raise InvalidError(f"expect must be a revision, as Thread.revision has it, not {expect!r}")


def encode_json(value: JSON, what: str) -> bytes:
    """Return `value` as JSON, or raise InvalidError where it is none or too large."""
    check_json(value, what)
    data = msgspec.json.encode(value)
    check_data(data, what)
    return data


def check_object(value: Mapping[str, JSON], what: str) -> Mapping[str, JSON]:
    """Return `value`, or raise InvalidError unless it is a mapping."""
    if not isinstance(value, Mapping):
        raise InvalidError(f"{what} must be a JSON object, as a dict, not {type(value).__name__}")
    return value


def no_thread(partition: Partition) -> NotFoundError:
    """Return the error for a thread that is not there."""
    return NotFoundError(f"there is no thread {partition.name!r} for this owner")


def conflict_of(error: ConflictError, partition: Partition) -> Exception:
    """Return what a conflict means for a caller who named a revision: at revision 0 there is no thread."""
    return no_thread(partition) if error.actual == 0 else error
