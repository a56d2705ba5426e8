"""The changes of a commit on their way in; and, where a condition on stored bytes was not met, whether that is only because the
same data is stored otherwise: by an older key, or from before the wrapper was turned on."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ..backend import Backend
from ..checkpoints import PutCheckpoint, PutWrites
from ..codec import encode_entry
from ..errors import UnknownCursorError, UnreadableError
from ..records import Append, Change, Entry, Partition, PutDocument, Remove, Replace
from .coding import Coding
from .places import of_document, of_head, of_part, of_write


def encode_changes(coding: Coding, partition: Partition, changes: Sequence[Change]) -> list[Change]:
    """Return the changes as they are stored."""
    return [_encode(coding, partition, change) for change in changes]


def _encode(coding: Coding, partition: Partition, change: Change) -> Change:
    if isinstance(change, Append):
        return Append(change.log, coding.encode_entry(partition, change.log, change.entry), change.fresh)
    if isinstance(change, PutDocument):
        place = of_document(partition, change.key)
        data = None if change.data is None else coding.encode(place, change.data)
        when = coding.encode(place, change.when) if isinstance(change.when, bytes) else change.when
        return PutDocument(change.key, data, when)
    if isinstance(change, Replace):
        entry = coding.encode_entry(partition, change.log, change.entry)
        return Replace(change.log, entry, _encode_when(coding, partition, change))
    if isinstance(change, Remove):
        return change if change.when is None else replace(change, when=_encode_when(coding, partition, change))
    if isinstance(change, PutCheckpoint):
        branch = change.branch
        parts = {
            name: replace(part, data=coding.encode(of_part(partition, branch, name), part.data))
            for name, part in change.parts.items()
        }
        return replace(change, head=coding.encode(of_head(partition, branch, change.id), change.head), parts=parts)
    if isinstance(change, PutWrites):
        branch, id = change.branch, change.id
        writes = tuple(
            [each._replace(data=coding.encode(of_write(partition, branch, id, each), each.data)) for each in change.writes]
        )
        return replace(change, writes=writes)
    return change


def _encode_when(coding: Coding, partition: Partition, change: Replace | Remove) -> Entry | None:
    return None if change.when is None else coding.encode_entry(partition, change.log, change.when)


def has_condition(changes: Sequence[Change]) -> bool:
    """Tell whether some change has a condition on bytes that are stored."""
    return any(
        isinstance(change.when, bytes) if isinstance(change, PutDocument) else change.when is not None
        for change in changes
        if isinstance(change, PutDocument | Replace | Remove)
    )


async def match_stored(
    backend: Backend, coding: Coding, partition: Partition, changes: Sequence[Change], encoded: Sequence[Change]
) -> list[Change] | None:
    """Return the encoded changes with conditions on what is stored now, where that means what `changes` say.

    None where it does not, or where the conditions say so already: then the conflict is one.
    """
    keys = [change.key for change in changes if isinstance(change, PutDocument) and isinstance(change.when, bytes)]
    documents = (await backend.fetch(partition, keys)).documents if keys else {}
    found: list[Change] = []
    for change, sent in zip(changes, encoded, strict=True):
        if isinstance(change, PutDocument) and isinstance(sent, PutDocument) and isinstance(change.when, bytes):
            data = documents.get(change.key)
            if data is None or not _means(coding, of_document(partition, change.key), data, change.when):
                return None
            sent = replace(sent, when=data)
        elif isinstance(change, Replace | Remove) and isinstance(sent, Replace | Remove) and change.when is not None:
            id = change.entry.id if isinstance(change, Replace) else change.id
            entry = await _find(backend, partition, change.log, id)
            if entry is None:
                return None
            [opened] = coding.decode_entries(partition, change.log, [entry])
            if encode_entry(opened) != encode_entry(change.when):
                return None
            sent = replace(sent, when=entry)
        found.append(sent)
    return None if found == list(encoded) else found


async def _find(backend: Backend, partition: Partition, log: str, id: str) -> Entry | None:
    try:
        page = await backend.read(partition, log, after=id, limit=1, inclusive=True)
    except UnknownCursorError:
        return None
    return page.entries[0] if page.entries and page.entries[0].id == id else None


def _means(coding: Coding, place: bytes, stored: bytes, data: bytes) -> bool:
    try:
        return coding.decode(place, stored) == data
    except UnreadableError:
        return False
