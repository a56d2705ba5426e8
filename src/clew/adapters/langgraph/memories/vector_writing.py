"""Writing the vectors of items: into the index of their namespace first, where it has one, then beside the items."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ....errors import ConflictError, NotFoundError
from ....records import PRESENT, Change, PutDocument
from .namespaces import VECTORS, Namespace
from .nearby import AT_ONCE, State, elements_of, forget, read_state
from .shelves import TRIES, End, Room, Shelves
from .stored import ENDS, NEAR
from .vectors import read_vectors


async def write_vectors(
    shelves: Shelves, namespace: Namespace, room: Room | None, new: Mapping[str, bytes], old: Collection[str], end: End
) -> None:
    """Write some documents of vectors, and delete others.

    Args:
        room: what is known of their partition; None where nothing is.
        new: the documents, by name.
        old: the names of those to delete.
        end: until when their partition is to last for those that are new.
    """
    if not new and not old:
        return
    known = Room() if room is None else room
    for tried in range(TRIES):
        state = read_state(known.near)
        before = {} if state is None else (await shelves.fetch(VECTORS, namespace, list(old))).documents
        is_in = state is None or await _put_near(shelves, namespace, state, new)
        near = known.near if is_in else None
        changes: list[Change] = [PutDocument(NEAR, near, known.near)]
        changes += (PutDocument(name, new.get(name)) for name in (*new, *old))
        try:
            if new:
                await shelves.commit_in(known, VECTORS, namespace, changes, end)
            else:
                await shelves.commit(VECTORS, namespace, changes, expect=PRESENT)
        except NotFoundError:
            return  # where nothing is, nothing is made for what is deleted
        except ConflictError:
            if tried == TRIES - 1:
                raise
            known.learn(await shelves.fetch(VECTORS, namespace, [ENDS, NEAR]))
            continue
        stored, known.near = known.near, near
        if is_in:
            await forget(shelves, namespace, stored, before)
        elif state is not None and (nearest := await shelves.nearest()) is not None:
            await nearest.end_nearest(shelves.partition(VECTORS, namespace), state.index)
        return


async def _put_near(shelves: Shelves, namespace: Namespace, state: State, new: Mapping[str, bytes]) -> bool:
    """Put vectors into the index; tell whether it is there and can hold them."""
    nearest = await shelves.nearest()
    if nearest is None:
        return False
    elements: dict[str, bytes] = {}
    for name, document in new.items():
        vectors = read_vectors(document)
        if vectors is None or vectors.dims != state.dims:
            return False
        elements |= elements_of(name, vectors)
    names = list(elements)
    for at in range(0, max(len(names), 1), AT_ONCE):
        some = {name: elements[name] for name in names[at : at + AT_ONCE]}
        if not await nearest.put_nearest(shelves.partition(VECTORS, namespace), state.index, some):
            return False
    return True
