"""What every connection is opened with, whatever the URL says."""

from __future__ import annotations

from inspect import signature
from typing import Any, Final

from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import Connection

ALWAYS: Final[dict[str, Any]] = {"socket_timeout": None, "socket_keepalive": True, "protocol": 2}
"""Arguments of a connection of redis-py. Later versions of it (7.1) would read the name that they tell the server from the files
of their installation for each connection anew, which takes longer than to connect."""

if "driver_info" in signature(RedisCluster).parameters:
    ALWAYS["driver_info"] = Connection().driver_info
