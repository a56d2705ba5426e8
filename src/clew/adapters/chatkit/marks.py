"""Marking an answer that was not finished: a hidden item after what it had said, which the model sees and nobody is shown.

Written with a token, so that however many processes find the same broken answer, it is kept and marked once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec
from chatkit.types import AssistantMessageItem, SDKHiddenContextItem

import clew
from clew import Item, NewItem, Ref
from clew.errors import NotReplicatedError, UnavailableError

from .ids import make_id
from .items import make_item

Mark: TypeAlias = Literal["stopped", "interrupted", "failed"]
"""Why an answer is not whole: a person stopped it, its server went away, or it met an error."""

SAID: Final[dict[Mark, str]] = {
    "stopped": "The user cancelled the stream. Stop responding to the prior request.",
    "interrupted": "The answer above was interrupted before it was finished.",
    "failed": "The answer above ended with an error before it was finished.",
}
"""What the hidden item tells the model. The first is ChatKit's own sentence."""
REST_S: Final = 0.5
_HIDDEN: Final = frozenset({"hidden_context_item", "sdk_hidden_context"})


async def save_unfinished(
    store: clew.Store, ref: Ref, run: str, messages: Sequence[AssistantMessageItem], mark: Mark, *, patience: float = 30.0
) -> None:
    """Keep what an answer had said, and mark it; once for each run, whoever else does it. Messages that are there stay.

    Raises:
        NotFoundError, GoneError: the thread is gone.
        UnavailableError: the store stayed away for `patience` seconds.
    """
    hidden = SDKHiddenContextItem(
        id=make_id("sdk_hidden_context"), thread_id=ref.id, created_at=datetime.now(), content=SAID[mark]
    )
    items: list[NewItem] = []
    kept: list[AssistantMessageItem | SDKHiddenContextItem] = [*messages, hidden]
    for each in kept:
        new = make_item(each, None)
        assert new is not None, "what is not there is always written"
        items.append(new)
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    while True:
        try:
            await store.items.append(ref, items, once=f"unfinished:{run}")
        except (UnavailableError, NotReplicatedError):
            if loop.time() + REST_S > until:
                raise
        else:
            return
        await asyncio.sleep(REST_S)


def find_marks(items: Iterable[Item]) -> dict[str, Mark]:
    """Return which items of a thread, by id, were the last ones of an answer that was not finished, and why.

    Args:
        items: in order, hidden ones included.
    """
    by_text = {text: mark for mark, text in SAID.items()}
    found: dict[str, Mark] = {}
    last: str | None = None
    for item in items:
        if item.kind not in _HIDDEN:
            last = item.id
            continue
        mark = by_text.get(_content(item))
        if mark is not None and last is not None:
            found.setdefault(last, mark)
    return found


def find_last(items: Sequence[Item]) -> str | None:
    """Return the id of the last item that is shown, None where there is none."""
    return next((item.id for item in reversed(items) if item.kind not in _HIDDEN), None)


def _content(item: Item) -> str:
    if item.unreadable is not None:
        return ""
    try:
        data = msgspec.json.decode(item.data)
    except msgspec.DecodeError:
        return ""
    content = data.get("content") if isinstance(data, dict) else None
    return content if isinstance(content, str) else ""
