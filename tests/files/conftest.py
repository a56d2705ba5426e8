"""Each kind of file store in turn: in memory, in a folder, in a bucket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import servers
from clew.files import Files, connect_files


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
