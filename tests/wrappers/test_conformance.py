"""The whole suite on a store in memory that is encrypted, compressed and seen, and that of values where these are encrypted."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from clew.conformance import ValuesSuite
from clew.conformance.everything import *  # noqa: F403 - the suites, on the store of the fixture below

SECRET = "encryption_secret=" + quote(f"new:{base64.b64encode(bytes(range(32))).decode()}", safe="")
ALL = f"memory://?{SECRET}&compress=1&encryption_plain=refuse&metrics=on&tracing=on"


@pytest.fixture
def store_url() -> str:
    """A store in memory, around which all wrappers stand but the journal: whatever one of them breaks is broken here."""
    return ALL


class TestEncryptedValues(ValuesSuite):
    """Literal values, where these are encrypted too."""

    @pytest.fixture
    def store_url(self) -> str:
        """The same, and values encrypted."""
        return f"{ALL}&encryption_values=yes"
