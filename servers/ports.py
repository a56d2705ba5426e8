"""Loopback ports that two test runs do not give out twice.

They lie below the ephemeral range, so that no client's own port, nor a connection of a port to itself, takes the place of
a server that is down. The port 10,000 above is free too: a cluster's bus wants it. A server may still lose the race
against a foreign program: whoever starts one tries again with another port.
"""

from __future__ import annotations

import random
import socket
import sys
from typing import Final

BUS_OFFSET: Final = 10_000
_FIRST, _LAST = 11_000, 20_999
_chance = random.SystemRandom()


class Port:
    """A reserved port: nobody else who asks here gets it until `release`, or until this process ends."""

    def __init__(self, number: int, lock: socket.socket | None) -> None:
        self.number = number
        self._lock = lock

    def release(self) -> None:
        """Give it back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def reserve() -> Port:
    """Return a port that is free now, reserved for this process."""
    for _ in range(1000):
        number = _chance.randint(_FIRST, _LAST)
        lock: socket.socket | None = None
        try:
            if sys.platform == "linux":
                # An abstract name is no file, and goes away with its process however that ends.
                lock = socket.socket(socket.AF_UNIX)
                lock.bind(f"\0clew-port-{number}")
            for candidate in (number, number + BUS_OFFSET):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", candidate))
        except OSError:
            if lock is not None:
                lock.close()
            continue
        return Port(number, lock)
    raise RuntimeError(f"no free port between {_FIRST} and {_LAST}")
