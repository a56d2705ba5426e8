"""The servers of a session, started when first asked for, and the checks that nothing is left behind."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import clew
import servers
from clew.assistant.local_model import find_weights, is_installed
from clew.ids import new_id
from servers import process

from .keyspace import sweep
from .support import do_without, find_program, with_options

WHERE_INSTALLED = ("redis-7.0-tls",)
"""Kinds that no wheel brings: skipped where they are missing, in CI too."""


def pytest_collection() -> None:
    """Search for no garbage while the modules and tests are made, which stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave them out of every later search: those that tests demand would take most of a second each."""
    gc.collect()
    gc.freeze()
    gc.enable()


class Pool:
    """At most one server of each kind, for the whole session. A test leaves it up, and empty."""

    def __init__(self) -> None:
        self._running: dict[str, servers.Running] = {}

    def get(self, kind: str) -> servers.Running:
        """Return the server of this kind, one of `servers.KINDS`. A missing program skips the test, and fails it in CI."""
        if kind not in self._running:
            try:
                self._running[kind] = servers.start(kind)
            except servers.MissingBinaryError as error:
                do_without(error, optional=kind in WHERE_INSTALLED)
        return self._running[kind]

    def stop(self) -> None:
        """Stop them all."""
        for running in self._running.values():
            running.stop()


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """After everything else of the session: no server, no folder of one, and no child process is left."""
    yield
    assert [str(left.folder) for left in process.running()] == []
    assert list(Path(tempfile.gettempdir()).glob(f"{process.PREFIX}*")) == []
    assert _children() == []


def _children() -> list[str]:
    """Return the command lines of this process's children (where there is a /proc)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid() and "resource_tracker" not in command:
            found.append(f"{folder.name} {command}")
    return found


@pytest.fixture(scope="session")
def pool(_nothing_left_behind: None) -> Iterator[Pool]:
    """The session's servers, by kind."""
    made = Pool()
    yield made
    made.stop()


@pytest.fixture
def url_of(pool: Pool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """`url_of(kind, **options)`: the URL of a store of this test's own.

    It is `memory`, `sqlite` (the test's file), or a kind of shared server, and there a namespace that nobody else has.
    After the test every partition it made there is dropped through clew; a key that stays, and does not expire, fails it.
    `sweep=False` leaves that check out, for a test that breaks the layout on purpose.
    """
    used: list[tuple[servers.Running, str, str, bool]] = []

    def make(kind: str, *, sweep: bool = True, **options: str | float) -> str:
        if kind == "memory":
            return with_options("memory://", **options)
        if kind == "sqlite":
            return with_options(f"sqlite:///{request.getfixturevalue('tmp_path')}/clew.db", **options)
        running = pool.get(kind)
        if isinstance(running, servers.Server) and running.tls:
            # Python reads all authorities of the system for each connection, though the URL names the only one that counts.
            monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
        namespace = f"t{new_id()[-12:]}"
        url = with_options(running.url, namespace=namespace)
        used.append((running, url, namespace, sweep))
        return with_options(url, **options)

    yield make
    leaked = [key for running, url, namespace, check in used for key in sweep(running, url, namespace) if check]
    assert leaked == [], "these keys stay after a drop, and do not expire"


@pytest.fixture
async def store(url: str) -> AsyncIterator[clew.Store]:
    """An open, empty store at `url`, which each folder of tests chooses for itself."""
    async with clew.connect(url) as opened:
        yield opened


@pytest.fixture(params=servers.KINDS)
def redis_url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """A URL with a namespace of the test's own, on each kind of server in turn."""
    return url_of(request.param)


@pytest.fixture
def own_server() -> Iterator[Callable[..., servers.Server]]:
    """`own_server(name="redis-8.2", **arguments)`: a server of this test's own, to be broken at will. A missing program skips the
    test, and fails it in CI."""
    with ExitStack() as stack:

        def start(name: str = "redis-8.2", **arguments: Any) -> servers.Server:  # passed through to Server
            return stack.enter_context(servers.Server(find_program(name), **arguments))

        yield start


@pytest.fixture(scope="module")
def _settled() -> None:
    """What other modules left is searched for garbage once, and then no more."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def nothing_goes_unseen(_settled: None, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No task is destroyed while it waits, and no failure goes unread: asyncio would only log it."""
    yield
    gc.collect()
    records = [*caplog.get_records("call"), *caplog.records]
    said = [record.getMessage() for record in records if record.name == "asyncio" and record.levelno >= logging.ERROR]
    assert said == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes, where this user may mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "clew", str(tmp_path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a small file system")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


@pytest.fixture(scope="session")
def object_server(_nothing_left_behind: None) -> Iterator[servers.ObjectServer]:
    """One S3 server for the session; each test makes its buckets. Where it is missing, the test is skipped, and fails in CI."""
    server = servers.ObjectServer()
    try:
        server.start()
    except servers.MissingBinaryError as error:
        do_without(error)
    yield server
    server.stop()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials where AWS's own tools look for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ada")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "lovelace")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.fixture
def bucket(object_server: servers.ObjectServer, credentials: None) -> str:
    """The name of a fresh bucket."""
    name = f"clew-{new_id()}"
    object_server.call("PUT", f"/{name}")
    return name


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
