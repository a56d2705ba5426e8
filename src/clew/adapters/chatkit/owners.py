"""Whose request it is. Nobody's is refused: without an owner one user's threads would be another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from clew.errors import InvalidError
from clew.limits import check_id

TContext = TypeVar("TContext")
OwnerOf: TypeAlias = str | Callable[[TContext], str]
NAMES: Final = ("owner", "user_id")
"""Where the owner is looked for in a request context: a mapping's key, or an attribute."""


def find_owner(context: Any) -> str:  # ChatKit leaves the context's type to the application
    """Return the owner that a request context names, as `owner` or `user_id`: a key of a mapping, or an attribute.

    Raises:
        InvalidError: it names none, or one that is no valid id.
    """
    for name in NAMES:
        found = context.get(name) if isinstance(context, Mapping) else getattr(context, name, None)
        if found is not None:
            return check_id(found, f"the request context's {name}")
    raise InvalidError(
        f"the request context ({type(context).__name__}) says nobody's name: give it `owner` or `user_id`, "
        "or pass ChatKitStore an owner, as owner=lambda context: context.user.id"
    )


def make_finder(owner: OwnerOf[TContext] | None) -> Callable[[TContext], str]:
    """Return the function that tells a request's owner: the one given, one that says always the same, or `find_owner`."""
    if owner is None:
        return find_owner
    if isinstance(owner, str):
        name = check_id(owner, "the owner")
        return lambda context: name
    if not callable(owner):
        raise InvalidError(f"owner must be a string or a function of the request context, not {type(owner).__name__}")
    ask = owner
    return lambda context: check_id(ask(context), "the owner that the owner function returned")
