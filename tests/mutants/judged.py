"""Every suite on a mutant, in a process of its own.

CLEW_MUTANT names it ("none" for the sound backend), and CLEW_MUTANT_URL its store.
"""

from __future__ import annotations

import os

import pytest

from clew.conformance.everything import *  # noqa: F403 - the suites, on the store of the fixture below

from .mutants import MUTANTS

if os.environ["CLEW_MUTANT"] != "none":
    MUTANTS[os.environ["CLEW_MUTANT"]].plant()


@pytest.fixture
def store_url() -> str:
    """The store of the mutant."""
    return os.environ["CLEW_MUTANT_URL"]
