"""A call of a tool of `clew mcp` over standard input and output, against one of a server of the same SDK that does nothing.

Both are called by the same client, the SDK's own, in this process, which the servers share two cores with.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from servers import Server, find

from ..measure import Work, interleave
from ..report import Row, judge_cost
from ..topics import Plan, Topic

NAME: Final = "mcp-tool-call"
CALLS: Final = 60
VALUE: Final = ("lorem ipsum dolor " * 60)[:1_000]
TOOLS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "stash": ("stash_value", {"key": "plan", "value": VALUE}),
    "fetch": ("fetch_value", {"key": "plan"}),
    "append": ("append_to_conversation", {"conversation": "bench", "messages": [{"role": "user", "content": VALUE}]}),
}
"""What is called, with a value of 1 kB."""


@asynccontextmanager
async def start(*words: str, **variables: str) -> AsyncGenerator[Client]:
    """Start a module as a server, and yield the SDK's client of it."""
    environment = {**os.environ, **variables}
    parameters = StdioServerParameters(command=sys.executable, args=["-m", *words], env=environment)
    async with Client(stdio_client(parameters)) as client:
        yield client


async def run(plan: Plan) -> list[Row]:
    """Measure `mcp-tool-call`, and as rows that only inform the same against the SDK's decorated function."""
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        server = stack.enter_context(Server(find("redis-8.2")))
        subject = await stack.enter_async_context(start("clew.cli", "mcp", "--owner", "bench", CLEW_URL=server.url))
        floor = await stack.enter_async_context(start("bench.mcp.nothing", "lowlevel"))
        decorated = await stack.enter_async_context(start("bench.mcp.nothing", "mcpserver"))
        made = await subject.call_tool("create_conversation", {"id": "bench"})
        assert not made.is_error, made.content
        for part, (tool, arguments) in TOOLS.items():
            name = f"{NAME}/{part}"
            if not plan.wants(name):
                continue
            works = {
                "subject": _caller(subject, tool, arguments),
                "floor": _caller(floor, "nothing", arguments),
                "decorated": _caller(decorated, "nothing", {}),
            }
            times = await interleave(name, works, rounds=plan.rounds, count=CALLS)
            note = f"{tool} with 1 kB; floor: a tool of the SDK's low-level server that is given the same and does nothing"
            rows.append(judge_cost(name, times["subject"], times["floor"], note=note))
            note = "no limit: the floor is a function that does nothing, with the decorator of the SDK's MCPServer"
            rows.append(judge_cost(f"{name}/mcpserver", times["subject"], times["decorated"], note=note, free=True))
    return rows


def _caller(client: Client, tool: str, arguments: dict[str, Any]) -> Work:
    async def work(count: int) -> None:
        for _ in range(count):
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result.content

    return work


TOPIC: Final = Topic((NAME,), run)
