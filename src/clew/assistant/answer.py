"""One assistant message as the events that ChatKit streams it in, with the pages it stands on as annotations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    FileSource,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    URLSource,
)

from .search import Found

DESCRIPTION = 300
"""Characters of a source's description."""


class Answer:
    """A message that grows. It begins with its first word, and there is none where nothing was written.

    Attributes:
        text: what was written so far.
    """

    def __init__(self, item_id: str, thread_id: str) -> None:
        self.text = ""
        self._id = item_id
        self._thread_id = thread_id
        self._created_at = datetime.now()  # naive, as everywhere in ChatKit
        self._annotations: list[Annotation] = []

    def write(self, text: str) -> Iterator[ThreadStreamEvent]:
        """Yield the events that add some text."""
        if not text:
            return
        if not self.text:
            yield ThreadItemAddedEvent(item=self._item([]))
            added = AssistantMessageContentPartAdded(content_index=0, content=AssistantMessageContent(text=""))
            yield ThreadItemUpdatedEvent(item_id=self._id, update=added)
        self.text += text
        delta = AssistantMessageContentPartTextDelta(content_index=0, delta=text)
        yield ThreadItemUpdatedEvent(item_id=self._id, update=delta)

    def cite(self, source: URLSource | FileSource, index: int | None = None) -> Iterator[ThreadStreamEvent]:
        """Yield the event that adds a source, where the message has begun and the source is new.

        Args:
            index: the character of the text it belongs to; None for the end of what is written.
        """
        if not self.text or any(each.source == source for each in self._annotations):
            return
        annotation = Annotation(source=source, index=len(self.text) if index is None else index)
        update = AssistantMessageContentPartAnnotationAdded(
            content_index=0, annotation_index=len(self._annotations), annotation=annotation
        )
        self._annotations.append(annotation)
        yield ThreadItemUpdatedEvent(item_id=self._id, update=update)

    def finish(self) -> Iterator[ThreadStreamEvent]:
        """Yield the events that end the message, where it has begun."""
        if not self.text:
            return
        content = self._content()
        yield ThreadItemUpdatedEvent(item_id=self._id, update=AssistantMessageContentPartDone(content_index=0, content=content))
        yield ThreadItemDoneEvent(item=self._item([content]))

    def _content(self) -> AssistantMessageContent:
        return AssistantMessageContent(text=self.text, annotations=list(self._annotations))

    def _item(self, content: list[AssistantMessageContent]) -> AssistantMessageItem:
        return AssistantMessageItem(id=self._id, thread_id=self._thread_id, created_at=self._created_at, content=content)


def make_source(found: Found, docs_url: str | None) -> URLSource | FileSource:
    """Return a passage as a source: a link where the pages have an address, else the page's file name.

    Args:
        docs_url: where the pages are served, ending in a slash; the page's path and the section's anchor are put behind it.
    """
    passage = found.passage
    description = found.snippet[:DESCRIPTION]
    if docs_url is None:
        return FileSource(title=passage.heading, filename=f"docs/{passage.page}", description=description)
    anchor = f"#{passage.anchor}" if passage.anchor else ""
    return URLSource(title=passage.heading, url=f"{docs_url}{passage.page}{anchor}", description=description)
