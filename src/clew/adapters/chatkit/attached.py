"""The metadata of attachments: JSON values of the owner's own, apart from any thread, since ChatKit loads them by id alone."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import msgspec
from chatkit.store import NotFoundError
from chatkit.types import Attachment
from pydantic import TypeAdapter, ValidationError

from clew import Store
from clew.errors import InvalidError, UnreadableError
from clew.limits import check_id

from .announcements import time_left
from .merging import merge
from .origins import note, origin_of

PREFIX: Final = "clew:chatkit:attachment:"
_ADAPTER: Final[TypeAdapter[Attachment]] = TypeAdapter(Attachment)


async def load(store: Store, owner: str, id: str) -> Attachment:
    """Return an attachment. NotFoundError where this owner has none of this id; UnreadableError where the SDK cannot read it."""
    found = await store.values(_prefix(owner)).get(_check(id), ttl=False)
    if found is None:
        raise NotFoundError(f"there is no attachment {id!r} for this owner")
    try:
        attachment = _ADAPTER.validate_json(msgspec.json.encode(found.value))
    except ValidationError as e:
        raise UnreadableError(f"the attachment {id!r} cannot be read by this version of ChatKit") from e
    note(attachment, (owner, id), found.value if isinstance(found.value, dict) else {})
    return attachment


async def save(store: Store, owner: str, attachment: Attachment) -> None:
    """Keep an attachment's metadata, with what the SDK does not know of it where it was loaded from here."""
    key = (owner, attachment.id)
    new = _ADAPTER.dump_python(attachment, mode="json")
    raw = origin_of(attachment, key, dict)
    value: Any = new
    if raw is not None:
        view = _ADAPTER.dump_python(_ADAPTER.validate_json(msgspec.json.encode(raw)), mode="json")
        value = merge(raw, view, new)
    await store.values(_prefix(owner)).put(_check(attachment.id), value, ttl=time_left(attachment))
    note(attachment, key, value)


async def delete(store: Store, owner: str, id: str) -> None:
    """Forget an attachment; nothing happens where there is none."""
    await store.values(_prefix(owner)).delete(_check(id))


def _prefix(owner: str) -> str:
    # Encoded, so that no owner's name reaches into another's.
    return f"{PREFIX}{quote(owner, safe='')}:"


def _check(id: str) -> str:
    try:
        return check_id(id, "the attachment's id")
    except InvalidError as e:
        raise NotFoundError("there is no attachment of such an id") from e
