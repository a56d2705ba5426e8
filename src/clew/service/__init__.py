"""The service: a page to talk with an agent, ChatKit's protocol, and answers that survive reload, disconnect and crash.

`uvicorn clew.service:app --workers 4`, or `clew serve`. The environment says which store, as everywhere in clew. The application
is imported when it is asked for: `clew keys` needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import MissingExtraError

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from .application import make_app

    app: Starlette

try:
    import starlette.requests  # noqa: F401
except ImportError as error:
    raise MissingExtraError("clew.service", "service") from error

__all__ = ["app", "make_app"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import chatkit.server  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("clew.service", "service") from error
    from .application import make_app

    globals().update(make_app=make_app, app=make_app())
    return globals()[name]
