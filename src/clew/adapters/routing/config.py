"""How a ConversationStore reaches its server: the names, limits and units of the founding system. What is unknown is refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from ...errors import InvalidError
from ...settings import DEFAULT, Settings

DEFAULT_URL: Final = "redis://localhost:6379"
DEFAULT_PREFIX: Final = "codecoder:"
MOST_MS: Final = 3_600_000
MOST_RETRIES: Final = 1_000
_EMBEDDED: Final = ("sqlite", "memory")


@dataclass(frozen=True, slots=True)
class ConversationConfig:
    """The settings; each is checked when they are made.

    Attributes:
        url: the store; None for CLEW_URL or REDIS_URL of the environment, else `redis://localhost:6379`.
        password: where the URL has none; None for REDIS_PASSWORD of the environment, where the URL does not come from there.
        db: the database's number, 0 to 15, where the URL has none.
        key_prefix: the beginning of every key. Routes stand under `<key_prefix>conv:<conversation_id>`; a prefix that ends with
            `conv:` already is taken as it is.
        connect_timeout: milliseconds for one attempt to connect.
        command_timeout: milliseconds after which a call gives up, retries included.
        max_retries_per_request: how often a call is sent again after its connection failed.
    """

    url: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    db: int = 0
    key_prefix: str = DEFAULT_PREFIX
    connect_timeout: int = 5_000
    command_timeout: int = 3_000
    max_retries_per_request: int = 3

    def __post_init__(self) -> None:
        for name in ("url", "password"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value):
                raise InvalidError(f"{name} must be text that is not empty: leave it out for the default")
        if self.url is not None and "://" not in self.url:
            raise InvalidError("url has no scheme: write redis://host:6379, sqlite:///file.db or another that clew knows")
        if not isinstance(self.key_prefix, str) or not self.key_prefix:
            raise InvalidError("key_prefix must be text that is not empty, as 'codecoder:'")
        _check_whole("db", self.db, 0, 15)
        _check_whole("connect_timeout", self.connect_timeout, 10, MOST_MS)
        _check_whole("command_timeout", self.command_timeout, 10, MOST_MS)
        _check_whole("max_retries_per_request", self.max_retries_per_request, 0, MOST_RETRIES)

    @classmethod
    def from_mapping(cls, settings: Mapping[str, object]) -> ConversationConfig:
        """Return the settings of a mapping, as a configuration file has them.

        Raises:
            InvalidError: a key that is not known, or a value that cannot be used.
        """
        if not isinstance(settings, Mapping):
            raise InvalidError(f"the configuration must be a mapping, as a dict, not {type(settings).__name__}")
        known = [each.name for each in fields(cls)]
        for name in settings:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise InvalidError(f"the setting {name!r} is not known: {hint}Known are {', '.join(known)}")
        return cls(**dict(settings))  # type: ignore[arg-type]  # each value is checked above

    @property
    def routes_prefix(self) -> str:
        """What stands before a conversation's id in a key."""
        return self.key_prefix if self.key_prefix.endswith("conv:") else f"{self.key_prefix}conv:"

    def prefix_of(self, kind: str) -> str:
        """Return the prefix of the other keys: `<key_prefix><kind>:`."""
        return f"{self.key_prefix.removesuffix('conv:')}{kind}:"

    def choose_url(self, given: str | None = None, environ: Mapping[str, str] | None = None) -> str:
        """Return the whole URL, options and password in it: that of the call, else the configuration's, else the environment's.

        Raises:
            InvalidError: what the URL says and a setting say differently.
        """
        variables = os.environ if environ is None else environ
        if given is not None:
            url, password = given, self.password
        elif self.url is not None:
            url, password = self.url, self.password or variables.get("REDIS_PASSWORD")
        else:
            settings = Settings.from_env(environ)
            is_set = settings.source != DEFAULT
            url = settings.url if is_set else DEFAULT_URL
            password = self.password or (None if is_set else variables.get("REDIS_PASSWORD"))
        return self._complete(url, password)

    def _complete(self, url: str, password: str | None) -> str:
        try:
            parts = urlsplit(url)
        except ValueError:
            raise InvalidError("the store's URL cannot be read: escape special characters, as %40 for @") from None
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        scheme = parts.scheme
        if scheme.startswith(_EMBEDDED):
            wanted = {"timeout": f"{self.command_timeout / 1000:g}"}
            if self.password is not None or self.db:
                raise InvalidError("password and db are for Redis: leave them out for an embedded store")
        else:
            wanted = {
                "timeout": f"{self.command_timeout / 1000:g}",
                "connect_timeout": f"{self.connect_timeout / 1000:g}",
                "retries": str(self.max_retries_per_request),
            }
            url = self._with_password(url, password)
            if self.db:
                url, number = _split_number(url)
                number = options.get("db", number)
                if number not in ("0", str(self.db)):
                    raise InvalidError(f"the URL names database {number}, and db is {self.db}: leave one of them out")
                if "db" not in options:
                    wanted["db"] = str(self.db)
        added = "&".join(f"{name}={quote(text)}" for name, text in wanted.items() if name not in options)
        return f"{url}{'&' if parts.query else '?'}{added}" if added else url

    def _with_password(self, url: str, password: str | None) -> str:
        scheme, _, rest = url.partition("://")
        place = rest.partition("/")[0].partition("?")[0]
        user, at, _ = place.rpartition("@")
        name, colon, old = user.partition(":")
        if password is None or (colon and old):
            if self.password is not None and old != quote(self.password, safe=""):
                raise InvalidError("the password stands in the URL and in the configuration: leave one of them out")
            return url
        return f"{scheme}://{name}:{quote(password, safe='')}@{rest[len(user) + len(at) :]}"


def _split_number(url: str) -> tuple[str, str]:
    """Return the URL without the database's number at the end of its path, and that number, 0 where there is none."""
    place, mark, query = url.partition("?")
    head, slash, last = place.rpartition("/")
    if slash and last.isdecimal() and not head.endswith(("/", ":")) and not place.startswith("unix:"):
        return f"{head}{mark}{query}", last
    return url, "0"


def _check_whole(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
