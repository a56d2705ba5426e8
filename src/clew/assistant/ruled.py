"""A turn by the rule: for a model that cannot be trusted to decide, or to repeat faithfully what it read.

What was found is quoted as it stands; the model's own words come after it, marked. So an answer is right also where they are
not, and there is one where no model runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from chatkit.errors import CustomStreamError
from chatkit.types import ClientToolCallItem, NoticeEvent, ThreadItem, UserMessageItem

from ..errors import ClewError
from .completion import Call, complete
from .grounding import Judge
from .history import make_messages, newest_turn, spoken_text
from .models import Model
from .profiles import TOOL, introduce
from .prompts import ALSO, GROUNDED_TOKENS, OTHER_WORDS, OWN_WORDS, grounded_messages, quote
from .recap import instruct
from .room import measure
from .rule import decide
from .search import Found
from .turn import Events, Turn

NOTHING = "The documentation of clew has nothing on that: none of your words is in it. Please try others."


async def answer_by_rule(turn: Turn) -> Events:
    """Answer as `rule` decides. CustomStreamError: there is only the model to answer, and it did not."""
    newest = newest_turn(turn.items)
    if isinstance(newest, ClientToolCallItem):
        if newest.name == TOOL:
            for event in (*turn.answer.write(introduce(turn.profiles)), *turn.answer.finish()):
                yield event
        return
    spoken = [spoken_text(item) for item in turn.items if isinstance(item, UserMessageItem)]
    chosen = newest.inference_options.tool_choice if newest else None
    decision = decide(spoken[-1], spoken[:-1], chosen=chosen.id if chosen else None)
    if decision.action == "profiles":
        for event in turn.show_profiles():
            yield event
        return
    inner = _search(turn, spoken[-1], decision.query) if decision.action == "search" else _talk(turn)
    async with aclosing(inner) as events:
        async for event in events:
            yield event


async def _search(turn: Turn, question: str, query: str) -> Events:
    looking = turn.look(query)
    async with aclosing(looking.events()) as events:
        async for event in events:
            yield event
    if not looking.found:
        for event in (*turn.answer.write(looking.failure or NOTHING), *turn.answer.finish()):
            yield event
        return
    for line in quote(looking.found).splitlines(keepends=True):
        for event in turn.answer.write(line):
            yield event
    for found in looking.found[: 1 + ALSO]:
        for event in turn.cite(found):
            yield event
    failure = ""
    try:
        model = await turn.supply.get()
        async with aclosing(_say(turn, model, question, looking.found[0])) as events:
            async for event in events:
                yield event
    except ClewError as error:
        failure = f"The passage is from the documentation; no model adds its own words: {error}."
    for event in turn.answer.finish():
        yield event
    if failure:
        yield NoticeEvent(level="warning", message=failure)


async def _say(turn: Turn, model: Model, question: str, best: Found) -> Events:
    heading = (OTHER_WORDS if model.calls_tools else OWN_WORDS).format(name=model.name)
    # What the passage does not bear out is not shown, nor what only repeats it.
    judge = None if model.calls_tools else Judge(question, best.passage.text)
    request = complete(model, grounded_messages(question, best), {"max_tokens": GROUNDED_TOKENS})
    async with aclosing(request) as parts:
        async for part in parts:
            if isinstance(part, str):
                for text in (part,) if judge is None else judge.take(part):
                    for event in turn.answer.write(heading + text):
                        yield event
                    heading = ""
    for text in judge.rest() if judge else ():
        for event in turn.answer.write(heading + text):
            yield event
        heading = ""


async def _talk(turn: Turn) -> Events:
    try:
        model = await turn.supply.get()
        told = instruct(model.instructions, turn.summary)
        room = None if model.room is None else max(1, model.room - measure(told))
        items = turn.items if model.calls_tools else _talked(turn.items)
        messages = [{"role": "system", "content": told}, *make_messages(items, room, tools=False)]
        async with aclosing(complete(model, messages)) as parts:
            async for part in parts:
                if not isinstance(part, Call):
                    for event in turn.answer.write(part):
                        yield event
    except ClewError as error:
        for event in turn.answer.finish():
            yield event
        raise CustomStreamError(f"There is no answer: {error}.", allow_retry=True) from error
    if not turn.answer.text:
        raise CustomStreamError("There is no answer: the model said nothing. Ask again in other words.", allow_retry=True)
    for event in turn.answer.finish():
        yield event


def _talked(items: Sequence[ThreadItem]) -> list[ThreadItem]:
    """Return the turns in which nothing was looked up: quotations of pages only confuse a small model."""
    kept: list[ThreadItem] = []
    keeps = False
    for item in items:
        if isinstance(item, UserMessageItem):
            keeps = decide(spoken_text(item)).action == "talk"
        if keeps:
            kept.append(item)
    return kept
