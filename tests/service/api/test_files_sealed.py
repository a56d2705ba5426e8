"""Encrypted files over HTTP: they look like any others, and nothing that was tampered with is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from clew.files.layout import HEADER, SEGMENT, STORED
from clew.frames import SEALED_FILE

from ...wrappers.support import key
from .conftest import Serve, problem
from .filing import USER, listed, put

DATA = bytes(range(256)) * 1_000


async def test_encrypted_files_are_served_as_any_others_and_tampered_ones_are_not(
    serve: Serve, folder_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEW_FILES_URL", folder_url)
    api = await serve("memory://", CLEW_ENCRYPTION_KEYS=key("new"))
    here = f"{USER}/skills/search.md"
    etag = await put(api.ada, here, DATA, if_none_match="*")
    etag = await put(api.ada, here, DATA, if_match=etag)
    place = tmp_path / "files/volumes/user/ada/skills/search.md"
    stored = place.read_bytes()
    assert stored.startswith(SEALED_FILE)
    assert DATA[:64] not in stored
    whole = await api.ada.get(here)
    assert (whole.content, whole.headers["etag"], whole.headers["content-length"]) == (DATA, etag, str(len(DATA)))
    assert (await api.ada.head(here)).headers["content-length"] == str(len(DATA))
    assert (await api.ada.get(USER)).json()["data"][0]["size"] == len(DATA)
    part = await api.ada.get(here, headers={"range": f"bytes={SEGMENT - 2}-{SEGMENT + 2}", "if-range": etag})
    assert (part.status_code, part.content) == (206, DATA[SEGMENT - 2 : SEGMENT + 3])
    assert part.headers["content-range"] == f"bytes {SEGMENT - 2}-{SEGMENT + 2}/{len(DATA)}"
    assert (await api.ada.get(here, headers={"range": f"bytes={len(DATA)}-"})).status_code == 416
    assert (await api.ada.put(here, content=b"x", headers={"if-match": '"other"'})).status_code == 412

    place.write_bytes(stored[:HEADER] + bytes(STORED) + stored[HEADER + STORED :])
    for headers in ({}, {"range": "bytes=0-5"}):
        reply = await api.ada.get(here, headers=headers)
        assert (reply.status_code, problem(reply)) == (500, "unreadable")
    assert (await api.ada.get(here, headers={"range": f"bytes={SEGMENT}-"})).content == DATA[SEGMENT:]
    (tmp_path / "files/volumes/user/eve").mkdir()
    (tmp_path / "files/volumes/user/eve/search.md").write_bytes(stored)
    assert (await api.eve.get(f"{USER}/search.md")).status_code == 500
    assert await listed(api.eve) == ["search.md"]
    assert (await api.eve.delete(f"{USER}/search.md")).status_code == 204
