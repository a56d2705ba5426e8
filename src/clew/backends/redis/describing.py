"""What a person at a terminal wants to know about a Redis store: what the server is, and what it does when it is full or dies.

It asks one primary. What the user's rights do not let it see is None.
"""

from __future__ import annotations

from ...errors import DeniedError, UnsupportedError
from .base import RedisBase
from .client import Client
from .info import parse_info
from .requests import pack

Fact = str | int | float | bool | None


class DescribeVerbs(RedisBase):
    """Describing."""

    async def describe(self) -> dict[str, Fact]:
        """See Describing.describe; sizes are bytes."""
        client = await self._client()
        servers = client.primaries()
        info = parse_info(await client.call_server(servers[0], pack("INFO")))
        valkey = info.get("valkey_version")
        limit = int(info.get("maxmemory", "0"))
        options = self.options
        return {
            "engine": f"Valkey {valkey}" if valkey else f"Redis {info.get('redis_version', 'of an unknown version')}",
            "topology": f"cluster of {len(servers)} primaries" if options.topology == "cluster" else options.topology,
            "role": {"master": "primary", "slave": "replica"}.get(info.get("role", "")),
            "replicas": int(info.get("connected_slaves", "0")),
            "persistence": await _persistence(client, servers[0], info),
            "last snapshot": info.get("rdb_last_bgsave_status"),
            **({"last append-only write": info.get("aof_last_write_status")} if info.get("aof_enabled") == "1" else {}),
            "eviction policy": info.get("maxmemory_policy"),
            "evicted keys": int(info.get("evicted_keys", "0")),
            "memory used": int(info.get("used_memory", "0")),
            "most memory": limit or "no limit",
            "connected clients": int(info.get("connected_clients", "0")),
            "namespace": options.namespace,
            "time-out": f"{options.timeout:g} s; {options.connect_timeout:g} s to connect",
            "a write waits for": _confirmation(options.replicas, options.fsync),
        }


async def _persistence(client: Client, server: str, info: dict[str, str]) -> str | None:
    if info.get("aof_enabled") == "1":
        fsync = await _setting(client, server, "appendfsync")
        return "append-only file" if fsync is None else f"append-only file, appendfsync {fsync}"
    save = await _setting(client, server, "save")
    if save is None:
        return None
    return f"snapshots only, save {save}: a crash loses what came after the last one" if save else "none"


async def _setting(client: Client, server: str, name: str) -> str | None:
    try:
        reply = await client.call_server(server, pack("CONFIG", "GET", name))
    except (DeniedError, UnsupportedError):
        # A hosted server may not have the command at all.
        return None
    return reply[1].decode() if reply else None


def _confirmation(replicas: int, fsync: bool) -> str:
    waits = [f"{replicas} replica{'s' if replicas > 1 else ''}"] if replicas else []
    waits += ["its own disk"] if fsync else []
    return " and ".join(waits) or "the primary's answer"
