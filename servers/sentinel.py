"""A primary with replicas, watched by sentinels that know each other from the start."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from types import TracebackType

from .binaries import Binary
from .process import wait_until
from .standalone import Server

MASTER = "mymaster"


class Sentry(Server):
    """One sentinel process."""

    def __init__(self, binary: Binary) -> None:
        super().__init__(binary)
        self.identity = secrets.token_hex(20)
        self.watch: list[str] = []

    def _arguments(self) -> Sequence[str]:
        return ("--sentinel",)

    def _lines(self) -> list[str]:
        folder = self.process.folder
        return [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"unixsocket {self.path}",
            f"dir {folder}",
            f"sentinel myid {self.identity}",
            *self.watch,
        ]


class Sentinel:
    """One primary, its replicas, and the sentinels.

    Args:
        binary: the program, from `binaries.find`; run with `--sentinel` it is a sentinel.
        down_after_ms: after how long a silent primary counts as down; a failover takes about that and a second or two more.
        durable: as for Server.
    """

    def __init__(
        self, binary: Binary, *, replicas: int = 1, sentinels: int = 3, down_after_ms: int = 10_000, durable: bool = False
    ) -> None:
        options = {"repl-ping-replica-period": "1"}
        self.servers = [Server(binary, durable=durable, options=options) for _ in range(1 + replicas)]
        self.sentinels = [Sentry(binary) for _ in range(sentinels)]
        self._down_after_ms = down_after_ms

    @property
    def url(self) -> str:
        """The URL to open it with; it names every sentinel."""
        return f"redis+sentinel://{','.join(sentry.address for sentry in self.sentinels)}/{MASTER}/0"

    def start(self) -> Sentinel:
        """Start everything, and wait until the replicas are in sync and every sentinel knows the others."""
        try:
            primary, *replicas = [server.start() for server in self.servers]
            for replica in replicas:
                replica.follow(primary)
            wait_until(lambda: all(self.in_sync(replica) for replica in replicas), "the replicas to be in sync")
            for sentry in self.sentinels:
                sentry.reserve()
            for sentry in self.sentinels:
                # Each is told of the others: nobody waits for their greetings, which come every two seconds.
                sentry.watch = self._watch(primary, replicas, [other for other in self.sentinels if other is not sentry])
                sentry.start()
            wait_until(self._met, "the sentinels to know each other")
        except BaseException:
            self.stop()
            raise
        return self

    def _watch(self, primary: Server, replicas: Sequence[Server], others: Sequence[Sentry]) -> list[str]:
        quorum = len(self.sentinels) // 2 + 1
        return [
            f"sentinel monitor {MASTER} 127.0.0.1 {primary.port} {quorum}",
            f"sentinel down-after-milliseconds {MASTER} {self._down_after_ms}",
            f"sentinel failover-timeout {MASTER} 3000",
            *(f"sentinel known-replica {MASTER} 127.0.0.1 {replica.port}" for replica in replicas),
            *(f"sentinel known-sentinel {MASTER} 127.0.0.1 {other.port} {other.identity}" for other in others),
        ]

    def _met(self) -> bool:
        line = f"slaves={len(self.servers) - 1},sentinels={len(self.sentinels)}"
        return all(f"status=ok,address={self.servers[0].address},{line}" in _raw_info(sentry) for sentry in self.sentinels)

    @staticmethod
    def in_sync(replica: Server) -> bool:
        """Whether this replica has its primary's data."""
        return replica.info("replication").get("master_link_status") == "up"

    @property
    def primary(self) -> Server:
        """The server that the sentinels call the primary now."""
        answer = self.sentinels[0].keep_control().execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)  # type: ignore[no-untyped-call]
        if not isinstance(answer, tuple | list):
            raise RuntimeError("the sentinels know no primary")
        return next(server for server in self.servers if server.port == int(answer[1]))

    def stop(self) -> None:
        """Kill everything, and remove the folders."""
        for server in (*self.sentinels, *self.servers):
            server.stop()

    def __enter__(self) -> Sentinel:
        return self if self.servers[0]._process is not None else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _raw_info(sentry: Server) -> str:
    with sentry.control() as client:
        connection = client.connection_pool.get_connection()
        try:
            connection.send_command("INFO", "sentinel")
            return str(connection.read_response())
        finally:
            client.connection_pool.release(connection)
