"""The real command, in processes of its own, with an environment that holds nothing but what a test gives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from .terminal import Terminal

Clew: TypeAlias = Callable[..., "subprocess.CompletedProcess[str]"]
OWNER = "ada"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A SQLite file of the test's own."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def environment(tmp_path: Path, url: str) -> dict[str, str]:
    """The whole environment of a command; a test may change it."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "CLEW_URL": url,
        "CLEW_OWNER": OWNER,
    }


@pytest.fixture
def clew(environment: dict[str, str], tmp_path: Path) -> Clew:
    """`clew(*words)`: run the command to its end."""

    def run(*words: str, given: str | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "clew.cli", *words],
            env=environment | variables,
            cwd=tmp_path,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    return run


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """`terminal(*words)`: the command on a terminal; whatever still runs after the test is killed."""
    opened: list[Terminal] = []

    def start(*words: str, **variables: str) -> Terminal:
        command = [sys.executable, "-m", "clew.cli", *words]
        made = Terminal(command, env=environment | {"TERM": "xterm-256color"} | variables, cwd=tmp_path)
        opened.append(made)
        return made

    yield start
    for each in opened:
        each.close()


def told(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the one JSON object on standard error."""
    import json

    return json.loads(done.stderr)
