"""The servers that the tests stand on: they start, come back, and go away with their owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import redis

import servers
from servers import Cluster, Sentinel, Server, process
from tests.conftest import Pool


def test_every_kind_starts_and_answers(pool: Pool) -> None:
    for kind in ("redis-6.2", "redis-8.2", "valkey-9.1"):
        running = pool.get(kind)
        assert isinstance(running, Server)
        assert running.call("PING") is True


def test_a_redis_stack_keeps_json_and_searches_it(pool: Pool) -> None:
    stack = pool.get("redis-stack")
    assert isinstance(stack, Server)
    stack.call("FT.CREATE", "found", "ON", "JSON", "PREFIX", 1, "doc:", "SCHEMA", "$.a", "AS", "a", "TAG")
    try:
        stack.call("JSON.SET", "doc:1", "$", '{"a": "x"}')
        process.wait_until(lambda: "doc:1" in str(stack.call("FT.SEARCH", "found", "@a:{x}")), "the index")
    finally:
        stack.call("FT.DROPINDEX", "found", "DD")


def test_a_cluster_of_three_has_its_replicas_in_sync(pool: Pool) -> None:
    cluster = pool.get("cluster-3")
    assert isinstance(cluster, Cluster)
    assert [node.info("replication")["connected_slaves"] for node in cluster.primaries] == [1, 1, 1]
    assert {cluster.primary_of(key) for key in "abcdefgh"} == set(cluster.primaries)


def test_every_sentinel_knows_the_primary(pool: Pool) -> None:
    sentinel = pool.get("sentinel")
    assert isinstance(sentinel, Sentinel)
    assert sentinel.primary is sentinel.servers[0]


def test_a_durable_server_keeps_its_data_over_a_kill_and_its_port() -> None:
    with Server(servers.find("redis-6.2"), durable=True) as server:
        port = server.port
        server.call("SET", "a", "1")
        server.kill()
        with pytest.raises(redis.ConnectionError):
            server.call("PING")
        server.restart()
        assert server.port == port
        assert server.call("GET", "a") == "1"


def test_a_failed_start_tells_what_the_server_said() -> None:
    with pytest.raises(process.StartError, match="no-such-option"):
        Server(servers.find("redis-8.2"), options={"no-such-option": "1"}).start()


def test_a_server_dies_with_the_process_that_started_it() -> None:
    program = "import servers, time; s = servers.start('redis-8.2'); print(s.process.pid, flush=True); time.sleep(60)"
    root = Path(servers.__file__).parent.parent
    owner = subprocess.Popen([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        pid = int(owner.stdout.readline())
    os.kill(pid, 0)
    owner.send_signal(signal.SIGKILL)
    owner.wait()

    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"

    process.wait_until(gone, "the server to go with its owner")
    process.remove_orphans()
    assert list(Path(tempfile.gettempdir()).glob(f"clew-server-{owner.pid}-*")) == []


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        servers.start("redis-9")
