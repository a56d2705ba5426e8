"""A list of message JSON as a thread: the records as they are, but those of the framework's betas, which are written anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from clew import NewItem
from clew.errors import UnreadableError
from clew.model import JSON
from clew.moving.lists import FoundList, peek
from clew.moving.looking import Keys
from clew.moving.records import Broken, FoundThread

from ..imports import read_record
from ..messages import keep_message, make_item, make_title, now_ms


async def open_list(
    keys: Keys, key: bytes, id: str, *, owner: str | None = None, metadata: Mapping[str, JSON] | None = None
) -> FoundThread | Broken | None:
    """Return the thread that a list is, with the first user message as its title; None where the list has gone."""
    first = await peek(keys, key)
    if first is None or isinstance(first, Broken):
        return first
    said = []
    for data in first:
        # What cannot be read is told when it is its turn.
        with suppress(UnreadableError):
            said.append(read_record(data))
    describe = partial(_describe, created_ms=now_ms())
    known: dict[str, Any] = {"title": make_title(said), "metadata": metadata or {}, "ttl_ms": await keys.ttl(key)}
    return FoundList(keys, key, describe, owner=owner, id=id, **known)


def _describe(data: bytes, *, created_ms: int) -> NewItem:
    message = read_record(data)
    told = json.loads(data)
    if told.get("type") == "message" and isinstance(told.get("role"), str):
        return keep_message(data, message, id=message.message_id or None, created_ms=created_ms)
    return make_item(message, id=message.message_id or None, created_ms=created_ms)
