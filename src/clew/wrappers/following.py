"""Leaving what an inner backend follows, when whoever follows the wrapper leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Any


def leaving(source: AsyncIterator[Any]) -> AbstractAsyncContextManager[Any]:
    """Return a context that closes the iterator at its end, where it can be closed."""
    return aclosing(source) if hasattr(source, "aclose") else nullcontext()
