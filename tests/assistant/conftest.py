"""The local model as a server that speaks OpenAI's API, started once for the tests that need its words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from clew.assistant.local_model import find_weights, is_installed

from .models import OPENED


@pytest.fixture(autouse=True)
async def _models_are_closed() -> AsyncIterator[None]:
    yield
    while OPENED:
        await OPENED.pop().aclose()


@pytest.fixture(scope="session")
def llama_url(_nothing_left_behind: None) -> Iterator[str]:
    """The URL of llama.cpp's own server with the local model."""
    if not is_installed():
        pytest.fail("the extra local-model is not installed")
    command = [sys.executable, "-m", "clew.assistant.local_model", str(find_weights())]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        words = process.stdout.readline().decode().split()
        assert words[0] == "listening"
        yield words[1]
        process.stdin.close()
        process.wait(timeout=20)
