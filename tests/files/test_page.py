"""The page about files says what the code does."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from clew import files
from clew.adapters.chatkit import attachments, content_types
from clew.files import MAX_FILE_BYTES, address, keys
from clew.files.s3 import PART

PAGE = (Path(__file__).resolve().parents[2] / "docs/files.md").read_text()


def test_the_options_of_a_bucket_are_these() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE))
    assert tuple(rows) == address.OPTIONS
    assert rows["timeout"] == f"`{address.DEFAULT_TIMEOUT_S:g}`"
    assert rows["style"] == f"`{address.STYLES[0]}`"


def test_every_url_that_is_shown_can_be_read() -> None:
    shown = re.findall(r"`((?:file|s3|memory)://[^`]*)`", PAGE)
    assert len(shown) >= 3
    for url in shown:
        if url != "s3://":
            address.parse_files_url(url)


def test_the_limits_are_these() -> None:
    for said in (
        f"at most {keys.MAX_PART_BYTES} characters when encoded",
        f"a key at most {keys.MAX_KEY_BYTES} in at most {keys.MAX_PARTS} parts",
        f"{MAX_FILE_BYTES // 1024**2} MiB is the most",
        f"more than {PART // 1024**2} MiB",
        f"At most {attachments.MOST_BYTES // 1024**2} MiB",
    ):
        assert said in PAGE, said
    assert {"image/png", "image/jpeg", "image/gif", "image/webp"} == set(content_types.IMAGES)
    assert "PNG, JPEG, GIF and WebP" in PAGE


def test_the_public_names_are_these_and_each_verb_is_explained() -> None:
    names = [
        "MAX_FILE_BYTES",
        "Connecting",
        "FileInfo",
        "Files",
        "Key",
        "Reading",
        "connect_files",
        "fit",
        "parse_files_url",
        "url_beside",
        "volume_key",
    ]
    assert files.__all__ == names
    verbs = sorted(name for name, verb in vars(files.Files).items() if callable(verb) and not name.startswith("_"))
    assert verbs == ["aclose", "delete", "delete_all", "get", "head", "list", "put"]
    assert all(inspect.getdoc(getattr(files.Files, name)) for name in verbs)
