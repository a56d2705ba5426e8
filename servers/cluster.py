"""A cluster of one node, or of several primaries with a replica each, built with plain CLUSTER commands."""

from __future__ import annotations

from types import TracebackType

from .binaries import Binary
from .process import wait_until
from .standalone import Server

_SLOTS = 16_384


class Cluster:
    """`primaries` nodes that share the slots, and `replicas` nodes for each of them.

    Args:
        binary: the program, from `binaries.find`.
        node_timeout_ms: after how long a silent node counts as failing; a failover takes about that and a second more.
        durable: as for Server.
    """

    def __init__(
        self, binary: Binary, primaries: int = 1, replicas: int = 0, *, node_timeout_ms: int = 10_000, durable: bool = False
    ) -> None:
        options = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": str(node_timeout_ms),
            "cluster-replica-validity-factor": "0",
            "repl-ping-replica-period": "1",
        }
        self.primaries = [Server(binary, durable=durable, options=options) for _ in range(primaries)]
        self.replicas = [Server(binary, durable=durable, options=options) for _ in range(primaries * replicas)]

    @property
    def nodes(self) -> list[Server]:
        """Every server, those that began as primaries first."""
        return [*self.primaries, *self.replicas]

    @property
    def url(self) -> str:
        """The URL to open it with; it names every node, so that it works when one is down."""
        return f"redis+cluster://{','.join(node.address for node in self.nodes)}"

    def start(self) -> Cluster:
        """Start the nodes, make them one cluster, and wait until every node sees it whole and every replica is in sync."""
        try:
            for node in self.nodes:
                node.start()
            self._join()
            self.await_whole()
        except BaseException:
            self.stop()
            raise
        return self

    def _join(self) -> None:
        size = len(self.primaries)
        for index, node in enumerate(self.primaries):
            first, last = _SLOTS * index // size, _SLOTS * (index + 1) // size - 1
            if node.binary.version >= (7,):
                node.call("CLUSTER", "ADDSLOTSRANGE", first, last)
            else:
                node.call("CLUSTER", "ADDSLOTS", *range(first, last + 1))
        for index, node in enumerate(self.nodes):
            node.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            if index:
                node.call("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        for node in self.nodes:
            wait_until(lambda node=node: self._known_to(node) == len(self.nodes), "the nodes to meet")  # type: ignore[misc]
        for index, replica in enumerate(self.replicas):
            replica.call("CLUSTER", "REPLICATE", str(self.primaries[index % size].call("CLUSTER", "MYID")))

    def _known_to(self, node: Server) -> int:
        lines = str(_raw(node, "NODES")).splitlines()
        return sum(1 for line in lines if "handshake" not in line and "noaddr" not in line)

    def await_whole(self, timeout: float = 20) -> None:
        """Wait until every node that runs sees all slots served, and every replica that runs is in sync."""

        def whole() -> bool:
            for node in self.nodes:
                if not node.process.pid:
                    continue
                if "cluster_state:ok" not in _raw(node, "INFO"):
                    return False
                role = node.info("replication")
                if role["role"] == "slave" and role["master_link_status"] != "up":
                    return False
                if node in self.replicas and self.primaries[0].process.pid and not self._settled(node):
                    return False
            return True

        wait_until(whole, "the cluster to be whole", timeout)

    def _settled(self, replica: Server) -> bool:
        """Whether every running node knows of this one's role."""
        role = "slave" if replica.info("replication")["role"] == "slave" else "master"
        identity = str(replica.call("CLUSTER", "MYID"))
        running = [node for node in self.nodes if node.process.pid]
        return all(
            any(line.startswith(identity) and role in line.split()[2] for line in _raw(node, "NODES").splitlines())
            for node in running
        )

    def primary_of(self, key: str, *, besides: Server | None = None) -> Server:
        """Return the server that serves this key now, as a running node other than `besides` says."""
        asked = next(node for node in self.nodes if node.process.pid and node is not besides)
        slot = int(str(asked.call("CLUSTER", "KEYSLOT", key)))
        for line in _raw(asked, "NODES").splitlines():
            fields = line.split()
            for span in fields[8:]:
                first, _, last = span.partition("-")
                if first.isdigit() and int(first) <= slot <= int(last or first):
                    port = int(fields[1].partition("@")[0].rpartition(":")[2])
                    return next(node for node in self.nodes if node.port == port)
        raise RuntimeError(f"nobody serves slot {slot}")

    def move_slot(self, key: str, target: Server) -> None:
        """Move the slot of this key to another primary, as `redis-cli --cluster reshard` does."""
        source = self.primary_of(key)
        slot = int(str(source.call("CLUSTER", "KEYSLOT", key)))
        source_id, target_id = str(source.call("CLUSTER", "MYID")), str(target.call("CLUSTER", "MYID"))
        target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        with source.control() as client:
            while keys := client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 10):
                for one in keys:
                    client.execute_command("MIGRATE", "127.0.0.1", target.port, one, 0, 5000)
        target.call("CLUSTER", "SETSLOT", slot, "NODE", target_id)
        source.call("CLUSTER", "SETSLOT", slot, "NODE", target_id)

    def stop(self) -> None:
        """Kill every node, and remove their folders."""
        for node in self.nodes:
            node.stop()

    def __enter__(self) -> Cluster:
        return self if self.nodes[0]._process is not None else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _raw(node: Server, subcommand: str) -> str:
    # redis-py parses the answers of CLUSTER NODES and INFO into dicts whose shape changes between its versions.
    with node.control() as client:
        connection = client.connection_pool.get_connection()
        try:
            connection.send_command("CLUSTER", subcommand)
            return str(connection.read_response())
        finally:
            client.connection_pool.release(connection)
