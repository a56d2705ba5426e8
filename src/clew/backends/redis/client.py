"""The one file that knows Cluster and Sentinel: which server a key lives on, how to reach it, and when to ask again.

A client belongs to one event loop. Retries end at the deadline of the call; a request that must not be done twice, and may
have been done, is not sent again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import AbstractConnection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AskError, MovedError, RedisClusterException, RedisError, SlotNotCoveredError

from ...errors import ClewError, ClosedError, NotReplicatedError, UnavailableError, UnsupportedError
from ...metering import Meters
from .faults import explain_no_cluster, is_connection_fault, is_refused_for_now, translate
from .info import check_server, parse_info, version_of
from .introducing import ALWAYS
from .options import Options
from .requests import Reply, Request, Words, pack
from .scripts import Script, load_scripts
from .sentinels import PoliteSentinel
from .trips import Lane

if TYPE_CHECKING:
    from .appends import Shelf


class Client:
    """Requests in, replies out, whatever the topology.

    Args:
        options: the parsed URL.
        place: the URL with its credentials masked, for messages.
        tally: where it counts; one of its own for None.
    """

    def __init__(self, options: Options, place: str, tally: Meters | None = None) -> None:
        self.tally = Meters() if tally is None else tally
        self.options = options
        self.place = place
        self.loop = asyncio.get_running_loop()
        self.scripts: dict[str, Script] = {}
        self.info: dict[str, str] = {}
        self._lanes: dict[str, Lane] = {}
        self._only: Lane | None = None
        """The lane where there is one server and no more."""
        self._cluster: RedisCluster | None = None
        self._pool: ConnectionPool | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._again: dict[Request, asyncio.TimerHandle] = {}
        self._closed = False
        self._keeper: asyncio.Task[None] | None = None
        self.shelf: Shelf = {}
        """Appends that have not gone yet, for others to join."""

    async def open(self) -> None:
        """Reach the server, and check that it is one that clew can use."""
        kwargs = self._connection_arguments()
        options = self.options
        try:
            async with asyncio.timeout(options.timeout):
                if options.topology == "cluster":
                    await self._open_cluster(kwargs)
                elif options.topology == "sentinel":
                    sentinel_kwargs = {k: v for k, v in kwargs.items() if k not in ("username", "password", "db")}
                    sentinel_kwargs |= {"username": options.sentinel_username, "password": options.sentinel_password}
                    sentinel = PoliteSentinel(list(options.hosts), sentinel_kwargs=sentinel_kwargs)
                    tls = kwargs.pop("ssl", False)
                    self._pool = SentinelConnectionPool(options.service, sentinel, ssl=tls, **kwargs)  # type: ignore[no-untyped-call]
                else:
                    self._pool = self._standalone_pool(kwargs)
            self.info = parse_info(await self._lane_call("", pack("INFO")))
        except ClewError:
            raise
        except RedisClusterException as error:
            raise explain_no_cluster(error, self.place) from error
        except Exception as error:
            raise translate(error, self.place) from error
        check_server(self.info, options, self.place)
        self._only = self._lane("") if self._cluster is None else None
        self._keeper = self.loop.create_task(self._keep(), name="clew-redis-keeper")
        self.scripts = load_scripts(shebang=self.version >= (7,))

    @property
    def version(self) -> tuple[int, ...]:
        """The Redis version whose commands the server has; Valkey names the one it is compatible with."""
        return version_of(self.info)

    def call(
        self,
        key: bytes,
        payload: bytes,
        replies: int = 1,
        *,
        script: Script | None = None,
        repeatable: bool = True,
        durable: bool = False,
    ) -> asyncio.Future[list[Reply]]:
        """Send commands to the server that holds `key`; their replies come as the future's result.

        Args:
            key: any key of the slot; empty for any server.
            payload: the packed commands.
            replies: how many replies they give.
            script: what the payload's EVALSHA calls, to load it where the server does not know it.
            repeatable: whether doing it twice comes to the same.
            durable: whether to wait for the replicas the URL asks for.

        Raises:
            UnavailableError, DeniedError, FullError, UnsupportedError, InvalidError, ClosedError.
        """
        future: asyncio.Future[list[Reply]] = self.loop.create_future()
        deadline = self.loop.time() + self.options.timeout
        self.send(Request(key, payload, replies, future, deadline, script=script, repeatable=repeatable, durable=durable))
        return future

    def send(self, request: Request) -> None:
        """Put a request on its way; its future gets what `call` returns or raises.

        Raises:
            ClosedError: at once.
        """
        if self._closed:
            raise ClosedError("this store was closed: connect again")
        if self._only is not None:
            self._only.submit(request)
        else:
            self._route(request)

    async def run(
        self,
        script: str,
        keys: Sequence[bytes],
        args: Sequence[bytes | str | int],
        *,
        rest: Words | None = None,
        repeatable: bool = True,
        durable: bool = True,
    ) -> Reply:
        """Call a script by name and return its reply; its keys share a slot. `rest` follows `args`."""
        known = self.scripts[script]
        payload = pack("EVALSHA", known.sha, len(keys), *keys, *args, rest=rest)
        return (await self.call(keys[0], payload, script=known, repeatable=repeatable, durable=durable))[0]

    def primaries(self) -> list[str]:
        """Return a name for each server that holds keys, in a stable order."""
        if self._cluster is None:
            return [""]
        return sorted(node.name for node in self._cluster.get_primaries())

    async def call_server(self, name: str, payload: bytes) -> Reply:
        """Send one command to a server named by `primaries`."""
        try:
            return await self._lane_call(name, payload)
        except ClewError:
            raise
        except Exception as error:
            raise translate(error, self.place) from error

    @property
    def shards(self) -> bool:
        """Whether what is published on a channel reaches only the servers of its slot: a cluster from Redis 7.0."""
        return self._cluster is not None and self.version >= (7,)

    @property
    def publish(self) -> bytes:
        """The command that publishes to such a channel."""
        return b"SPUBLISH" if self.shards else b"PUBLISH"

    def node_of(self, channel: bytes) -> str:
        """Return the name of the server that holds a channel's slot, of some server where none does just now."""
        try:
            return self._node_name(channel)
        except SlotNotCoveredError:
            return self.primaries()[0]

    async def learn_slots(self) -> None:
        """Learn the cluster's slots anew, together with whoever else is doing so."""
        self._refresh()
        assert self._refreshing is not None
        await asyncio.wait([self._refreshing])

    def make_connection(self, name: str = "") -> AbstractConnection:
        """Return a new connection, not yet open, to a server, or to one that hears every channel which is not sharded."""
        return self._connector(name)()

    async def aclose(self) -> None:
        """Let what was sent come back, then close every connection."""
        self._closed = True
        for request, handle in self._again.items():
            handle.cancel()
            request.fail(ClosedError("this store was closed before the server could be reached again"))
        self._again.clear()
        tasks = [task for task in (self._refreshing, self._keeper) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(lane.aclose() for lane in self._lanes.values()))
        if self._cluster is not None:
            await self._cluster.aclose()
        if self._pool is not None:
            await self._pool.disconnect()
            if isinstance(self._pool, SentinelConnectionPool):
                await asyncio.gather(*(sentinel.aclose() for sentinel in self._pool.sentinel_manager.sentinels))

    async def _keep(self) -> None:
        """Live as long as the event loop, and close what rests when it ends without `aclose`."""
        try:
            await self.loop.create_future()
        finally:
            # `aclose` waits for what is under way; here nobody does any more.
            if not self._closed:
                cluster = [] if self._cluster is None else [self._cluster.aclose]
                for close in (*(lane.abandon for lane in self._lanes.values()), *cluster):
                    await close()

    # -- where a request goes ---------------------------------------------------------------------------------------

    def _route(self, request: Request) -> None:
        try:
            name = "" if self._cluster is None else request.server or self._node_name(request.key, request.attempts)
        except SlotNotCoveredError as error:
            self._failed(request, error)
            return
        self._lane(name).submit(request)

    def _node_name(self, key: bytes, attempts: int = 0) -> str:
        assert self._cluster is not None
        if not key:
            # Any server: where one is away, the next.
            primaries = self.primaries()
            return primaries[attempts % len(primaries)]
        node = self._cluster.get_node_from_key(cast(str, key))
        if node is None:
            raise SlotNotCoveredError("no server holds this slot")
        return node.name

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(
                self._connector(name),
                self._failed,
                self._confirmation(),
                connect_timeout=self.options.connect_timeout,
                # On a cluster a script has one slot.
                together=self._put_together if self._cluster is None else None,
                tally=self.tally,
            )
        return lane

    def _put_together(self, batch: list[Request]) -> list[Request]:
        from .together import put_together

        return put_together(batch, self.scripts["appends"], self.send) if self.scripts else batch

    async def _lane_call(self, name: str, payload: bytes) -> Reply:
        future: asyncio.Future[list[Reply]] = self.loop.create_future()
        request = Request(b"", payload, 1, future, self.loop.time() + self.options.timeout)
        request.server = name
        self._route(request)
        return (await future)[0]

    # -- when it did not come back ----------------------------------------------------------------------------------

    def _failed(self, request: Request, error: BaseException) -> None:
        """Send it again after a while, or give up: at the deadline, or where twice is not the same as once."""
        refused = is_refused_for_now(error) or isinstance(error, SlotNotCoveredError)
        unknown = is_connection_fault(error) and not refused
        may_repeat = refused or (unknown and (request.repeatable or not request.sent))
        delay = min(0.01 * 2 ** min(request.attempts, 6), 0.5) * random.uniform(0.5, 1.0)
        request.attempts += 1
        request.faults += unknown
        most = self.options.retries
        may_repeat = may_repeat and (most is None or request.faults <= most)
        if not may_repeat or self._closed or self.loop.time() + delay >= request.deadline:
            if isinstance(error, SlotNotCoveredError):
                request.fail(UnavailableError(f"{self.place}: {error}"))
            else:
                told = translate(error, self.place)
                if isinstance(told, UnavailableError):
                    told.lost = request.sent and request.durable
                request.fail(told)
            return
        self.tally.retries += 1
        if self._cluster is not None and (unknown or refused):
            if isinstance(error, AskError) and not isinstance(error, MovedError) and request.replies == 1:
                request.lead = pack("ASKING")
                self._lane(f"{error.host}:{error.port}").submit(request)
                return
            self._refresh()
            if isinstance(error, MovedError):
                delay = 0.0 if request.attempts == 1 else delay
        self._again[request] = self.loop.call_later(delay, self._send_again, request)

    def _send_again(self, request: Request) -> None:
        del self._again[request]
        self._route(request)

    def _refresh(self) -> None:
        """Learn the cluster's slots anew, once for all who ask at the same time."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = self.loop.create_task(self._learn_slots(), name="clew-redis-slots")

    async def _learn_slots(self) -> None:
        assert self._cluster is not None
        try:
            async with asyncio.timeout(self.options.connect_timeout):
                await self._cluster.nodes_manager.initialize()
        except (RedisError, OSError) as error:
            # Nobody to ask just now: whoever needs a slot asks again, or gives up with this at the deadline.
            self.info["slots_error"] = str(error)[:200]

    # -- how to reach a server --------------------------------------------------------------------------------------

    def _connection_arguments(self) -> dict[str, Any]:
        options = self.options
        kwargs: dict[str, Any] = {
            **ALWAYS,
            "username": options.username,
            "password": options.password,
            "socket_connect_timeout": options.connect_timeout,
            "retry": Retry(NoBackoff(), 0),
        }
        if options.path is not None:
            del kwargs["socket_keepalive"]
        if options.topology != "cluster":
            kwargs["db"] = options.db
        if options.tls:
            kwargs |= {"ssl": True, **dict(options.tls_options)}
        return kwargs

    def _standalone_pool(self, kwargs: dict[str, Any]) -> ConnectionPool:
        if self.options.path is not None:
            return ConnectionPool(connection_class=UnixDomainSocketConnection, path=self.options.path, **kwargs)
        (host, port), *more = self.options.hosts
        if more:
            raise UnsupportedError("one server has one host: use redis+cluster:// or redis+sentinel:// for several")
        if kwargs.pop("ssl", False):
            return ConnectionPool(connection_class=SSLConnection, host=host, port=port, **kwargs)
        return ConnectionPool(host=host, port=port, **kwargs)

    async def _open_cluster(self, kwargs: dict[str, Any]) -> None:
        from redis.asyncio.cluster import ClusterNode

        nodes = [ClusterNode(host, port) for host, port in self.options.hosts]
        self._cluster = RedisCluster(startup_nodes=nodes, require_full_coverage=False, **kwargs)
        # Concurrent first calls on an uninitialised cluster client break each other's connections (redis-py 8.1).
        await self._cluster.initialize()

    def _connector(self, name: str) -> Callable[[], AbstractConnection]:
        if self._cluster is None:
            assert self._pool is not None
            pool = self._pool
            return lambda: cast(AbstractConnection, pool.make_connection())  # type: ignore[no-untyped-call]
        cluster = self._cluster

        def connect() -> AbstractConnection:
            node = cluster.get_node(node_name=name or self.primaries()[0])
            kwargs = dict((node or cluster.get_default_node()).connection_kwargs)
            if node is None:
                # Known from a redirection only, or gone: connecting tells.
                host, _, port = name.rpartition(":")
                kwargs |= {"host": host, "port": int(port)}
            kwargs["retry"] = Retry(NoBackoff(), 0)
            return cast(AbstractConnection, cluster.get_default_node().connection_class(**kwargs))

        return connect

    def _confirmation(self) -> tuple[bytes, Callable[[Reply], BaseException | None]] | None:
        options = self.options
        if not options.replicas and not options.fsync:
            return None
        wait_ms = int(options.replica_timeout * 1000)
        words = ("WAITAOF", 1, options.replicas) if options.fsync else ("WAIT", options.replicas)
        command = pack(*words, wait_ms)

        def check(reply: Reply) -> BaseException | None:
            if isinstance(reply, Exception):
                return translate(reply, self.place)
            local, acknowledged = reply if isinstance(reply, list) else (1, reply)
            if acknowledged >= options.replicas and local >= 1:
                return None
            return NotReplicatedError(
                f"written, but {acknowledged} of {options.replicas} replicas acknowledged it within "
                f"{options.replica_timeout:g} s: repeat it with the same ids"
            )

        return command, check
