"""A store whose calls tell when they find it away, whoever made them: so that the next one does not wait for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast

from .. import Store
from ..backend import Backend
from ..errors import UnavailableError

Told = Callable[[UnavailableError], None]


def watch(store: Store, told: Told) -> Store:
    """Return the same store, which tells of each call that finds it away. To close either closes it."""
    return Store(cast(Backend, _Watched(store.backend, told)))


class _Watched:
    """Has every verb and power of a backend, and no other: powers are told by the verbs that are there."""

    def __init__(self, backend: Backend, told: Told) -> None:
        for name in dir(backend):
            if name.startswith("_"):
                continue
            found = getattr(backend, name)
            setattr(self, name, _watching(found, told) if iscoroutinefunction(found) else found)


def _watching(verb: Callable[..., Awaitable[Any]], told: Told) -> Callable[..., Awaitable[Any]]:  # any verb, passed through
    async def call(*arguments: Any, **named: Any) -> Any:
        try:
            return await verb(*arguments, **named)
        except UnavailableError as error:
            told(error)
            raise

    return call
