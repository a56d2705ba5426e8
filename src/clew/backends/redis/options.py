"""What a Redis URL says: topology, credentials, and clew's own options. It parses and checks, and opens nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from ...errors import InvalidError

Topology = Literal["standalone", "cluster", "sentinel"]

KNOWN: Final = (
    "namespace, timeout, connect_timeout, retries, replicas, fsync, replica_timeout, db, ssl_ca_certs, ssl_certfile, "
    "ssl_keyfile, ssl_cert_reqs, ssl_check_hostname, sentinel_username, sentinel_password"
)
_ESCAPE: Final = "write a special character in a user or password as %40 and the like"


@dataclass(frozen=True, slots=True)
class Options:
    """A parsed URL.

    Attributes:
        topology: alone, a cluster, or behind Sentinel.
        hosts: where to connect: the server, some nodes of the cluster, or the sentinels.
        path: the socket of a `unix://` URL, else None.
        service: the primary's name at the sentinels.
        timeout: seconds after which a call gives up, retries included.
        connect_timeout: seconds for one attempt to connect.
        retries: how often a request is sent again after its connection failed, within `timeout`; None for as often as it can.
        replicas: how many replicas must acknowledge a write before it is acknowledged here.
        fsync: whether a write must be in the append-only file first (`WAITAOF`, from 7.2).
        replica_timeout: seconds to wait for those acknowledgements.
        namespace: the first part of every key.
    """

    topology: Topology
    hosts: tuple[tuple[str, int], ...]
    path: str | None
    service: str
    username: str | None
    password: str | None
    db: int
    tls: bool
    tls_options: tuple[tuple[str, str | bool], ...]
    timeout: float = 5.0
    connect_timeout: float = 2.0
    retries: int | None = None
    replicas: int = 0
    fsync: bool = False
    replica_timeout: float = 1.0
    namespace: str = "clew"
    sentinel_username: str | None = None
    sentinel_password: str | None = None


def parse_url(url: str) -> Options:
    """Return what `url` says.

    Accepts `redis:// rediss:// unix:// redis+cluster:// redis+sentinel://host:port,host:port/service/db`, and `valkey` for
    `redis` in each; `rediss` and `valkeys` mean TLS.

    Raises:
        InvalidError: an unknown option, a port or number that is none; the message never holds the password.
    """
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    query = _Query(parts.query)
    userinfo, _, netloc = parts.netloc.rpartition("@")
    username, _, password = (unquote(part) for part in userinfo.partition(":"))
    topology: Topology = "cluster" if kind == "cluster" else "sentinel" if kind == "sentinel" else "standalone"
    path: str | None = None
    hosts: tuple[tuple[str, int], ...] = ()
    service, db = "mymaster", query.whole("db", 0, 0, 1_000_000)
    if scheme == "unix":
        path = unquote(parts.path) or query.fail("a unix:// URL needs the path of the server's socket")
    else:
        if "@" in parts.path or parts.fragment:
            query.fail(f"the URL has an @ or # that belongs to none of its parts: {_ESCAPE}")
        hosts = _hosts(netloc, 26379 if topology == "sentinel" else 6379)
        segments = [unquote(segment) for segment in parts.path.split("/") if segment]
        if topology == "sentinel" and segments and not segments[0].isdigit():
            service = segments.pop(0)
        if segments:
            if not segments[0].isdecimal() or len(segments) > 1:
                query.fail(f"{'/'.join(segments)!r} in the URL's path is not a database number")
            db = int(segments[0])
    if topology == "cluster" and db:
        query.fail("a cluster has only database 0: leave the number off")
    tls = scheme in ("rediss", "valkeys")
    options = Options(
        topology=topology,
        hosts=hosts,
        path=path,
        service=service,
        username=username or None,
        password=password or None,
        db=db,
        tls=tls,
        tls_options=query.tls_options(tls),
        timeout=query.seconds("timeout", 5.0),
        connect_timeout=query.seconds("connect_timeout", 2.0),
        retries=query.whole("retries", 0, 0, 1000) if "retries" in query else None,
        replicas=query.whole("replicas", 0, 0, 100),
        fsync=query.flag("fsync"),
        replica_timeout=query.seconds("replica_timeout", 1.0),
        namespace=query.text("namespace") or "clew",
        sentinel_username=query.text("sentinel_username"),
        sentinel_password=query.text("sentinel_password"),
    )
    if any(c in options.namespace for c in "{}*?[]\\ ") or len(options.namespace) > 100:
        query.fail("namespace must be at most 100 characters, without braces, blanks, or * ? [ ] \\")
    query.finish()
    return options


def _hosts(netloc: str, port: int) -> tuple[tuple[str, int], ...]:
    hosts = []
    for place in netloc.split(",") if netloc else ["localhost"]:
        try:
            parsed = urlsplit(f"//{place}")
            hosts.append((parsed.hostname or "localhost", parsed.port or port))
        except ValueError:
            # It may be a piece of a password, so it is not shown, nor is the cause.
            raise InvalidError(f"the URL's host or port is not valid: {_ESCAPE}") from None
    return tuple(hosts)


class _Query:
    """The options after the question mark, each taken once; what nobody took is refused."""

    def __init__(self, query: str) -> None:
        pairs = parse_qsl(query, keep_blank_values=True)
        self._left = dict(pairs)
        if len(pairs) != len(self._left):
            self.fail("an option stands twice in the URL")

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def fail(self, why: str) -> str:
        raise InvalidError(why)

    def text(self, name: str) -> str | None:
        return self._left.pop(name, None)

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        text = self.text(name)
        if text is None:
            return default
        if not text.isdecimal() or not least <= int(text) <= most:
            self.fail(f"{name}={text} in the URL must be a whole number from {least} to {most}")
        return int(text)

    def seconds(self, name: str, default: float) -> float:
        text = self.text(name)
        try:
            value = default if text is None else float(text)
        except ValueError:
            value = -1.0
        if not 0.01 <= value <= 3600:
            self.fail(f"{name}={text} in the URL must be a number of seconds from 0.01 to 3600")
        return value

    def flag(self, name: str) -> bool:
        text = self.text(name)
        if text not in (None, "0", "1", "true", "false"):
            self.fail(f"{name}={text} in the URL must be true or false")
        return text in ("1", "true")

    def tls_options(self, tls: bool) -> tuple[tuple[str, str | bool], ...]:
        found: list[tuple[str, str | bool]] = []
        for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs"):
            text = self.text(name)
            if text is not None:
                found.append((name, text))
        if "ssl_check_hostname" in self._left:
            found.append(("ssl_check_hostname", self.flag("ssl_check_hostname")))
        if found and not tls:
            self.fail(f"{found[0][0]} needs TLS: use rediss:// or valkeys://")
        return tuple(found)

    def finish(self) -> None:
        if self._left:
            name = next(iter(self._left))
            # What no option looks like may be a piece of a password.
            shown = f" {name!r}" if name.isascii() and name.islower() and "@" not in name else ""
            self.fail(f"unknown option{shown} in the URL; known are {KNOWN}")
