"""A service in processes of its own, on a real port; started, ended, killed and started again on the same one."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2

TOP = Path(__file__).resolve().parents[2]
READY_S = 40.0
JSON = Any
"""What a reply holds; a test looks into it."""


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


class Service:
    """`python -m uvicorn tests.service.scripted:app`, and a client of it."""

    def __init__(self, url: str, folder: Path, *, app: str = "tests.service.scripted:app", workers: int = 1) -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.http = httpx2.AsyncClient(base_url=self.base, timeout=30)
        self._words = ["-m", "uvicorn", app, "--port", str(self.port), "--log-level", "warning", "--workers", str(workers)]
        if workers > 1:
            # A test stops workers for a moment, and this machine may be busy: neither is a reason to end one.
            self._words += ["--timeout-worker-healthcheck", "60"]
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("CLEW_", "REDIS_", "OPENAI_", "AZURE_"))}
        files = folder / "files"
        self._env = {
            **kept,
            "CLEW_URL": url,
            "CLEW_OWNER": "ada",
            "CLEW_AUTH": "none",
            "CLEW_FILES_URL": files.as_uri(),
            "CLEW_MODEL": "local",
        }
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self, **env: str) -> None:
        """Start it, and do not wait."""
        with (self._folder / "service.log").open("ab") as log:
            command = [sys.executable, *self._words]
            self.process = subprocess.Popen(
                command, cwd=TOP, env={**self._env, **env}, stdout=log, stderr=log, start_new_session=True
            )

    async def start(self, **env: str) -> None:
        """Start it, and return when it is ready."""
        self.spawn(**env)
        await self.wait_ready()

    async def wait_ready(self) -> None:
        """Return when it takes requests."""
        assert self.process is not None
        async with asyncio.timeout(READY_S):
            while not await self.is_ready():
                assert self.process.poll() is None, self.log()
                await asyncio.sleep(0.05)

    async def is_ready(self) -> bool:
        """Tell whether it takes requests."""
        try:
            return (await self.http.get("/readyz")).status_code == 200
        except httpx2.TransportError:
            return False

    def log(self) -> str:
        """Return what it has written."""
        return (self._folder / "service.log").read_text()

    def kill(self) -> None:
        """End all its processes as a crash does."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    async def terminate(self) -> None:
        """Tell it to end, and wait until it has."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self.process.wait, 20)

    def close(self) -> None:
        """End it, whatever it does; what it says of that is in its log."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(8)
            self.kill()

    def alone(self) -> httpx2.AsyncClient:
        """Return a client with connections of its own, as another computer has."""
        return httpx2.AsyncClient(base_url=self.base, timeout=60)

    def client(self) -> Service:
        """Return the same service with a client for the event loop of one test."""
        same = copy.copy(self)
        same.http = httpx2.AsyncClient(base_url=self.base, timeout=30)
        return same

    # -- what a client asks -------------------------------------------------------------------------------------------

    async def ask(self, type: str, **params: JSON) -> httpx2.Response:
        """Send a ChatKit request, and return its whole response."""
        return await self.http.post("/chatkit", json={"type": type, "params": params})

    async def begin(self, text: str, thread: str | None = None) -> tuple[str, str]:
        """Say something, leave the response, and return the thread's id and the run's."""
        params = {"input": says(text)} if thread is None else {"thread_id": thread, "input": says(text)}
        kind = "threads.create" if thread is None else "threads.add_user_message"
        body = {"type": kind, "params": params}
        async with self.alone() as http, http.stream("POST", "/chatkit", json=body) as response:
            assert response.status_code == 200, await response.aread()
            return response.headers["clew-thread"], response.headers["clew-run"]

    async def items(self, thread: str) -> list[JSON]:
        """Return a thread's items, oldest first."""
        found: list[JSON] = (await self.ask("items.list", thread_id=thread, limit=200, order="asc", after=None)).json()["data"]
        return found

    async def standing(self, thread: str) -> JSON:
        """Return how a thread stands."""
        return (await self.http.get(f"/api/v1/threads/{thread}/runs/active")).json()

    @contextlib.asynccontextmanager
    async def events(self, thread: str, run: str, after: str | None = None) -> AsyncIterator[AsyncIterator[JSON]]:
        """Follow a run: yields events as `{"id", "event", "data"}`."""
        headers = {} if after is None else {"last-event-id": after}
        where = f"/api/v1/threads/{thread}/runs/{run}/events"
        async with self.alone() as http, http.stream("GET", where, headers=headers) as response:
            assert response.status_code == 200, await response.aread()
            yield read_events(response)


async def read_events(response: httpx2.Response) -> AsyncIterator[JSON]:
    """Yield the events of a response, comments left out."""
    event: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, text = line.partition(": ")
            if name:
                event[name] = text
            continue
        if "data" in event:
            yield {"id": event.get("id"), "event": event.get("event", "frame"), "data": json.loads(event["data"])}
        event = {}


def says(text: str, attachments: list[str] | None = None) -> JSON:
    """Return the input of a person's message."""
    content = [{"type": "input_text", "text": text}]
    return {"content": content, "attachments": attachments or [], "quoted_text": None, "inference_options": {}}


def text_of(item: JSON) -> str:
    """Return the text of a message."""
    return "".join(part["text"] for part in item["content"])


def answers_of(items: list[JSON]) -> list[str]:
    """Return the texts of the assistant's messages."""
    return [text_of(item) for item in items if item["type"] == "assistant_message"]
