"""Where an object came from, noted on the object itself: what a later save compares with.

The note lies beside the model's fields, where pydantic keeps cached properties: it is no part of equality, of a dump or of the
schema, and copies carry it. An object without one, as the application makes them, is taken at its word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

from pydantic import BaseModel

_NOTE: Final = "_clew_origin"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """What an object was made from.

    Attributes:
        key: the names it was loaded or saved under: owner, thread, id.
        stored: what is stored.
    """

    key: tuple[str, ...]
    stored: Any  # an item, an attachment's JSON, or a thread's fields: whoever noted it reads it

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def note(model: BaseModel, key: tuple[str, ...], stored: object) -> None:
    """Note where a model came from, or where it is now."""
    model.__dict__[_NOTE] = Origin(key, stored)


def origin_of(model: BaseModel, key: tuple[str, ...], kind: type[T]) -> T | None:
    """Return what is noted, None where nothing is, or what is noted belongs to another key."""
    found = model.__dict__.get(_NOTE)
    if isinstance(found, Origin) and found.key == key and isinstance(found.stored, kind):
        return found.stored
    return None
