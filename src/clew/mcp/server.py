"""The server: which tools, resources and prompts there are, and how a call of one becomes an answer.

`isError` is true exactly when a call failed. What goes wrong is told in words that a model can act on, and not as a fault of the
protocol, but for a tool that does not exist.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from importlib.metadata import version
from typing import Any, Final

import msgspec
from mcp import types
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from ..errors import ClewError, InvalidError, NotFoundError
from ..store import Store
from . import conversations, failures, prompts, resources, searching, values, workflows
from .desk import Desk, Shelf, Shelves
from .tool import Tool
from .watching import Watching

logger = logging.getLogger("clew.mcp")

Context = ServerRequestContext[Any, Any]
Handler = Callable[[Context, Any], Awaitable[Any]]
"""As the SDK takes it, for any request."""
GROUPS: Final[Mapping[str, tuple[Tool, ...]]] = {
    "values": values.TOOLS,
    "coaia": values.COAIA_TOOLS,
    "conversations": (*conversations.TOOLS, *searching.TOOLS),
    "workflows": workflows.TOOLS,
}
"""The tools by what they are for: a model reads the description of each one it is given."""
INSTRUCTIONS: Final = (
    "clew keeps conversations and values between sessions. Nothing is kept by itself: name what is to stay. resume_conversation "
    "brings back the newest one, search_conversations finds an older one. Long answers come in pages: go on with the cursor."
)
_FIXED: Final = CacheHint(ttl_ms=3_600_000, scope="public")


def make_server(
    open_store: Callable[[], Awaitable[Store]],
    owner_of: Callable[[Context], str],
    *,
    shelves: Shelves | None = None,
    watching: Watching | None = None,
    subscribe: Handler | None = None,
    unsubscribe: Handler | None = None,
    in_full: bool = False,
    zone: tzinfo | None = None,
    groups: Iterable[str] = GROUPS,
) -> Server[Watching]:
    """Return a server for the SDK's transports.

    Args:
        open_store: returns the open store at each call; a ClewError fails only that call.
        owner_of: whose call it is, from the SDK's context. Everything the call reaches is theirs.
        shelves: where values stand; under keys of each owner's own for None.
        watching: what tells clients of news; one of the server's own for None. It is closed with the server.
        subscribe, unsubscribe: how clients of the protocol until 2025-11-25 do it; by their connection, if it lasts, for None.
        in_full: tell callers what is known of a store that is away, as its address: for a server of its caller's own.
        zone: where the day of `resume_yesterday` begins; this machine's own for None.
        groups: which tools there are, as GROUPS names them.

    Raises:
        InvalidError: there is no such group.
    """
    made = _Server(open_store, owner_of, shelves or Shelves(), in_full, zone, choose_tools(groups))
    watching = watching or Watching(open_store, owner_of)

    @contextlib.asynccontextmanager
    async def lifespan(_: Server[Watching]) -> AsyncIterator[Watching]:
        try:
            yield watching
        finally:
            await watching.aclose()

    return Server(
        "clew",
        version=version("clew"),
        title="clew",
        description="Durable conversations, values and workflow state.",
        instructions=INSTRUCTIONS,
        lifespan=lifespan,
        cache_hints={"tools/list": _FIXED, "prompts/list": _FIXED, "resources/templates/list": _FIXED},
        get_tool_input_schema=lambda name: made.tools[name].input_schema if name in made.tools else None,
        on_list_tools=made.list_tools,
        on_call_tool=made.call_tool,
        on_list_resources=made.list_resources,
        on_list_resource_templates=made.list_templates,
        on_read_resource=made.read_resource,
        on_subscribe_resource=made.guard(subscribe or watching.subscribe),
        on_unsubscribe_resource=made.guard(unsubscribe or watching.unsubscribe),
        on_subscriptions_listen=made.guard(watching.listen),
        on_list_prompts=made.list_prompts,
        on_get_prompt=made.get_prompt,
    )


class _Server:
    """The handlers."""

    def __init__(
        self,
        open_store: Callable[[], Awaitable[Store]],
        owner_of: Callable[[Context], str],
        shelves: Shelves,
        in_full: bool,
        zone: tzinfo | None,
        tools: Sequence[Tool],
    ) -> None:
        self._open_store = open_store
        self._owner_of = owner_of
        self._shelves = shelves
        self._in_full = in_full
        self._zone = zone
        self.tools = {tool.name: tool for tool in tools}
        self._described = [tool.describe() for tool in tools]

    async def list_tools(self, context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """Return all tools, on one page."""
        return types.ListToolsResult(tools=self._described)

    async def call_tool(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Do what a tool does, and tell a failure as one."""
        tool = self.tools.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, "There is no tool of this name: tools/list has those there are.")
        try:
            arguments = tool.read(params.arguments)
            answer = await tool.run(await self._desk(context), arguments)
            text = msgspec.json.encode(answer).decode()
        except ClewError as error:
            return _fail(tool, *failures.tell(error, in_full=self._in_full, repeats=tool.reads or tool.repeats))
        except Exception:
            # The model is told that it failed, whatever it was; the connection goes on.
            logger.exception("the tool %s failed", tool.name)
            return _fail(tool, *failures.UNEXPECTED)
        return types.CallToolResult(
            content=[types.TextContent(text=text)], structured_content=msgspec.to_builtins(answer), is_error=False
        )

    async def list_resources(self, context: Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        """Return a page of the owner's conversations."""
        with self._telling():
            return await resources.list_resources(await self._desk(context), None if params is None else params.cursor)

    async def list_templates(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """Return the one form of address there is."""
        return types.ListResourceTemplatesResult(resource_templates=[resources.TEMPLATE])

    async def read_resource(self, context: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """Return a conversation."""
        with self._telling(uri=str(params.uri)):
            return await resources.read_resource(await self._desk(context), str(params.uri))

    async def list_prompts(self, context: Context, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        """Return all prompts."""
        return types.ListPromptsResult(prompts=prompts.PROMPTS)

    async def get_prompt(self, context: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        """Return a prompt."""
        with self._telling():
            return await prompts.get_prompt(await self._desk(context), params.name, params.arguments or {}, self._zone)

    def guard(self, handler: Handler) -> Handler:
        """Return the handler, its errors told as those of the others."""

        async def guarded(context: Context, params: Any) -> Any:  # whatever the SDK passes to this handler
            with self._telling():
                return await handler(context, params)

        return guarded

    async def _desk(self, context: Context) -> Desk:
        owner, store = self._owner_of(context), await self._open_store()
        return Desk(owner, store, Shelf(store, self._shelves, owner))

    @contextlib.contextmanager
    def _telling(self, **facts: str) -> Iterator[None]:
        """Turn an error of clew's into the protocol's."""
        try:
            yield
        except ClewError as error:
            _, text = failures.tell(error, in_full=self._in_full)
            is_callers = isinstance(error, InvalidError | NotFoundError)
            raise MCPError(types.INVALID_PARAMS if is_callers else types.INTERNAL_ERROR, text, data=facts or None) from error


def choose_tools(groups: Iterable[str]) -> list[Tool]:
    """Return the tools of some groups, each group once; InvalidError where there is no such group."""
    chosen = dict.fromkeys(groups)
    if not chosen or not chosen.keys() <= GROUPS.keys():
        raise InvalidError(f"the groups of tools are {', '.join(GROUPS)}: name at least one, and none but these")
    return [tool for group in chosen for tool in GROUPS[group]]


def _fail(tool: Tool, kind: str, text: str) -> types.CallToolResult:
    content: dict[str, Any] = {"success": False, "error": text} if tool.in_json else {"error": kind, "message": text}
    shown = msgspec.json.encode(content).decode() if tool.in_json else text
    return types.CallToolResult(content=[types.TextContent(text=shown)], structured_content=content, is_error=True)
