"""Appending: one call where the thread is there, and the thread made in the same commit where the caller asks for it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

from ..accepting import Accepting
from ..backend import Backend
from ..errors import ConflictError, GoneError, InvalidError, NotFoundError, ReusedTokenError, UnavailableError
from ..model import JSON, Appended, NewItem
from ..records import PRESENT, Change, Commit, Once, Partition, Trim
from .checks import LOG, check_expect, conflict_of, no_thread
from .entries import make_appends
from .finding import MAX_POSITION
from .threads import make_expiry, make_header

ATTEMPTS: Final = 20
"""How often a thread that comes and goes meanwhile is tried again."""


async def commit(
    backend: Backend,
    partition: Partition,
    changes: Sequence[Change],
    *,
    once: str | Once | None = None,
    expect: int | None = None,
) -> Commit:
    """Commit to a thread that must be there, and note the write in its owner's listing.

    Raises:
        NotFoundError, GoneError: there is no such thread.
        ConflictError: it is at another revision than `expect`, or a change met something else than it expected.
    """
    try:
        return await backend.commit(partition, changes, expect=PRESENT if expect is None else expect, once=once, listed=True)
    except ConflictError as e:
        raise conflict_of(e, partition) from e


async def append_plain(backend: Backend, partition: Partition, items: NewItem | Sequence[NewItem]) -> Appended:
    """Append as nearly every call does: straight to the backend, since each step costs as much as its share of a trip."""
    ids, changes = make_appends(items, partition, None)
    if not changes:
        return _describe(ids, await _append_nothing(backend, partition, None), 0)
    try:
        return _describe(ids, await backend.commit(partition, changes, expect=PRESENT, listed=True), 0)
    except UnavailableError as e:
        # The others who went with it have the same error, and ids of their own.
        raise UnavailableError(*e.args, lost=e.lost, ids=ids if e.lost else ()) from e


async def append(
    backend: Backend,
    partition: Partition,
    items: NewItem | Sequence[NewItem],
    *,
    once: str | Once | None,
    expect: int | None,
    create: bool,
    title: str | None,
    metadata: Mapping[str, JSON] | None,
    ttl: float | None,
    sliding: bool,
    trim_before: int | None,
) -> Appended:
    """See Items.append."""
    check_expect(expect)
    if not create:
        if title is not None or metadata is not None:
            raise InvalidError("title and metadata go with create=True: threads.update changes those of a thread that is there")
        if ttl is not None:
            raise InvalidError("ttl goes with create=True: threads.expire sets that of a thread that is there")
        if expect == 0:
            raise InvalidError("expect=0 means a thread that is not there yet: pass create=True as well")
    cut = [] if trim_before is None else [Trim(LOG, _check_position(trim_before))]
    ids, appends = make_appends(items, partition, once.token if isinstance(once, Once) else once)
    # The cut comes first, so that what is appended here is never cut off.
    together: Sequence[Change] = [*cut, *appends] if cut else appends
    if create:
        header: list[Change] = [*make_header(title, metadata), *make_expiry(backend, ttl, sliding=sliding)]

        def work(store: Backend) -> Awaitable[Commit]:
            return _append_or_create(store, partition, together, header, once, expect)

        if expect is None and isinstance(backend, Accepting):
            done = await backend.outlast(partition, work, together, header, once=once)
        else:
            done = await work(backend)
    elif together:
        done = await commit(backend, partition, together, once=once, expect=expect)
    else:
        done = await _append_nothing(backend, partition, expect)
    return _describe(ids, done, len(cut))


async def _append_or_create(
    backend: Backend,
    partition: Partition,
    changes: Sequence[Change],
    header: Sequence[Change],
    once: str | Once | None,
    expect: int | None,
) -> Commit:
    """Append where the thread is, which is the common case and one call; make it where it is not.

    The header comes last: the outcomes of the appends stand in the same place, whichever call made them.
    """
    for _ in range(ATTEMPTS):
        if expect != 0:
            try:
                return await commit(backend, partition, changes, once=once, expect=expect)
            except GoneError:
                raise
            except NotFoundError:
                if expect is not None:
                    raise
        try:
            return await backend.commit(partition, [*changes, *header], expect=0, once=once, listed=True)
        except ConflictError:
            # Another caller made it between the two: it is there now.
            if expect == 0:
                raise
    raise ConflictError(f"the thread {partition.name!r} comes and goes: try again")


async def _append_nothing(backend: Backend, partition: Partition, expect: int | None) -> Commit:
    revision = await backend.revision(partition)
    if revision == 0:
        raise no_thread(partition)
    if expect is not None and expect != revision:
        raise ConflictError(
            f"{partition.name!r} is at revision {revision}, not {expect}: read it again", expected=expect, actual=revision
        )
    return Commit(revision, 0)


def _describe(ids: Sequence[str], done: Commit, skip: int) -> Appended:
    if done.pending:
        return Appended(tuple(ids), (), _NONE, 0, committed_ms=done.committed_ms, pending=True)
    outcomes = done.outcomes
    if len(outcomes) == 1 == len(ids) and outcomes[0] > 0 and not skip:
        # The commonest append by far.
        return Appended((ids[0],), outcomes, _NONE, done.revision, done.replayed, done.committed_ms)
    outcomes = outcomes[skip : skip + len(ids)] if skip else outcomes[: len(ids)]
    # An item's outcome is never 0: that is the header's, of an earlier call with fewer items.
    if len(outcomes) < len(ids) or 0 in outcomes:
        raise ReusedTokenError("this once token was used for another call before: give each call a token of its own")
    if not outcomes or min(outcomes) >= 0:
        return Appended(tuple(ids), outcomes, _NONE, done.revision, done.replayed, done.committed_ms)
    duplicates = frozenset(id for id, outcome in zip(ids, outcomes, strict=True) if outcome < 0)
    positions = tuple([abs(outcome) for outcome in outcomes])
    return Appended(tuple(ids), positions, duplicates, done.revision, done.replayed, done.committed_ms)


_NONE: Final[frozenset[str]] = frozenset()


def _check_position(position: int) -> int:
    if isinstance(position, bool) or not isinstance(position, int) or not 1 <= position <= MAX_POSITION:
        raise InvalidError(f"trim_before must be a position of at least 1, not {position!r}")
    return position
