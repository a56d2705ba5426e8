"""Real servers for tests and benchmarks: subprocesses on free loopback ports, gone when their owner is gone.

    with servers.start("redis-8.2") as server:
        ...server.url...

`KINDS` has the names, and `FOR_PEERS` those of kinds that only other libraries need.
Nothing here is shipped, and nothing needs root, Docker or a network.
"""

from __future__ import annotations

from .binaries import Binary, MissingBinaryError, find, find_modules
from .cluster import Cluster
from .kinds import FOR_PEERS, KINDS, Running, start
from .s3 import ObjectServer
from .sentinel import Sentinel
from .standalone import Server

__all__ = [
    "FOR_PEERS",
    "KINDS",
    "Binary",
    "Cluster",
    "MissingBinaryError",
    "ObjectServer",
    "Running",
    "Sentinel",
    "Server",
    "find",
    "find_modules",
    "start",
]
