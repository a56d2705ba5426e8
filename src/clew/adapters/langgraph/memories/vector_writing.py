"""Writing the vectors of items: into the index of their namespace first, where it has one, then beside the items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ....errors import ConflictError, NotFoundError
from ....records import PRESENT, Change, PutDocument
from .gathering import Put
from .namespaces import VECTORS, Namespace, document_key
from .nearby import AT_ONCE, State, elements_of, forget, read_state
from .shelves import TRIES, Room, Shelves, span_of
from .stored import ENDS, NEAR
from .vectors import VECTOR, document_of, read_vectors


async def write_vectors(
    shelves: Shelves, namespace: Namespace, room: Room | None, puts: Sequence[Put], marks: Mapping[str, bytes]
) -> None:
    """Write the vectors of some items, and delete those of items that have none any more.

    Args:
        room: what is known of their partition; None where items are only deleted.
        marks: what tells of which value the vectors of an item are, by key.
    """
    new: dict[str, bytes] = {}
    old: list[str] = []
    times: list[tuple[int | None, int | None]] = []
    now = shelves.clock.now_ms()
    for put in puts:
        name = document_key(VECTOR, put.key)
        if put.vectors is not None:
            new[name] = document_of(marks[put.key], put.vectors)
            times.append((None if put.ttl_ms is None else now + put.ttl_ms, put.ttl_ms))
        elif put.data is None or (room is not None and room.revision):
            old.append(name)
    if not new and not old:
        return
    known = Room() if room is None else room
    for tried in range(TRIES):
        state = read_state(known.near)
        before = {} if state is None else (await shelves.fetch(VECTORS, namespace, [*new, *old])).documents
        is_in = state is None or await _put_near(shelves, namespace, state, new)
        near = known.near if is_in else None
        changes: list[Change] = [PutDocument(NEAR, near, known.near)]
        changes += (PutDocument(name, new.get(name)) for name in (*new, *old))
        try:
            if new:
                until, ttl = span_of(times)
                await shelves.commit_in(known, VECTORS, namespace, changes, until_ms=until, ttl_ms=ttl)
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
        named = {} if vectors is None or vectors.dims != state.dims else elements_of(name, vectors)
        if not named:
            return False
        elements |= named
    names = list(elements)
    for at in range(0, max(len(names), 1), AT_ONCE):
        some = {name: elements[name] for name in names[at : at + AT_ONCE]}
        if not await nearest.put_nearest(shelves.partition(VECTORS, namespace), state.index, some):
            return False
    return True
