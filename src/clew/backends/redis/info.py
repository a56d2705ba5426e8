"""What a server says of itself by INFO, and whether clew can use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ...errors import UnsupportedError
from .options import Options
from .requests import Reply

OLDEST: Final = (6, 2)
"""The oldest Redis whose commands clew uses."""
FSYNC_SINCE: Final = (7, 2)
"""The Redis from which on WAITAOF is there."""


def parse_info(reply: Reply) -> dict[str, str]:
    """Return what INFO said, by name."""
    lines = (line.partition(":") for line in reply.decode().splitlines() if ":" in line)
    return {name: value for name, _, value in lines}


def version_of(info: Mapping[str, str]) -> tuple[int, ...]:
    """Return the Redis version whose commands the server has; Valkey names the one it is compatible with."""
    return tuple(int(part) for part in info.get("redis_version", "0").split(".") if part.isdecimal())


def check_server(info: Mapping[str, str], options: Options, place: str) -> None:
    """Raise UnsupportedError where the server is too old for clew or its options, or of another kind than the URL says."""
    version, found = version_of(info), info.get("redis_version", "an unknown version")
    if version[:2] < OLDEST:
        raise UnsupportedError(f"{place} is Redis {found}: clew needs 6.2 or later")
    if info.get("redis_mode") == "sentinel":
        raise UnsupportedError(f"{place} is a sentinel: use redis+sentinel:// in the URL")
    if options.topology != "cluster" and info.get("cluster_enabled") == "1":
        raise UnsupportedError(f"{place} is a node of a cluster: use redis+cluster:// in the URL")
    if options.fsync and version < FSYNC_SINCE:
        raise UnsupportedError(f"{place} is Redis {found}: fsync=true needs WAITAOF, from 7.2")
