"""The suite for erasing owners, on one engine of each kind; `tests/store/test_forgetting.py` goes on from there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clew.conformance import ErasingSuite


@pytest.fixture(params=["memory", "cluster-1"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """Where the store is."""
    return url_of(request.param)


class TestErasing(ErasingSuite):
    """Erasing an owner."""
