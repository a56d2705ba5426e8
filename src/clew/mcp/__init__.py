"""clew as an MCP server: values, conversations and workflow state that any MCP client can keep, over stdio and HTTP.

Needs the extra `mcp`. `serve_stdio` is what `clew mcp` runs; `make_server` is for a server of your own.
"""

from __future__ import annotations

from ..errors import MissingExtraError

try:
    import mcp.server.lowlevel  # noqa: F401
except ImportError as error:
    raise MissingExtraError("clew's MCP server", "mcp") from error

from .desk import Shelves
from .opening import Opening
from .server import GROUPS, make_server
from .stdio import serve_stdio
from .watching import Watching

__all__ = ["GROUPS", "Opening", "Shelves", "Watching", "make_server", "serve_stdio"]
