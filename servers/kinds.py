"""The kinds of servers that everything is tested on, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from .binaries import find, find_modules
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

_FOR_PEERS: Final[dict[str, Callable[[], Running]]] = {
    "redis-stack": lambda: Server(find("redis-8.2"), modules=find_modules()),
}
FOR_PEERS: Final = tuple(_FOR_PEERS)
"""Kinds that other libraries need and clew does not: nothing of clew is tested on each of them."""


def start(kind: str) -> Running:
    """Start a server of this kind, one of KINDS or FOR_PEERS, and return it when it answers.

    Raises:
        MissingBinaryError: its program is not on this machine.
        StartError: it did not start; the message has its output.
    """
    makers = _MAKERS | _FOR_PEERS
    if kind not in makers:
        raise ValueError(f"unknown kind of server {kind!r}: use one of {', '.join(makers)}")
    return makers[kind]().start()
