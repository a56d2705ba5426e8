"""What the environment says: which store, whose threads. Read and checked at once, then frozen; nothing is opened.

A file `.env` is read where python-dotenv is installed (the extra `cli` brings it); what the environment itself says goes first.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from .errors import DeniedError, InvalidError, MissingExtraError, UnavailableError
from .limits import check_id

KNOWN: Final = ("CLEW_URL", "CLEW_NAMESPACE", "CLEW_OWNER", "CLEW_FILES_URL")
"""The variables that `Settings` reads, beside those of Redis below."""
OF_COMMANDS: Final = ("CLEW_MODEL", "CLEW_MODEL_TOOLS")
"""The variables that the commands read themselves: no mistake in the environment of a program that only connects."""
OF_REDIS: Final = ("REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_DB")
"""The variables that many tools share. They count where CLEW_URL is not set."""
DEFAULT_OWNER: Final = "local"
"""The owner where neither CLEW_OWNER nor the system has a name for the user."""

DEFAULT: Final = "the default"
"""The source of a URL that nobody has set."""

_OURS_IN_FILE: Final = re.compile(r"^\s*(?:export\s+)?CLEW_", re.MULTILINE)
_SECRET_OPTION: Final = re.compile(r"([?&][^=&]*(?:password|username|secret|token)[^=&]*=)[^&#]*", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://)?")
_EMBEDDED: Final = ("sqlite", "memory")


@dataclass(frozen=True, slots=True)
class Settings:
    """Which store to open, and for whom.

    Attributes:
        url: the store. It may hold a password: show `mask_url(url)` instead.
        owner: whose threads the commands work on.
        source: where the URL comes from, for people: a variable's name, or "the default".
        files_url: where files are kept (`clew.files`); None for beside the store.
    """

    url: str = field(repr=False)
    owner: str
    source: str
    files_url: str | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, env_file: str | Path | None = ".env") -> Settings:
        """Return the settings of an environment. An empty variable counts as one that is not set.

        Args:
            environ: the variables; those of the process for None.
            env_file: a file of variables that count where the environment has none; None for no file.

        Raises:
            InvalidError: a variable that starts with CLEW_ and is not known, or one whose value cannot be used.
            MissingExtraError: the file names a CLEW_ variable, and python-dotenv, which reads it, is not installed.
        """
        given = os.environ if environ is None else environ
        found = {name: text for name, text in [*_read_file(env_file).items(), *given.items()] if text}
        unknown = sorted(name for name in found if name.startswith("CLEW_") and name not in KNOWN + OF_COMMANDS)
        if unknown:
            known = ", ".join(KNOWN + OF_COMMANDS)
            raise InvalidError(f"the variable {unknown[0]} is not known: use one of {known}, or take it out of the environment")
        url, source = _choose_url(found)
        owner = check_id(_choose_owner(found), "CLEW_OWNER")
        return cls(_with_namespace(url, found.get("CLEW_NAMESPACE")), owner, source, found.get("CLEW_FILES_URL"))

    def make_folder(self) -> None:
        """Make the folder of the default file, readable by its user alone; any other store's place is its owner's to make.

        Raises:
            DeniedError, UnavailableError: it cannot be made.
        """
        if self.source != DEFAULT:
            return
        folder = Path(unquote(urlsplit(self.url).path.removeprefix("/"))).parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except PermissionError as e:
            raise DeniedError(f"the folder {folder} cannot be made: set CLEW_URL to a store that can be written") from e
        except OSError as e:
            raise UnavailableError(f"the folder {folder} cannot be made ({e.strerror}): set CLEW_URL to another store") from e


def mask_url(url: str) -> str:
    """Return the URL without credentials, also where it is malformed: for people, logs and errors."""
    found = _SCHEME.match(url)
    scheme, rest = (found[0], url[found.end() :]) if found else ("", url)
    if not scheme.startswith(_EMBEDDED) and "@" in rest:
        # The last one: an '@' or '/' that was not escaped in a password must not show what stands before it.
        rest = "***@" + rest.rpartition("@")[2]
    return scheme + _SECRET_OPTION.sub(r"\1***", rest)


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the default file: in XDG_DATA_HOME where that is set, else where the platform keeps users' data."""
    home = Path(environ.get("HOME") or Path.home())
    chosen = environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(chosen):
        base = Path(chosen)
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    elif sys.platform == "win32":
        base = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        base = home / ".local" / "share"
    return base / "clew"


def _read_file(path: str | Path | None) -> Mapping[str, str | None]:
    if path is None or not os.path.isfile(path):
        return {}
    try:
        # By name: the core needs no python-dotenv.
        dotenv = import_module("dotenv")
    except ImportError as e:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        if _OURS_IN_FILE.search(text):
            raise MissingExtraError(f"reading {path}, which names CLEW_ variables,", "cli") from e
        return {}
    values: Mapping[str, str | None] = dotenv.dotenv_values(path)
    return values


def _choose_url(found: Mapping[str, str]) -> tuple[str, str]:
    for name in ("CLEW_URL", "REDIS_URL"):
        if name in found:
            return found[name], name
    host, port = found.get("REDIS_HOST"), found.get("REDIS_PORT")
    # Kubernetes sets REDIS_PORT=tcp://... for a service of that name: alone, that says nothing about us.
    if host or (port and port.isdecimal()) or "REDIS_PASSWORD" in found or "REDIS_DB" in found:
        source = next(name for name in OF_REDIS if name in found)
        return _join_redis(found, host or "localhost"), source
    path = quote((data_folder(found) / "clew.db").as_posix())
    return f"sqlite:///{path}", DEFAULT


def _join_redis(found: Mapping[str, str], host: str) -> str:
    port, number = found.get("REDIS_PORT", "6379"), found.get("REDIS_DB", "0")
    if not (port.isdecimal() and 0 < int(port) < 65536):
        raise InvalidError("REDIS_PORT must be a port's number: mend it, or set CLEW_URL=redis://host:port/0")
    if not number.isdecimal():
        raise InvalidError("REDIS_DB must be a database's number: mend it, or set CLEW_URL=redis://host:port/0")
    user, password = (quote(found.get(name, ""), safe="") for name in ("REDIS_USERNAME", "REDIS_PASSWORD"))
    login = f"{user}:{password}@" if user or password else ""
    place = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"redis://{login}{place}:{port}/{number}"


def _with_namespace(url: str, namespace: str | None) -> str:
    if namespace is None:
        return url
    if url.partition("://")[0] in _EMBEDDED:
        raise InvalidError("CLEW_NAMESPACE is for Redis: unset it, or give each namespace a file of its own")
    try:
        query = urlsplit(url).query
    except ValueError as e:
        raise InvalidError("the store's URL cannot be read: its host is malformed") from e
    if any(option.startswith("namespace=") for option in query.split("&")):
        raise InvalidError("the namespace stands in the URL and in CLEW_NAMESPACE: leave one of them out")
    return f"{url}{'&' if query else '?'}namespace={quote(namespace, safe='')}"


def _choose_owner(found: Mapping[str, str]) -> str:
    if "CLEW_OWNER" in found:
        return found["CLEW_OWNER"]
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        if name in found:
            return found[name]
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        # A container may run as a number that no table has.
        return DEFAULT_OWNER
