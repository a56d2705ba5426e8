"""A store whose calls tell whether they found it there, whoever made them: so that the next one need not wait to find out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast

from .. import Store
from ..backend import Backend
from ..errors import UnavailableError

Away = Callable[[UnavailableError], None]
There = Callable[[], None]
Verb = Callable[..., Awaitable[Any]]  # any, since it is passed through


def watch(store: Store, away: Away, there: There) -> Store:
    """Return the same store, which calls `away` for each call that finds it away, and `there` for each that it answers.

    To close either closes it.
    """
    return Store(cast(Backend, _Watched(store.backend, away, there)))


class _Watched:
    """Has every verb and power of a backend, and no other: powers are told by the verbs that are there."""

    def __init__(self, backend: Backend, away: Away, there: There) -> None:
        for name in dir(backend):
            if name.startswith("_"):
                continue
            found = getattr(backend, name)
            setattr(self, name, _watching(found, away, there) if iscoroutinefunction(found) else found)


def _watching(verb: Verb, away: Away, there: There) -> Verb:
    async def call(*arguments: Any, **named: Any) -> Any:
        try:
            answer = await verb(*arguments, **named)
        except UnavailableError as error:
            away(error)
            raise
        if not getattr(answer, "pending", False):
            # What a journal accepts is no word from the store.
            there()
        return answer

    return call
