"""A tool: its name, what a client is told of it, the shapes of its arguments and of its answer, and its function, written once.

Arguments are read strictly: a wrong type, an unknown name or a missing one is told, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec
from mcp import types
from msgspec import Meta

from ..errors import InvalidError
from ..limits import MAX_ID_BYTES
from .desk import Desk

T = TypeVar("T")

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES)]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Attributes:
        text: what it does, for a model that has to choose.
        arguments, answer: msgspec structs; their schemas are what clients see.
        run: does it.
        reads: it changes nothing.
        destroys: it may delete or overwrite something.
        repeats: called again with the same arguments, it changes nothing more.
        in_json: a failure is told as the JSON object `{"success": false, "error": ...}`, as `coaiapy-mcp` does.
    """

    name: str
    title: str
    text: str
    arguments: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    run: Callable[[Desk, Any], Awaitable[msgspec.Struct]]  # the arguments are of the shape above
    reads: bool = False
    destroys: bool = False
    repeats: bool = False
    in_json: bool = False
    input_schema: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_schema", schema_of(self.arguments))

    def describe(self) -> types.Tool:
        """Return what a client is told."""
        hints = types.ToolAnnotations(
            title=self.title,
            read_only_hint=self.reads,
            destructive_hint=self.destroys,
            idempotent_hint=self.repeats or self.reads,
            open_world_hint=False,
        )
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.text,
            input_schema=self.input_schema,
            output_schema=schema_of(self.answer),
            annotations=hints,
        )

    def read(self, arguments: Mapping[str, Any] | None) -> msgspec.Struct:
        """Return the arguments of a call; InvalidError where they are not of their shape."""
        try:
            return msgspec.convert(arguments or {}, self.arguments)
        except msgspec.ValidationError as error:
            raise InvalidError(f"the arguments of {self.name} are not what it takes: {error}") from error
        except RecursionError as error:
            raise InvalidError(f"the arguments of {self.name} are nested too deeply") from error


def schema_of(shape: type[msgspec.Struct]) -> dict[str, Any]:
    """Return a shape's JSON Schema in one piece: some clients do not follow references."""
    schema = msgspec.json.schema(shape)
    names = schema.pop("$defs", {})

    def inline(part: Any) -> Any:  # JSON Schema, whose parts are any JSON
        if isinstance(part, list):
            return [inline(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return inline(names[part["$ref"].rpartition("/")[2]])
        made = {name: inline(each) for name, each in part.items() if not (name == "title" and isinstance(each, str))}
        return {"items": {}, **made} if made.get("type") == "array" else made

    made: dict[str, Any] = inline(schema)
    made.pop("description", None)
    return made
