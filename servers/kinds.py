"""The kinds of servers that everything is tested on, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from .binaries import find
from .cluster import Cluster
from .sentinel import Sentinel
from .standalone import Server

Running: TypeAlias = Server | Cluster | Sentinel
"""What `start` gives: each has `.url` and `.stop()`, and is a context manager."""

_MAKERS: Final[dict[str, Callable[[], Running]]] = {
    "redis-6.2": lambda: Server(find("redis-6.2")),
    "redis-8.2": lambda: Server(find("redis-8.2")),
    "valkey-9.1": lambda: Server(find("valkey-9.1")),
    "redis-8.2-tls": lambda: Server(find("redis-8.2"), tls=True),
    "redis-7.0-tls": lambda: Server(find("redis-7.0"), tls=True),
    "cluster-1": lambda: Cluster(find("redis-8.2")),
    "cluster-3": lambda: Cluster(find("valkey-9.1"), primaries=3, replicas=1),
    "sentinel": lambda: Sentinel(find("redis-8.2")),
}
KINDS: Final = tuple(_MAKERS)
"""The names, the quickest to start first."""


def start(kind: str) -> Running:
    """Start a server of this kind, one of KINDS, and return it when it answers.

    Raises:
        MissingBinaryError: its program is not on this machine.
        StartError: it did not start; the message has its output.
    """
    if kind not in _MAKERS:
        raise ValueError(f"unknown kind of server {kind!r}: use one of {', '.join(KINDS)}")
    return _MAKERS[kind]().start()
