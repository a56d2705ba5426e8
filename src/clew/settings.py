"""What the environment says: which store, whose threads. Read and checked at once, then frozen; nothing is opened.

A file `.env` is read where python-dotenv is installed (the extra `cli` brings it); what the environment itself says goes first.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote, unquote, urlsplit

from .errors import DeniedError, InvalidError, MissingExtraError, UnavailableError
from .limits import check_id

CHAT_PREFIX: Final = "codecoder:"
"""What the keys of channels' conversations begin with where CLEW_CHAT_PREFIX does not say otherwise."""
CODING: Final = {
    "CLEW_ENCRYPTION_KEYS": "encryption_secret",
    "CLEW_ENCRYPTION_KEYS_FILE": "encryption_file",
    "CLEW_ENCRYPTION_PLAIN": "encryption_plain",
    "CLEW_ENCRYPTION_VALUES": "encryption_values",
    "CLEW_COMPRESS": "compress",
}
"""The variables of encryption and compression, and the options of a URL that say the same."""
OF_SERVICE: Final = (
    "CLEW_CHAT_PREFIX",
    "CLEW_AUTH",
    "CLEW_JWT_SECRET",
    "CLEW_JWKS_URL",
    "CLEW_JWT_AUDIENCE",
    "CLEW_JWT_ISSUER",
    "CLEW_JWT_LEEWAY",
    "CLEW_JWT_TEAMS",
    "CLEW_MAX_BODY",
    "CLEW_MAX_FILE",
    "CLEW_RATE",
    "CLEW_CONCURRENCY",
    "CLEW_HOST",
    "CLEW_PORT",
    "CLEW_LOG",
    "CLEW_RETENTION",
    "CLEW_METRICS",
)
"""The variables of the service."""
KNOWN: Final = (
    "CLEW_URL",
    "CLEW_NAMESPACE",
    "CLEW_OWNER",
    "CLEW_FILES_URL",
    "CLEW_ON_OUTAGE",
    "CLEW_JOURNAL",
    "CLEW_TRACING",
    *CODING,
    *OF_SERVICE,
)
"""The variables that `Settings` reads, beside those of Redis below."""
OF_COMMANDS: Final = ("CLEW_MODEL", "CLEW_MODEL_TOOLS")
"""The variables that the commands read themselves: no mistake in the environment of a program that only connects."""
OF_REDIS: Final = ("REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_DB")
"""The variables that many tools share. They count where CLEW_URL is not set."""
DEFAULT_OWNER: Final = "local"
"""The owner where neither CLEW_OWNER nor the system has a name for the user."""

GIVEN: Final = "the command line"
"""The source of a URL that the variables did not choose."""
DEFAULT: Final = "the default"
"""The source of a URL that nobody has set."""

_OURS_IN_FILE: Final = re.compile(r"^\s*(?:export\s+)?CLEW_", re.MULTILINE)
_OF_KUBERNETES: Final = re.compile(r"CLEW_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_\w+)=.*|CLEW_PORT=\w+://.*", re.DOTALL)
"""What Kubernetes sets in every pod of a namespace that has a service of the name `clew`: no setting of anybody."""
_SECRET_OPTION: Final = re.compile(r"([?&][^=&]*(?:password|username|secret|token)[^=&]*=)[^&#]*", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://)?")
_EMBEDDED: Final = ("sqlite", "memory")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in to the service, and how much each may ask of it.

    Attributes:
        mode: `token`: whoever has a valid token or key; `none`: one local user, on this machine alone; None: nobody has said.
        secret: of tokens signed with HS256, at least 32 bytes; None: no such token is taken.
        jwks_url: where the public keys of tokens signed with ES256 or RS256 are; None: no such token is taken.
        audience: a token's `aud` must have it; empty: no audience is asked for.
        issuer: a token's `iss` must be it; None: any.
        leeway: seconds by which the clocks may differ.
        teams: where the list of teams stands in a token's claims.
        max_body: bytes of a request's body, but for uploads, which have limits of their own.
        max_file: bytes of one file that is put into a volume.
        rate: requests a second that one caller may send to one worker, in the long run; 0: any number.
        concurrency: requests that one worker works on at once; more are told to come again.
    """

    mode: Literal["none", "token"] | None = None
    secret: str | None = field(default=None, repr=False)
    jwks_url: str | None = None
    audience: str = "authenticated"
    issuer: str | None = None
    leeway: float = 30.0
    teams: tuple[str, ...] = ("app_metadata", "teams")
    max_body: int = 16 * 1024 * 1024
    max_file: int = 64 * 1024 * 1024
    rate: float = 1000.0
    concurrency: int = 500

    @classmethod
    def from_found(cls, found: Mapping[str, str]) -> Access:
        """Return what these variables say; InvalidError where one cannot be used."""
        secret, url = found.get("CLEW_JWT_SECRET"), found.get("CLEW_JWKS_URL")
        if secret is not None and len(secret.encode()) < 32:
            raise InvalidError("CLEW_JWT_SECRET is too short to be safe: HS256 needs at least 32 bytes")
        if url is not None:
            _check_jwks_url(url)
        teams = tuple(found.get("CLEW_JWT_TEAMS", "app_metadata.teams").split("."))
        if "" in teams or teams[0] == "user_metadata":
            raise InvalidError(
                "CLEW_JWT_TEAMS must name a claim that is not the users' own to write: app_metadata.teams, not user_metadata"
            )
        made = cls(
            mode="token" if secret or url else None,
            secret=secret,
            jwks_url=url,
            audience=found.get("CLEW_JWT_AUDIENCE", "authenticated"),
            issuer=found.get("CLEW_JWT_ISSUER"),
            leeway=_number(found, "CLEW_JWT_LEEWAY", 30, 0, 600),
            teams=teams,
            max_body=int(_number(found, "CLEW_MAX_BODY", 16 * 1024 * 1024, 1024, 1 << 30)),
            max_file=int(_number(found, "CLEW_MAX_FILE", 64 * 1024 * 1024, 1024, 1 << 36)),
            rate=_number(found, "CLEW_RATE", 1000, 0, 1_000_000),
            concurrency=int(_number(found, "CLEW_CONCURRENCY", 500, 1, 100_000)),
        )
        return made.with_mode(found["CLEW_AUTH"]) if "CLEW_AUTH" in found else made

    def with_mode(self, mode: str) -> Access:
        """Return the same with this mode; InvalidError where there is none such, or it does not go with the rest."""
        if mode == "token":
            return replace(self, mode="token")
        if mode != "none":
            raise InvalidError("CLEW_AUTH (or --auth) must be token or none: none is for one user of this machine alone")
        if self.secret or self.jwks_url:
            raise InvalidError("with CLEW_AUTH=none no token is taken: unset CLEW_JWT_SECRET and CLEW_JWKS_URL, or use token")
        return replace(self, mode="none")


def _check_jwks_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    is_local = host in ("localhost", "127.0.0.1", "::1")
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and is_local)):
        raise InvalidError("CLEW_JWKS_URL must be an address with https://, since whoever can change its answer can sign tokens")


def _number(found: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    try:
        value = float(found.get(name, default))
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise InvalidError(f"{name} must be a number from {least:,} to {most:,}")
    return value


@dataclass(frozen=True, slots=True)
class Settings:
    """Which store to open, and for whom.

    Attributes:
        url: the store. It may hold a password: show `mask_url(url)` instead.
        owner: whose threads the commands work on.
        source: where the URL comes from, for people: a variable's name, or "the default".
        files_url: where files are kept (`clew.files`); None for beside the store.
        access: who may come in to the service.
        owner_named: the owner was named, and is not just who runs the program.
        chat_prefix: what the keys of channels' conversations begin with, in the service.
        host, port: where `clew serve` listens; port 0 for a free one.
        log: how the service writes what it does: `text` for people, `json` for one object a line.
        retention: the file of the policy that the service applies; None for none.
        metrics, tracing: whether operations are counted, and are spans. The service tells the counts, with `token` to few.
        coding: the variables of encryption and compression, which stand in `url` as options.
    """

    url: str = field(repr=False)
    owner: str
    source: str
    files_url: str | None = field(default=None, repr=False)
    access: Access = field(default_factory=Access)
    owner_named: bool = False
    chat_prefix: str = CHAT_PREFIX
    host: str = "127.0.0.1"
    port: int = 8000
    log: Literal["text", "json"] = "text"
    coding: Mapping[str, str] = field(default_factory=dict, repr=False)
    retention: str | None = None
    metrics: Literal["off", "on", "token"] = "off"
    tracing: bool = False

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, env_file: str | Path | None = ".env", *, url: str | None = None
    ) -> Settings:
        """Return the settings of an environment. An empty variable counts as one that is not set.

        Args:
            environ: the variables; those of the process for None.
            env_file: a file of variables that count where the environment has none; None for no file.
            url: the store, whatever the variables say; CLEW_NAMESPACE counts where it is on Redis and names no namespace.

        Raises:
            InvalidError: a variable that starts with CLEW_ and is not known, or one whose value cannot be used.
            MissingExtraError: the file names a CLEW_ variable, and python-dotenv, which reads it, is not installed.
        """
        given = os.environ if environ is None else environ
        found = {name: text for name, text in [*_read_file(env_file).items(), *given.items()] if text}
        found = {name: text for name, text in found.items() if not _OF_KUBERNETES.fullmatch(f"{name}={text}")}
        unknown = sorted(name for name in found if name.startswith("CLEW_") and name not in KNOWN + OF_COMMANDS)
        if unknown:
            known = ", ".join(KNOWN + OF_COMMANDS)
            raise InvalidError(f"the variable {unknown[0]} is not known: use one of {known}, or take it out of the environment")
        chosen, source = _choose_url(found) if url is None else (url, GIVEN)
        owner = check_id(_choose_owner(found), "CLEW_OWNER")
        chosen = _with_namespace(chosen, found.get("CLEW_NAMESPACE"), is_given=url is not None)
        coding = {name: found[name] for name in CODING if name in found}
        chosen = _with_outage(_with_coding(chosen, coding), found)
        access, prefix = Access.from_found(found), found.get("CLEW_CHAT_PREFIX", CHAT_PREFIX)
        host, port = found.get("CLEW_HOST", "127.0.0.1"), int(_number(found, "CLEW_PORT", 8000, 0, 65535))
        made = cls(chosen, owner, source, found.get("CLEW_FILES_URL"), access, "CLEW_OWNER" in found, prefix, host, port)
        seen: Any = _choose(found, "CLEW_METRICS", "off", "on", "token")  # one of these words
        made = replace(made, metrics=seen, tracing=_choose(found, "CLEW_TRACING", "off", "on") == "on")
        return replace(made, coding=coding, retention=found.get("CLEW_RETENTION")).with_log(found.get("CLEW_LOG", "text"))

    def with_log(self, log: str) -> Settings:
        """Return the same with this way to write what the service does; InvalidError where there is none such."""
        if log not in ("text", "json"):
            raise InvalidError("CLEW_LOG (or --log) must be text or json")
        return replace(self, log="json" if log == "json" else "text")

    def with_coding(self, url: str) -> str:
        """Return the URL of another store with what the variables say of encryption and compression."""
        return _with_coding(url, self.coding)

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
    shown = _SECRET_OPTION.sub(r"\1***", rest)
    if not scheme.startswith(_EMBEDDED) and ("@" in rest or "#" in rest):
        # The last one: an '@', '/' or '#' that was not escaped in a password must not show what stands around it.
        shown = "***" + ("@" + shown.rpartition("@")[2].partition("#")[0] if "@" in shown else "")
    return scheme + shown


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


def _choose(found: Mapping[str, str], name: str, *choices: str) -> str:
    chosen = found.get(name, choices[0])
    if chosen not in choices:
        raise InvalidError(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}")
    return chosen


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


def _with_namespace(url: str, namespace: str | None, *, is_given: bool) -> str:
    if namespace is None:
        return url
    if url.partition(":")[0].lower() in _EMBEDDED:
        if is_given:
            # It speaks of the store that the environment names, not of this file.
            return url
        raise InvalidError("CLEW_NAMESPACE is for Redis: unset it, or give each namespace a file of its own")
    try:
        query = urlsplit(url).query
    except ValueError:
        raise InvalidError("the store's URL cannot be read: its host is malformed") from None
    if any(option.startswith("namespace=") for option in query.split("&")):
        if is_given:
            return url
        raise InvalidError("the namespace stands in the URL and in CLEW_NAMESPACE: leave one of them out")
    return f"{url}{'&' if query else '?'}namespace={quote(namespace, safe='')}"


def _with_coding(url: str, found: Mapping[str, str]) -> str:
    """Return the URL with what the variables say of encryption and compression, where it does not say it itself."""
    head, mark, fragment = url.partition("#")
    named = {part.partition("=")[0] for part in head.partition("?")[2].split("&")}
    if "CLEW_ENCRYPTION_KEYS" in found and "CLEW_ENCRYPTION_KEYS_FILE" in found:
        raise InvalidError("the encryption keys stand in CLEW_ENCRYPTION_KEYS and in a file: leave one of them out")
    if any(name.startswith("encryption_") for name in named):
        # What the URL says of encryption goes first, as a whole.
        named.update(option for option in CODING.values() if option != "compress")
    added = [
        f"{option}={quote(found[name], safe='')}" for name, option in CODING.items() if name in found and option not in named
    ]
    if not added:
        return url
    return f"{head}{'&' if '?' in head else '?'}{'&'.join(added)}{mark}{fragment}"


def _with_outage(url: str, found: Mapping[str, str]) -> str:
    policy = _choose(found, "CLEW_ON_OUTAGE", "raise", "journal")
    named = {part.partition("=")[0]: part.partition("=")[2] for part in url.partition("?")[2].split("&")}
    added = []
    if policy == "journal" and "on_outage" not in named:
        added.append("on_outage=journal")
    if "CLEW_JOURNAL" in found and "journal" not in named and (added or named.get("on_outage") == "journal"):
        added.append(f"journal={quote(found['CLEW_JOURNAL'], safe='/')}")
    return url if not added else f"{url}{'&' if '?' in url else '?'}{'&'.join(added)}"


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
