"""Whether a store has runs at all."""

from __future__ import annotations

from ...backend import Backend, Running
from ...errors import UnsupportedError


def need_running(backend: Backend) -> Running:
    """Return the backend as one that keeps runs, or raise UnsupportedError."""
    if isinstance(backend, Running):
        return backend
    raise UnsupportedError("this store keeps no runs: use another one, or make answers within their requests")
