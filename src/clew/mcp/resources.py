"""Conversations as resources, `clew://threads/{id}`: the newest messages as JSON, as the tool `resume_conversation` has them."""

from __future__ import annotations

from typing import Final

import msgspec
from mcp import types

from . import conversations, views
from .desk import Desk

JSON_TYPE: Final = "application/json"
PAGE: Final = 50

TEMPLATE: Final = types.ResourceTemplate(
    name="conversation",
    title="A conversation",
    uri_template=f"{views.SCHEME}://{views.KIND}/{{id}}",
    description="The newest messages of a conversation. Subscribe to it to be told when something is appended.",
    mime_type=JSON_TYPE,
)


async def list_resources(desk: Desk, cursor: str | None) -> types.ListResourcesResult:
    """Return a page of conversations, the one written to last first."""
    page = await desk.store.threads.list(desk.owner, limit=PAGE, cursor=cursor)
    found = [
        types.Resource(
            uri=views.uri_of(each.id),
            name=each.id,
            title=each.title,
            mime_type=JSON_TYPE,
            annotations=types.Annotations(last_modified=each.updated_at.isoformat(timespec="seconds")),
        )
        for each in page
    ]
    return types.ListResourcesResult(resources=found, next_cursor=page.cursor if page.has_more else None)


async def read_resource(desk: Desk, uri: str) -> types.ReadResourceResult:
    """Return a conversation; NotFoundError where the address names none of this owner's."""
    found = await conversations.resume(desk, conversations.Resume(views.thread_of(uri), limit=50))
    text = msgspec.json.encode(found).decode()
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, mime_type=JSON_TYPE, text=text)])
