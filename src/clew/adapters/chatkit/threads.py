"""ChatKit's thread metadata as a clew thread: the title, each field of the metadata, and a note for each other field.

Every part is a document of its own, so that a save writes what its object changed and undoes nothing else. Items are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chatkit.types import LockedStatus, ThreadMetadata
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from clew import Thread
from clew.errors import InvalidError

from .merging import is_same

FIELD: Final = "chatkit/"
"""Before the name of a field that is neither title nor metadata."""
NONE: Final = "chatkit/none/"
"""Before the name of a metadata field that is there and is null, which clew's metadata cannot say."""
ATTACHMENT: Final = "chatkit/attachment/"
"""Before the id of an attachment that a message of the thread holds."""
HAS_ATTACHMENTS: Final = "chatkit/attachments"
"""The note of a thread with attachments, which go before it does."""
_RESERVED: Final = {"attachments", "id", "items", "metadata", "title"}
_ADAPTER: Final = TypeAdapter(ThreadMetadata)


@dataclass(frozen=True, slots=True)
class Fields:
    """A thread's metadata in its parts: the title, the metadata, and everything else but its id."""

    title: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edit:
    """What a save writes."""

    titles: tuple[str | None, ...]
    """The new title, nothing where it stays."""
    metadata: dict[str, Any]
    notes: dict[str, Any]


def read_thread(thread: Thread) -> ThreadMetadata:
    """Return a clew thread as ChatKit's: also one that was made by other means, which is active, of the store's own time."""
    notes = thread.notes
    fields: dict[str, Any] = {"created_at": thread.created_at.astimezone().replace(tzinfo=None)}
    metadata = dict(thread.metadata)
    for name, value in notes.items():
        if name.startswith(NONE):
            metadata.setdefault(name.removeprefix(NONE), None)
        elif name.startswith(FIELD) and "/" not in (field := name.removeprefix(FIELD)) and field not in _RESERVED:
            fields[field] = value
    fields |= {"id": thread.id, "metadata": metadata, "title": notes.get("chatkit/title", thread.title)}
    try:
        return _ADAPTER.validate_python(fields)
    except ValidationError as e:
        return _ADAPTER.validate_python(_without(fields, {str(error["loc"][0]) for error in e.errors()}))


def fields_of(thread: ThreadMetadata) -> Fields:
    """Return the parts of a thread's metadata, without the items that a Thread carries.

    Raises:
        InvalidError: its metadata is no JSON.
    """
    try:
        parts = _ADAPTER.dump_python(ThreadMetadata.model_construct(**_own(thread)), mode="json")
    except (PydanticSerializationError, ValueError) as e:
        raise InvalidError(f"the metadata of the thread {thread.id!r} is no JSON: {type(e).__name__}") from e
    parts.pop("id")
    return Fields(parts.pop("title"), parts.pop("metadata"), parts)


def find_edit(new: Fields, base: Fields | None) -> Edit:
    """Return what to write: what differs from the base, or, without one, all that says something."""
    if base is None:
        titles: tuple[str | None, ...] = () if new.title is None else (new.title,)
        metadata, rest = new.metadata, {name: value for name, value in new.rest.items() if value is not None}
    else:
        titles = () if new.title == base.title else (new.title,)
        metadata, rest = _changed(new.metadata, base.metadata), _changed(new.rest, base.rest)
    notes = {FIELD + name: value for name, value in rest.items()}
    fields: dict[str, Any] = {}
    for name, value in metadata.items():
        fields[name] = value
        if value is None and name in new.metadata:
            notes[NONE + name] = True
        else:
            # Whoever else may have made it null.
            notes[NONE + name] = None
    if titles:
        # Clew has no empty title.
        notes["chatkit/title"] = "" if titles[0] == "" else None
        titles = (titles[0] or None,)
    return Edit(titles, fields, notes)


def attachment_notes(ids: list[str]) -> dict[str, Any] | None:
    """Return the notes of a message with these attachments, None where it has none."""
    return {HAS_ATTACHMENTS: True, **{ATTACHMENT + id: True for id in ids}} if ids else None


def attachments_of(thread: Thread) -> list[str]:
    """Return the ids of the attachments that messages of the thread hold."""
    return [name.removeprefix(ATTACHMENT) for name in thread.notes if name.startswith(ATTACHMENT)]


def _own(thread: ThreadMetadata) -> dict[str, Any]:
    return {name: getattr(thread, name) for name in ThreadMetadata.model_fields}


def _changed(new: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    changed = {name: value for name, value in new.items() if name not in base or not is_same(base[name], value)}
    return changed | {name: None for name in base if name not in new}


def _without(fields: Mapping[str, Any], bad: set[str]) -> dict[str, Any]:
    """A field that a newer SDK wrote is left out; a status that is not known keeps people from writing."""
    kept = {name: value for name, value in fields.items() if name not in bad or name == "id"}
    if "status" in bad:
        kept["status"] = LockedStatus()
    if "metadata" in bad:
        kept["metadata"] = {}
    return kept
