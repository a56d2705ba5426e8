"""The keys that a test left on a shared server: what it made is dropped through clew, and nothing may stay after that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

from clew.backend import Listing
from clew.records import Partition
from clew.schemes import open_backend
from servers import Cluster, Running, Sentinel, Server


def data_servers(running: Running) -> list[Server]:
    """Return the servers that take writes."""
    if isinstance(running, Server):
        return [running]
    if isinstance(running, Sentinel):
        return [running.primary]
    return [node for node in running.nodes if node.process.pid and _role(node) == "master"]


def _role(node: Server) -> str:
    return str(node.keep_control().execute_command("ROLE")[0])  # type: ignore[no-untyped-call]


def list_keys(running: Running, pattern: str = "*") -> dict[str, int]:
    """Return each key that matches, and its time to live in milliseconds (-1: it does not expire)."""
    found: dict[str, int] = {}
    for server in data_servers(running):
        client = server.keep_control()
        keys = list(client.scan_iter(pattern, count=1000))
        if keys:
            pipeline = client.pipeline(transaction=False)
            for key in keys:
                pipeline.pttl(key)
            found |= {str(key): int(ttl) for key, ttl in zip(keys, pipeline.execute(), strict=True)}
    return {key: ttl for key, ttl in found.items() if ttl != -2}


def partitions_of(keys: Iterable[str]) -> set[Partition]:
    """Return the partitions that have a key among these."""
    tags = {key.partition("{")[2].partition("}")[0] for key in keys}
    return {Partition(unquote(owner), unquote(name)) for owner, slash, name in (tag.partition("/") for tag in tags) if slash}


def owners_of(keys: Iterable[str]) -> set[str]:
    """Return the owners that have a listing among these keys."""
    tags = {key.partition("{")[2].partition("}")[0] for key in keys}
    return {unquote(tag) for tag in tags if tag and "/" not in tag}


def sweep(running: Running, url: str, namespace: str) -> list[str]:
    """Drop every partition in the namespace through clew, remove what is left, and return the keys that should not have been."""
    left = list_keys(running, f"{namespace}:*")
    if left:
        # A thread of its own: the test's event loop is nobody else's to run.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(_drop(url, partitions_of(left), owners_of(left)))).result()
        dropped = {(partition.owner, partition.name) for partition in partitions_of(left)}
        left = {key: ttl for key, ttl in list_keys(running, f"{namespace}:*").items() if not _aging(running, key, dropped)}
    for server in data_servers(running):
        server.keep_control().flushall()
    return sorted(key for key, ttl in left.items() if ttl == -1)


def _aging(running: Running, key: str, dropped: set[tuple[str, str]]) -> bool:
    """Whether this is a listing with only lines of what expired: they go when they are old. Of what was dropped none may stay."""
    owners = owners_of([key])
    if not owners:
        return False
    server = running.primary_of(key) if isinstance(running, Cluster) else data_servers(running)[0]
    with server.control() as client:
        names = [unquote(str(name)) for name in client.zrange(key, 0, -1)]
    return all((owner, name) not in dropped for owner in owners for name in names)


async def _drop(url: str, partitions: Iterable[Partition], owners: Iterable[str]) -> None:
    backend = await open_backend(url)
    assert isinstance(backend, Listing)
    try:
        for partition in sorted(partitions):
            await backend.drop(partition, tombstone_ms=1)
        for owner in sorted(owners):
            assert list(await backend.list(owner)) == []
    finally:
        await backend.aclose()
