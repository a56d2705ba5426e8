"""The judge in a process of its own: pytest loads this by `-p`, and each outcome goes out as a line of JSON."""

from __future__ import annotations

import os
import sys

import msgspec
import pytest

from .judging import MARK, URL_VARIABLE, Judge, Outcome


def pytest_configure(config: pytest.Config) -> None:
    """Take the URL from the environment, away from whatever the tests start."""
    config.pluginmanager.register(Judge(os.environ.pop(URL_VARIABLE), _tell), "clew-judge")


def _tell(outcome: Outcome) -> None:
    sys.stdout.buffer.write(MARK + msgspec.json.encode(outcome) + b"\n")
    sys.stdout.buffer.flush()
