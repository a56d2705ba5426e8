"""Each kind of file store in turn: in memory, in a folder, in a bucket; each as it is, and encrypted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

import servers
from clew.files import Files, connect_files

from ..wrappers.support import key

SEALED = f"encryption_secret={quote(key('new'), safe='')}"
"""What a URL of files says, so that they are encrypted."""

KINDS = ["memory", "folder", "s3", "sealed memory", "sealed folder"]
IN_SEALED_BUCKET = {
    "test_what_is_put_is_got",
    "test_a_stream_is_put_and_got_in_chunks",
    "test_a_part_of_a_file_can_be_got",
    "test_a_part_that_starts_behind_the_end_is_refused",
    "test_a_reading_stays_the_version_that_was_opened",
    "test_a_stream_that_breaks_off_leaves_what_was_there",
    "test_a_write_with_a_stale_etag_writes_nothing",
    "test_a_create_only_write_does_not_replace",
    "test_a_page_goes_on_after_a_file_that_was_deleted",
    "test_a_delete_with_an_etag_deletes_that_version_alone",
}
"""What a bucket does otherwise than a folder where encryption stands around it. The others pass there too, and take long."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "files_url" in metafunc.fixturenames:
        more = ["sealed s3"] if metafunc.function.__name__ in IN_SEALED_BUCKET else []
        metafunc.parametrize("files_url", KINDS + more, indirect=True)


@pytest.fixture
def files_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty file store."""
    sealed, _, kind = request.param.rpartition(" ")
    if kind == "s3":
        name: str = request.getfixturevalue("bucket")
        server: servers.ObjectServer = request.getfixturevalue("object_server")
        url = server.url(name, "in/a prefix")
    else:
        url = "memory://" if kind == "memory" else (tmp_path / "files").as_uri()
    return f"{url}{'&' if '?' in url else '?'}{SEALED}" if sealed else url


@pytest.fixture
async def files(files_url: str) -> AsyncIterator[Files]:
    """An empty file store of each kind."""
    async with connect_files(files_url) as opened:
        yield opened
