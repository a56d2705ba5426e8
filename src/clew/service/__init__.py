"""The service: a page to talk with an agent, ChatKit's protocol, and answers that survive reload, disconnect and crash.

`uvicorn clew.service:app --workers 4`, or `clew serve`. The environment says which store, as everywhere in clew.
"""

from __future__ import annotations

from ..errors import MissingExtraError

try:
    import chatkit.server  # noqa: F401
    import starlette.applications  # noqa: F401
except ImportError as error:
    raise MissingExtraError("clew.service", "service") from error

from .app import make_app

__all__ = ["app", "make_app"]

app = make_app()
