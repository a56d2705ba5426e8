"""A thread's header and its documents: `thread`, `title`, and one for each field of its metadata and each note.

Fields and notes are documents of their own, so that two writers of two of them never undo each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import msgspec

from ..errors import InvalidError, UnreadableError
from ..frames import explain
from ..limits import MAX_FIELD_BYTES, MAX_FIELDS, MAX_ID_BYTES, MAX_TITLE_BYTES, check_id
from ..model import JSON, Thread
from ..records import Partition, PutDocument, Snapshot
from .checks import THREAD, check_object, encode_json

FORMAT: Final = 1
"""The version of the header this code writes, and the newest it reads."""
TITLE: Final = "title"
META: Final = "meta/"
NOTE: Final = "note/"


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """The document `thread`."""

    format: int
    forked_from: tuple[str, str | None] | None = None


_decode_header = msgspec.json.Decoder(Header).decode


def put_header(forked_from: tuple[str, str | None] | None = None) -> PutDocument:
    """Return the change that makes a thread, where there is none."""
    return PutDocument(THREAD, msgspec.json.encode(Header(FORMAT, forked_from)), None)


def put_title(title: str | None) -> PutDocument:
    """Return the change that sets or deletes the title. InvalidError for a bad one."""
    if title is None:
        return PutDocument(TITLE, None)
    return PutDocument(TITLE, encode_json(check_id(title, "the title", most=MAX_TITLE_BYTES), "the title"))


def put_metadata(metadata: Mapping[str, JSON]) -> list[PutDocument]:
    """Return the changes that set each field, and delete those that are None. InvalidError for a bad one."""
    return _put_fields(META, metadata, "metadata", "metadata field")


def put_notes(notes: Mapping[str, JSON]) -> list[PutDocument]:
    """Return the changes that set each note, and delete those that are None. InvalidError for a bad one."""
    return _put_fields(NOTE, notes, "notes", "note")


def _put_fields(prefix: str, fields: Mapping[str, JSON], what: str, each: str) -> list[PutDocument]:
    check_object(fields, what)
    if len(fields) > MAX_FIELDS:
        raise InvalidError(f"{what} has {len(fields):,} fields: at most {MAX_FIELDS} are written at once")
    changes = []
    for field, value in fields.items():
        key = prefix + check_id(field, f"a {each}'s name", most=MAX_ID_BYTES - len(prefix))
        data = None if value is None else encode_json(value, f"the {each} {field!r}")
        if data is not None and len(data) > MAX_FIELD_BYTES:
            raise InvalidError(
                f"the {each} {field!r} has {len(data):,} bytes of JSON: at most {MAX_FIELD_BYTES:,} are allowed; "
                "append an item for more"
            )
        changes.append(PutDocument(key, data))
    return changes


def copy_fields(documents: Mapping[str, bytes]) -> list[PutDocument]:
    """Return the changes that carry a title and metadata over as they are stored."""
    return [PutDocument(key, data) for key, data in documents.items() if key == TITLE or key.startswith(META)]


def make_thread(partition: Partition, snapshot: Snapshot) -> Thread | None:
    """Return the thread of a snapshot of all documents; None where that has no header.

    Raises:
        UnreadableError: the header is damaged or of a newer format.
    """
    documents = snapshot.documents
    if THREAD not in documents:
        return None
    bare = make_bare(partition, snapshot)
    try:
        header = _decode_header(documents[THREAD])
        title = msgspec.json.decode(documents[TITLE], type=str) if TITLE in documents else None
        metadata, notes = _fields(documents, META), _fields(documents, NOTE)
    except msgspec.DecodeError as e:
        # A short document stays as it is beside a long one that is compressed.
        why = next(filter(None, map(explain, documents.values())), e)
        raise UnreadableError(f"the header of the thread {partition.name!r} cannot be read: {why}") from e
    if header.format > FORMAT:
        newer = f"format {header.format}, newer than {FORMAT}"
        raise UnreadableError(f"the thread {partition.name!r} has {newer}: upgrade clew to read it")
    return replace(bare, title=title, metadata=metadata, notes=notes, forked_from=header.forked_from)


def _fields(documents: Mapping[str, bytes], prefix: str) -> dict[str, JSON]:
    return {key.removeprefix(prefix): msgspec.json.decode(data) for key, data in documents.items() if key.startswith(prefix)}


def make_bare(partition: Partition, snapshot: Snapshot, unreadable: str | None = None) -> Thread:
    """Return the thread of a snapshot without what its documents say."""
    return Thread(
        owner=partition.owner,
        id=partition.name,
        title=None,
        metadata={},
        created_at=moment_of(snapshot.created_ms),
        updated_at=moment_of(snapshot.updated_ms),
        revision=snapshot.revision,
        expires_at=None if snapshot.expires_ms is None else moment_of(snapshot.expires_ms),
        unreadable=unreadable,
    )


def moment_of(ms: int) -> datetime:
    """Return milliseconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)
