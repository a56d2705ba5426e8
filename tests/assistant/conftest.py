"""What the tests of the assistant open is closed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .models import OPENED


@pytest.fixture(autouse=True)
async def _models_are_closed() -> AsyncIterator[None]:
    yield
    while OPENED:
        await OPENED.pop().aclose()
