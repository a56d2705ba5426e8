"""Bring message lists of other history providers into a thread: `agent-framework-redis`, and older keepers of the same JSON.

It takes the records, not a connection: whoever has the old lists reads them with a client of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from agent_framework import Message

from clew import NewItem, Ref, Store
from clew.errors import UnreadableError

from .messages import make_item, make_title, now_ms

BATCH = 500
"""Messages in one commit."""


async def import_messages(store: Store, owner: str, thread_id: str, records: Iterable[bytes | str]) -> int:
    """Append a list of message JSON, oldest first, to a thread, which is made where it does not exist.

    Every record gets an id made from its place and its bytes, so that an import that was interrupted, or is run again,
    adds only what is missing. The thread's title is its first user message.

    Args:
        owner: whose thread it becomes.
        thread_id: its id; for `lab11:thread_<guid>` usually `thread_<guid>`.
        records: each one message as JSON: `Message.to_dict()`, or the `ChatMessage` of the framework's betas.

    Returns:
        How many messages were added.

    Raises:
        UnreadableError: a record holds no message; nothing of it or after it was written. The message names its place.
        ClewError: the store refused, or could not be reached: call again with the same records.
    """
    ref = Ref(owner, thread_id)
    added = 0
    items: list[NewItem] = []
    title: str | None = None
    for place, record in enumerate(records):
        data = record.encode(errors="surrogatepass") if isinstance(record, str) else record
        try:
            message = read_record(data)
        except UnreadableError as e:
            raise UnreadableError(f"record {place} of the list {e}: mend or leave it out") from e
        title = title or make_title([message])
        id = hashlib.blake2b(b"%d\0%b" % (place, data), digest_size=16).hexdigest()
        items.append(make_item(message, id=id, created_ms=now_ms()))
        if len(items) == BATCH:
            added += await _append(store, ref, items, title)
            items = []
    if items:
        added += await _append(store, ref, items, title)
    return added


async def _append(store: Store, ref: Ref, items: list[NewItem], title: str | None) -> int:
    appended = await store.items.append(ref, items, create=True, title=title)
    return len(items) - len(appended.duplicates)


def read_record(data: bytes) -> Message:
    """Return the message of a record: of today's JSON, or of the betas'.

    Raises:
        UnreadableError: it holds none.
    """
    try:
        value: dict[str, Any] = json.loads(data)
        # The betas wrote the role as an object, and called the message a chat message.
        role = value.get("role")
        if isinstance(role, dict):
            value["role"] = role = role["value"]
        if not isinstance(role, str):
            raise TypeError("a role is text")
        value["type"] = "message"
        value.setdefault("contents", [])
        return Message.from_dict(value)
    except Exception as e:
        # Whatever the framework's constructors raise: the record is not a message it knows.
        raise UnreadableError(f"holds no message ({type(e).__name__})") from e
