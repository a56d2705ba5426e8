"""A program of its own: a server of the SDK over standard input and output, whose one tool does nothing.

    python -m bench.mcp.nothing lowlevel|mcpserver

`lowlevel` answers by hand, as clew's own server does; `mcpserver` is a function under the SDK's decorator.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

SCHEMA = {"type": "object", "properties": {"key": {"type": "string"}, "value": {"type": "string"}}}


async def list_tools(
    context: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    """Return the one tool."""
    return types.ListToolsResult(tools=[types.Tool(name="nothing", input_schema=SCHEMA)])


async def call_tool(context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> types.CallToolResult:
    """Do nothing."""
    return types.CallToolResult(content=[types.TextContent(text="")])


async def serve() -> None:
    """Serve by hand."""
    server = Server[Any]("nothing", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


def main(kind: str) -> None:
    """Serve until standard input ends."""
    if kind == "lowlevel":
        asyncio.run(serve())
        return
    server = MCPServer("nothing", log_level="ERROR")

    @server.tool()
    async def nothing(key: str = "", value: str = "") -> str:
        """Do nothing."""
        return ""

    server.run("stdio")


if __name__ == "__main__":
    main(sys.argv[1])
