"""A turn by a model that can call tools: it decides what to look up, and cites what it used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any, Final

from chatkit.errors import CustomStreamError
from chatkit.types import ClientToolCallItem, ThreadStreamEvent, UserMessageItem

from ..errors import ClewError
from .completion import Call, NoToolsError, complete
from .history import Message, make_messages, newest_turn
from .profiles import TOOL
from .prompts import TOOLS, TOOLS_INSTRUCTIONS, tool_result
from .recap import instruct
from .rule import SEARCH_TOOL
from .search import Found
from .turn import Events, Turn

MOST_ROUNDS: Final = 5
"""How often the model may be asked within one turn. The last time it has to answer."""
MOST_SEARCHES: Final = 8
ROOM: Final = 24_000
"""How much of the thread's history is sent where the model has no smaller room, in tokens."""
UNCITED: Final = 3
"""Sources that are named where the model cited none."""
_CITED: Final = re.compile(r"\[(\d{1,2})\]")


async def answer_with_tools(turn: Turn) -> Events:
    """Let the model answer, with a search and the profiles as its tools.

    Raises:
        NoToolsError: it takes no tools; nothing was yielded.
        CustomStreamError: it did not answer. What it had written is finished before.
    """
    known: list[Found] = []
    searches = 0
    try:
        model = await turn.supply.get()
        # After the profiles were shown, to show them again would never end.
        is_shown = isinstance(newest_turn(turn.items), ClientToolCallItem)
        tools = [tool for tool in TOOLS if not (is_shown and tool["function"]["name"] == TOOL)]
        history = make_messages(turn.items, model.room or ROOM)
        messages: list[Message] = [{"role": "system", "content": instruct(TOOLS_INSTRUCTIONS, turn.summary)}, *history]
        for turn_round in range(MOST_ROUNDS):
            choice = "none" if turn_round == MOST_ROUNDS - 1 else _choice(turn) if turn_round == 0 else "auto"
            options = {"tools": tools, "tool_choice": choice}
            calls: list[Call] = []
            said = ""
            async with aclosing(complete(model, messages, options)) as parts:
                async for part in parts:
                    if isinstance(part, Call):
                        calls.append(part)
                        continue
                    # What it says after a search is a paragraph of its own.
                    for event in turn.answer.write(part if said or not turn.answer.text else f"\n\n{part}"):
                        yield event
                    said += part
            if not calls:
                break
            shown = next((call for call in calls if call.name == TOOL), None)
            if shown is not None:
                for event in (*_cite(turn, known), *turn.show_profiles(shown.id)):
                    yield event
                return
            messages.append(_called(said, calls))
            for call in calls:
                result = f"There is no tool {call.name}."
                query = (call.parse() or {}).get("query")
                if call.name == SEARCH_TOOL and not (isinstance(query, str) and query.strip()):
                    result = 'Give the arguments as JSON: {"query": "a few words"}.'
                elif call.name == SEARCH_TOOL and searches == MOST_SEARCHES:
                    result = "That is enough: answer from what was found."
                elif call.name == SEARCH_TOOL:
                    searches += 1
                    looking = turn.look(str(query))
                    async with aclosing(looking.events()) as events:
                        async for event in events:
                            yield event
                    result = looking.failure or tool_result(_number(known, looking.found))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    except NoToolsError:
        raise
    except ClewError as error:
        for event in (*_cite(turn, known), *turn.answer.finish()):
            yield event
        raise CustomStreamError(f"There is no answer: {error}.", allow_retry=True) from error
    if not turn.answer.text:
        raise CustomStreamError("There is no answer: the model said nothing. Ask again in other words.", allow_retry=True)
    for event in (*_cite(turn, known), *turn.answer.finish()):
        yield event


def _choice(turn: Turn) -> Any:
    """Return which tool the person chose in the composer, else that the model chooses."""
    newest = newest_turn(turn.items)
    if isinstance(newest, UserMessageItem) and newest.inference_options.tool_choice is not None:
        name = newest.inference_options.tool_choice.id
        if name in (SEARCH_TOOL, TOOL):
            return {"type": "function", "function": {"name": name}}
    return "auto"


def _called(said: str, calls: list[Call]) -> Message:
    made = []
    for call in calls:
        # Some servers read the arguments of earlier calls again, and fail on what is no JSON.
        arguments = json.dumps(call.parse() or {})
        made.append({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
    return {"role": "assistant", "content": said or None, "tool_calls": made}


def _number(known: list[Found], found: list[Found]) -> Iterator[tuple[int, Found]]:
    """Yield what was found with its number in this turn; a passage that was found before keeps its own."""
    for each in found:
        at = next((n for n, other in enumerate(known) if other.passage == each.passage), len(known))
        if at == len(known):
            known.append(each)
        yield at + 1, each


def _cite(turn: Turn, known: list[Found]) -> Iterator[ThreadStreamEvent]:
    text = turn.answer.text
    cited = [(int(match[1]), match.end()) for match in _CITED.finditer(text) if 1 <= int(match[1]) <= len(known)]
    for number, end in cited or [(number, len(text)) for number in range(1, min(UNCITED, len(known)) + 1)]:
        yield from turn.cite(known[number - 1], end)
