"""Values through the real `coaiapy-mcp` server, for those who have to go through it: it is started, spoken to, and started again.

    async with connect_coaia(url="redis://localhost:6379/0") as store:
        manager = RedisSessionManager(store=store, ttl_seconds=None)
        await manager.save_session(session, overwrite=True)

That server can set a value and get one, and nothing else: no time to live, no list, no deletion, no comparison. What it cannot
do is an UnsupportedError here, and what failed there is an error here, although it tells that as an answer like any other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn

import msgspec

from .. import Store
from ..errors import ClosedError, InvalidError, MissingExtraError, NotFoundError, UnavailableError, UnsupportedError
from ..limits import check_data, check_value_key
from ..records import ANY, Any_, Commit, Entry, Page, Snapshot

try:
    from mcp import Client, MCPError, StdioServerParameters
    from mcp.client.stdio import stdio_client
except ImportError as error:
    raise MissingExtraError("clew.adapters.coaia", "mcp") from error

__all__ = ["PINS", "CoaiaServer", "connect_coaia"]

PINS: Final = ("coaiapy-mcp==0.4.3", "coaiapy==0.6.2", "mcp==1.30.0")
"""What to install, in an environment of its own: a plain install takes an `mcp` that it does not start with."""
TIMEOUT_S: Final = 10.0
START_S: Final = 30.0
_ONLY: Final = "there are only values"


class _Answer(msgspec.Struct):
    success: bool
    value: str | None = None
    error: str | None = None


class CoaiaServer:
    """A `coaiapy-mcp` process, started at the first call, and again after one that found it, or its Redis, away.

    It looks for Redis only when it starts, so one that says "not available" will never say anything else.
    """

    def __init__(
        self,
        command: Sequence[str] = ("coaiapy-mcp",),
        *,
        url: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        timeout: float = TIMEOUT_S,
    ) -> None:
        """Start nothing yet.

        Args:
            command: how it is started.
            url: its Redis (`REDIS_URL`); None for what its own settings say.
            env: variables beside those that every program needs.
            cwd: where it runs, and looks for a `coaia.json`.
            timeout: seconds that a call may take.
        """
        if not command:
            raise InvalidError("the command is empty: name the program, as coaiapy-mcp")
        given = {**(env or {}), **({} if url is None else {"REDIS_URL": url})}
        self._parameters = StdioServerParameters(command=command[0], args=[*command[1:]], env=given, cwd=cwd)  # type: ignore[arg-type]  # it takes any path
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        self._is_closed = False

    async def tash(self, key: str, value: str) -> None:
        """Set a value, for ever.

        Raises:
            UnavailableError: the server or its Redis is away; it may or may not have been set.
        """
        await self._call("coaia_tash", key, value=value)

    async def fetch(self, key: str) -> str | None:
        """Return a value, None where there is none.

        Raises:
            UnavailableError: the server or its Redis is away.
        """
        try:
            return (await self._call("coaia_fetch", key)).value
        except NotFoundError:
            return None

    async def aclose(self) -> None:
        """End the process. Later calls raise ClosedError."""
        self._is_closed = True
        async with self._lock:
            await self._end()

    async def _call(self, tool: str, key: str, **more: str) -> _Answer:
        client = await self._open()
        try:
            async with asyncio.timeout(self._timeout):
                result = await client.call_tool(tool, {"key": key, **more})
            text = "".join(getattr(part, "text", "") for part in result.content)
            answer = msgspec.json.decode(text, type=_Answer)
        except (MCPError, TimeoutError, OSError, RuntimeError, msgspec.DecodeError) as error:
            await self._restart(client)
            raise UnavailableError(f"coaiapy-mcp did not answer ({type(error).__name__}): it is started anew") from error
        if answer.success and not result.is_error:
            return answer
        if answer.error == f"Key '{key}' not found in Redis":
            raise NotFoundError("there is no value under this key")
        await self._restart(client)
        raise UnavailableError("coaiapy-mcp cannot reach its Redis, or refused the call: see that REDIS_URL is right there")

    async def _open(self) -> Client:
        async with self._lock:
            if self._is_closed:
                raise ClosedError("this coaiapy-mcp was ended: connect again")
            if self._client is not None:
                return self._client
            await self._end()
            ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
            self._ending = asyncio.Event()
            self._task = asyncio.create_task(self._run(ready, self._ending))
            try:
                async with asyncio.timeout(START_S):
                    return await asyncio.shield(ready)
            except (OSError, TimeoutError, MCPError, RuntimeError, ExceptionGroup) as error:
                await self._end()
                raise UnavailableError(
                    f"coaiapy-mcp did not start ({type(error).__name__}): install {', '.join(PINS)} in an environment of its "
                    "own, and name its program"
                ) from error

    async def _run(self, ready: asyncio.Future[Client], ending: asyncio.Event) -> None:
        """Hold the process: its client has to be opened and closed by one task."""
        try:
            # It logs every argument; nobody is to read them.
            with open(os.devnull, "w") as nowhere:  # noqa: ASYNC230 - it waits for nothing
                async with Client(stdio_client(self._parameters, nowhere), mode="legacy") as client:
                    self._client = client
                    ready.set_result(client)
                    await ending.wait()
        except Exception as error:
            if not ready.done():
                ready.set_exception(error)
        finally:
            self._client = None

    async def _restart(self, client: Client) -> None:
        async with self._lock:
            if self._client is client:
                await self._end()

    async def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._ending.set()
            await asyncio.wait([task])


@asynccontextmanager
async def connect_coaia(
    command: Sequence[str] = ("coaiapy-mcp",),
    *,
    url: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    timeout: float = TIMEOUT_S,  # noqa: ASYNC109 - of each call, not of this one
) -> AsyncIterator[Store]:
    """Yield a store whose values go through a `coaiapy-mcp` server; it has no threads, routes or runs. See CoaiaServer."""
    server = CoaiaServer(command, url=url, env=env, cwd=cwd, timeout=timeout)
    try:
        yield Store(_Backend(server))
    finally:
        await server.aclose()


class _Backend:
    """Values through the server; everything else is refused."""

    def __init__(self, server: CoaiaServer) -> None:
        self._server = server

    async def get_value(self, key: str, *, touch_ms: int | None = None) -> bytes | None:
        if touch_ms is not None:
            _refuse("no value has a time to live there")
        found = await self._server.fetch(check_value_key(key))
        return None if found is None else found.encode()

    async def put_value(
        self, key: str, data: bytes | None, *, ttl_ms: int | None = None, when: bytes | Any_ | None = ANY
    ) -> tuple[bool, bytes | None]:
        """As Values.put_value, but that it does not know what was stored before: it says None."""
        check_value_key(key)
        if data is None:
            _refuse("it has no tool to drop a value")
        if ttl_ms is not None:
            _refuse("values stay for ever there: give no time to live (ttl_seconds=None)")
        if not isinstance(when, Any_):
            _refuse("a value can only be overwritten there, not compared: save with overwrite=True")
        check_data(data, "the value")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise InvalidError("coaiapy-mcp takes text only: these bytes are none") from error
        await self._server.tash(key, text)
        return True, None

    async def value_ttl(self, key: str) -> int | None:
        _refuse("it does not tell how long a value stays")

    async def scan_values(self, pattern: str, *, limit: int = 100, cursor: str | None = None) -> tuple[Sequence[str], str | None]:
        _refuse("it has no tool to list values")

    async def ping(self) -> None:
        """Return when it has answered."""
        await self._server.fetch("clew:ping")

    async def aclose(self) -> None:
        await self._server.aclose()

    # What follows takes what Backend's verbs take, and does nothing with it.

    async def commit(self, *_: Any, **__: Any) -> Commit:
        _refuse(_ONLY)

    async def fetch(self, *_: Any, **__: Any) -> Snapshot:
        _refuse(_ONLY)

    async def read(self, *_: Any, **__: Any) -> Page:
        _refuse(_ONLY)

    def follow(self, *_: Any, **__: Any) -> AsyncIterator[Entry]:
        _refuse(_ONLY)

    async def revision(self, *_: Any, **__: Any) -> int:
        _refuse(_ONLY)

    async def drop(self, *_: Any, **__: Any) -> bool:
        _refuse(_ONLY)


def _refuse(why: str) -> NoReturn:
    raise UnsupportedError(f"coaiapy-mcp cannot do that: {why}; connect to its Redis itself")
