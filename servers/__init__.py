"""Real servers for tests and benchmarks: subprocesses on free loopback ports, gone when their owner is gone.

    with servers.start("redis-8.2") as server:
        ...server.url...

`KINDS` has the names. Nothing here is shipped, and nothing needs root, Docker or a network.
"""

from __future__ import annotations

from .binaries import Binary, MissingBinaryError, find
from .cluster import Cluster
from .kinds import KINDS, Running, start
from .s3 import ObjectServer
from .sentinel import Sentinel
from .standalone import Server

__all__ = ["KINDS", "Binary", "Cluster", "MissingBinaryError", "ObjectServer", "Running", "Sentinel", "Server", "find", "start"]
