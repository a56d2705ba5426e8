"""Each kind of file store in turn: in memory, in a folder, in a bucket."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import servers
from clew.files import Files, connect_files
from clew.ids import new_id


@pytest.fixture(scope="session")
def object_server(_nothing_left_behind: None) -> Iterator[servers.ObjectServer]:
    """One S3 server for the session; each test makes its buckets. Where it is missing, the test is skipped, and fails in CI."""
    server = servers.ObjectServer()
    try:
        server.start()
    except servers.MissingBinaryError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
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


@pytest.fixture(params=["memory", "folder", "s3"])
def files_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty file store."""
    if request.param == "memory":
        return "memory://"
    if request.param == "folder":
        return (tmp_path / "files").as_uri()
    name: str = request.getfixturevalue("bucket")
    server: servers.ObjectServer = request.getfixturevalue("object_server")
    return server.url(name, "in/a prefix")


@pytest.fixture
async def files(files_url: str) -> AsyncIterator[Files]:
    """An empty file store of each kind."""
    async with connect_files(files_url) as opened:
        yield opened
