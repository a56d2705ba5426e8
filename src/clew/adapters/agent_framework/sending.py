"""Append batches in one commit, and tell the sessions they come from where they stand now."""

from __future__ import annotations

from collections.abc import Sequence

from clew import Appended, Ref, Store
from clew.errors import ConflictError, UnavailableError

from .branches import write_head
from .outbox import Batch
from .reading import read_span, write_span


async def append_batches(store: Store, ref: Ref, batches: Sequence[Batch], *, branching: bool, remember_span: bool) -> None:
    """Append all of them, or none; the thread is made where it is not there.

    Args:
        branching: note each session's head in its state.
        remember_span: note in its state how far the thread reaches.

    Raises:
        GoneError: the thread was deleted.
        ClewError: whatever kept the store from it.
    """
    items = [item for batch in batches for item in batch.items]
    title = next((batch.title for batch in batches if batch.title is not None), None)
    cut = max((batch.trim_before for batch in batches if batch.trim_before is not None), default=None)
    appended: Appended | None = None
    if all(batch.fresh for batch in batches):
        try:
            # One call where the thread is to be made; it costs another one only where somebody was quicker.
            appended = await store.items.append(ref, items, create=True, expect=0, title=title)
        except ConflictError:
            for batch in batches:
                batch.fresh = False
    if appended is None:
        appended = await store.items.append(ref, items, create=True, title=title, trim_before=cut)
    if appended.pending:
        if branching or remember_span:
            # Where it stands is not known, which the session has to note.
            raise UnavailableError("the messages wait in a journal: the store is away", lost=True, ids=appended.ids)
        return
    places = iter(zip(appended.ids, appended.positions, strict=True))
    for batch in batches:
        last = [next(places) for _ in batch.items][-1]
        if batch.state is None:
            continue
        if branching:
            write_head(batch.state, *last)
        span = read_span(batch.state)
        if span is not None and remember_span:
            write_span(batch.state, (span[0], max(span[1], last[1])))
