"""What of a run is to be appended, and under which ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from weakref import ref

from agent_framework import Message, SessionContext

from clew import Item
from clew.ids import new_id

from .messages import now_ms
from .replay import find_new

MAX_ID_BYTES: Final = 512
"""Bytes of UTF-8 that a store takes as an item's id."""


@dataclass(eq=False)
class Run:
    """One run of the agent: what it loaded, for the save that follows.

    Attributes:
        seen: the framework's context, held weakly: its provider keeps runs by their context, for as long as that lives.
        started_ms: when it began: its input was made then, or before.
        items: what was loaded, None where nothing was.
        ids: the ids that are known to be in the thread.
        fresh: nothing was in the thread when it was loaded, so that most likely there was no thread.
    """

    seen: ref[SessionContext]
    started_ms: int = field(default_factory=now_ms)
    items: list[Item] | None = None
    ids: set[str] = field(default_factory=set)
    fresh: bool = False

    @classmethod
    def of(cls, context: SessionContext) -> Run:
        """Return the run of a context."""
        return cls(ref(context))

    @property
    def context(self) -> SessionContext:
        """The framework's context; the run is over when it is gone."""
        context = self.seen()
        if context is None:
            raise RuntimeError("this run is over")
        return context

    def answers(self) -> set[int]:
        """Return what the model said in this run: `id` of each message."""
        response = self.context.response
        return {id(message) for message in response.messages} if response is not None else set()


@dataclass(frozen=True, slots=True)
class Chosen:
    """A message to append.

    Attributes:
        id: of its item.
        made: the id was made here, and nobody else has it.
        created_ms: when the message was made.
    """

    message: Message
    id: str
    made: bool
    created_ms: int


def choose_new(messages: Sequence[Message], run: Run | None, source_id: str) -> list[Chosen]:
    """Return what of `messages` the thread does not hold yet, in order.

    What a model said in this run is new, whatever it is called: some servers give one id to many answers. All else is known by
    its id, and gets one where it has none. No message is changed.

    Args:
        messages: what the framework wants saved.
        run: the run they come from; None where somebody else saves them.
        source_id: under which the run's history was loaded.
    """
    now = now_ms()
    answers: set[int] = set()
    incoming = list(messages)
    if run is not None:
        answers = run.answers()
        history = run.context.context_messages.get(source_id, [])
        asked = [message for message in messages if id(message) not in answers]
        said = [message for message in messages if id(message) in answers]
        if any(message.role == "user" for message in said):
            # An agent that answers with the whole conversation, as some workflows do.
            said = find_new([*history, *asked], said)
        incoming = [*find_new(history, asked, run.ids), *said]
    chosen: list[Chosen] = []
    taken: set[str] = set()
    for message in incoming:
        answered = id(message) in answers
        given = None if answered else _item_id(message)
        if given in taken:
            continue
        id_ = given or new_id()
        taken.add(id_)
        chosen.append(Chosen(message, id_, given is None, now if run is None or answered else run.started_ms))
    return chosen


def _item_id(message: Message) -> str | None:
    """Return the message's own id, where a store can take it as an item's."""
    id_ = message.message_id
    if not id_ or not isinstance(id_, str) or len(id_) > MAX_ID_BYTES:
        return None
    try:
        return id_ if len(id_.encode()) <= MAX_ID_BYTES else None
    except UnicodeEncodeError:
        return None
