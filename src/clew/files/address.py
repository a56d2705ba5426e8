"""What the URL of a file store asks for, and where files are when no URL says so. It reads URLs only; nothing is opened."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ..backends.sqlite.address import parse_address as parse_store
from ..errors import InvalidError
from ..settings import data_folder, mask_url

if TYPE_CHECKING:
    from ..wrappers import Options

OPTIONS: Final = ("endpoint", "region", "style", "timeout")
"""The options of an s3:// URL."""
SEALING: Final = ("encryption_secret", "encryption_file", "encryption_plain")
"""The options of any URL for files; `clew.wrappers.options` says what they mean."""
STYLES: Final = ("path", "host")
"""Where the bucket's name stands: in the path of a URL, or in its host."""
DEFAULT_TIMEOUT_S: Final = 10.0
MOST_TIMEOUT_S: Final = 600.0
MOST_PREFIX: Final = 150
"""Characters of the prefix in a bucket."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a bucket is, and how it is asked.

    Attributes:
        name: the bucket's.
        prefix: what all keys start with, without a slash at its ends; "" for none.
        endpoint: the URL of the server; None for the one in AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, else AWS itself.
        region: None for AWS_REGION, or us-east-1.
        virtual_hosts: whether the bucket's name stands in the host.
        timeout_s: seconds until an answer must come.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    virtual_hosts: bool = False
    timeout_s: float = DEFAULT_TIMEOUT_S


InMemory: TypeAlias = None
Place: TypeAlias = Path | Bucket | InMemory
"""A folder, a bucket, or memory."""


def parse_files_url(url: str) -> Place:
    """Return what the URL asks for: `file:///var/lib/clew/files`, `s3://bucket/prefix?endpoint=...` or `memory://`.

    What it says of encryption is left out; `read_sealing` returns that.

    Raises:
        InvalidError: another scheme, no absolute path or no bucket, or an option that is unknown or out of range.
    """
    if "encryption_" in url:
        url, _ = import_module("clew.wrappers.queries").split_options(url, SEALING)
    try:
        parts = urlsplit(url)
        host, secret = parts.hostname, parts.password is not None or parts.username is not None
    except ValueError as e:
        raise InvalidError(f"the URL for files cannot be read: {mask_url(url)}") from e
    if parts.fragment:
        raise InvalidError("write '#' as %23 in the URL for files")
    if secret:
        raise InvalidError("the URL for files takes no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    if parts.scheme == "s3":
        return _read_bucket(host, parts.netloc, parts.path, parts.query)
    if parts.query:
        raise InvalidError(f"a {parts.scheme}:// URL for files has no options; write '?' as %3F in a path")
    if parts.scheme == "memory":
        if parts.netloc or parts.path not in ("", "/"):
            raise InvalidError("memory:// takes no name: each one that is opened is a store of its own")
        return None
    if parts.scheme != "file":
        raise InvalidError("files are kept at file:///absolute/folder, s3://bucket/prefix or memory://: mend the URL for files")
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost"):
        raise InvalidError("a file:// URL has no host: write three slashes and an absolute path")
    if not os.path.isabs(path) or path == "/" or "\0" in path:
        raise InvalidError("the file:// URL must name an absolute folder: write file:///var/lib/clew/files")
    return Path(os.path.normpath(path))


def read_sealing(url: str) -> Options | None:
    """Return what a URL, of files or of a store, says of encryption; None where that is nothing.

    Raises:
        InvalidError: one option is said twice, or cannot be used.
        DeniedError, UnavailableError: the file of keys cannot be read.
    """
    if "encryption_" not in url:
        return None
    # Imported here: most files are not encrypted.
    found: Options | None = import_module("clew.wrappers").take_options(url)[1]
    return found


def url_beside(store_url: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the URL of the files that belong to a store: beside its file, in memory with it, or in the user's data folder.

    Args:
        store_url: a URL as `clew.connect` takes it.
        environ: where the user's data folder is looked up; that of the process for None.
    """
    scheme = store_url.partition(":")[0]
    if scheme == "memory":
        return "memory://"
    # Not its options: some are for what stands around the store.
    path = parse_store(store_url.partition("?")[0]).path if scheme == "sqlite" else None
    place = Path(path) if path else data_folder(os.environ if environ is None else environ) / "clew.db"
    return f"file://{quote(place.with_suffix('.files').as_posix())}"


def _read_bucket(host: str | None, netloc: str, path: str, query: str) -> Bucket:
    if not host or netloc != host:
        raise InvalidError("the s3:// URL names no bucket, or more than a bucket: write s3://bucket/prefix?endpoint=https://host")
    prefix = unquote(path).strip("/")
    if (
        len(prefix) > MOST_PREFIX
        or not prefix.isascii()
        or not prefix.isprintable()
        or {"", ".", ".."} & set(prefix.split("/")) - (set() if prefix else {""})
    ):
        raise InvalidError(f"the prefix of an s3:// URL is at most {MOST_PREFIX} plain characters, in parts that are no dots")
    options: dict[str, str] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS:
            raise InvalidError(f"unknown option {name!r}: an s3:// URL knows {', '.join(OPTIONS)}")
        if name in options:
            raise InvalidError(f"the option {name} is given twice")
        options[name] = text
    endpoint = options.get("endpoint")
    if endpoint is not None:
        _check_endpoint(endpoint)
    style = options.get("style", "path")
    if style not in STYLES:
        raise InvalidError(f"style must be one of {', '.join(STYLES)}, not {style!r}")
    region = options.get("region")
    if region == "":
        raise InvalidError("the option region is empty: name one, or leave it out")
    return Bucket(host, prefix, endpoint, region, style == "host", _read_timeout(options.get("timeout")))


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        secret = "@" in parts.netloc
    except ValueError:
        good, secret = False, False
    if secret:
        raise InvalidError("the endpoint takes no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    if not good:
        raise InvalidError("the option endpoint must be the URL of the server, as https://s3.example.org")


def _read_timeout(text: str | None) -> float:
    if text is None:
        return DEFAULT_TIMEOUT_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= MOST_TIMEOUT_S:
        raise InvalidError(f"timeout must be more than 0 and at most {MOST_TIMEOUT_S:.0f} seconds, not {text!r}")
    return seconds
