"""One Redis or Valkey server: on a free port, on the same port and folder after a restart."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import redis
from redis import DriverInfo
from redis.backoff import NoBackoff
from redis.retry import Retry

from .binaries import WITHOUT_TLS, Binary
from .process import Process, StartError, wait_until
from .single import Single

_COMMON = {
    "bind": "127.0.0.1",
    "save": '""',
    "daemonize": "no",
    "repl-diskless-sync": "yes",
    "repl-diskless-sync-delay": "0",
}
# Every client would look the version of redis-py up in the files of its installation.
_ABOUT = DriverInfo()


class Server(Single):
    """A server process. Made stopped: `start()` it, or use it as a context manager.

    Args:
        binary: the program, from `binaries.find`.
        durable: `appendonly yes` with `appendfsync always`, so that what was acknowledged survives a SIGKILL.
        password: of the default user.
        users: lines of ACL users, as `alice on >secret ~* +@all -evalsha`.
        tls: speak TLS only, with a certificate of its own authority (`ca`); by itself where the program can, else through a
            front (`front.py`).
        options: further lines of the configuration, as {"maxmemory": "3mb"}.
        modules: the paths of modules to load, in this order.
    """

    def __init__(
        self,
        binary: Binary,
        *,
        durable: bool = False,
        password: str | None = None,
        users: Sequence[str] = (),
        tls: bool = False,
        options: Mapping[str, str] | None = None,
        modules: Sequence[Path] = (),
    ) -> None:
        super().__init__()
        self.binary = binary
        self.password = password
        self.tls = tls
        self._durable = durable
        self._users = tuple(users)
        self._options = dict(options or {})
        self._modules = tuple(modules)
        self._front: Process | None = None
        self._kept: redis.Redis | None = None

    # -- where it is ----------------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.port}"

    @property
    def path(self) -> str:
        """The path of its unix socket."""
        return str(self.process.folder / "socket")

    @property
    def ca(self) -> str:
        """The path of the authority's certificate, where it speaks TLS."""
        return str(self.process.folder / "ca.pem")

    @property
    def url(self) -> str:
        """The URL to open it with, as the default user."""
        return self.url_for("", self.password) if self.password else self.url_for()

    def url_for(self, user: str = "", password: str | None = None) -> str:
        """The URL to open it with, as `user`."""
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password is not None else ""
        if self.tls:
            return f"rediss://{login}{self.address}/0?ssl_ca_certs={quote(self.ca)}"
        return f"redis://{login}{self.address}/0"

    def control(self) -> redis.Redis:
        """Return a new synchronous client of the default user, for plain control; close it after use (or use `with`)."""
        once = Retry(NoBackoff(), 0)  # whoever waits for a server asks again by itself, and sooner
        return redis.Redis(
            unix_socket_path=self.path,
            password=self.password,
            decode_responses=True,
            socket_timeout=10,
            retry=once,
            driver_info=_ABOUT,
        )

    def keep_control(self) -> redis.Redis:
        """Return a client as `control` does, the same one until the server is stopped, for whoever asks often. It is not to be
        closed."""
        if self._kept is None:
            self._kept = self.control()
        return self._kept

    def _let_go(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def call(self, *command: str | int) -> object:
        """Send one command and return its answer."""
        with self.control() as client:
            answer: object = client.execute_command(*command)
            return answer

    def info(self, section: str) -> dict[str, str | int | float]:
        """Return a section of INFO."""
        with self.control() as client:
            answer: dict[str, str | int | float] = dict(client.info(section))
            return answer

    # -- its life -------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        if self.tls:
            from .certificates import make_certificates

            make_certificates(self.process.folder)

    def run(self) -> None:
        """Run its process, in the folder it has, and wait until it answers."""
        (self.process.folder / "server.conf").write_text("".join(f"{line}\n" for line in self._lines()))
        self.process.launch([str(self.binary.path), str(self.process.folder / "server.conf"), *self._arguments()])

        def answers() -> bool:
            if not self.process.pid:
                raise StartError(f"{self.binary.name} ended at its start:\n{self.process.output}")
            try:
                # The process id proves that it is ours that answers.
                return int(self.info("server")["process_id"]) == self.process.pid
            except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
                return False

        try:
            wait_until(answers, f"{self.binary.name} on port {self.port}")
            if self._has_front():
                self._run_front()
        except StartError as error:
            raise StartError(f"{error}\n{self.process.output}") from error

    def _has_front(self) -> bool:
        return self.tls and self.binary.name in WITHOUT_TLS

    def _run_front(self) -> None:
        folder = self.process.folder
        self._front = self._front or Process()
        files = (self.path, str(folder / "server.pem"), str(folder / "server.key"))
        self._front.launch([sys.executable, "-I", str(Path(__file__).with_name("front.py")), str(self.port), *files])
        front = self._front

        def listens() -> bool:
            if not front.pid:
                raise StartError(f"the front on port {self.port} ended at its start:\n{front.output}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_until(listens, f"the front on port {self.port}")

    def _arguments(self) -> Sequence[str]:
        return ()

    def _lines(self) -> list[str]:
        folder = self.process.folder
        options = {**_COMMON, "dir": str(folder), "unixsocket": self.path, "port": str(self.port)}
        if self._has_front():
            options["port"] = "0"
        elif self.tls:
            files = {"tls-ca-cert-file": "ca.pem", "tls-cert-file": "server.pem", "tls-key-file": "server.key"}
            options |= {"port": "0", "tls-port": str(self.port), "tls-auth-clients": "no"}
            options |= {name: str(folder / file) for name, file in files.items()}
        if self._durable:
            options |= {"appendonly": "yes", "appendfsync": "always"}
        if self.password is not None:
            options["requirepass"] = self.password
        options |= self._options
        lines = [f"{name} {value}" for name, value in options.items()] + [f"user {user}" for user in self._users]
        return lines + [f"loadmodule {path}" for path in self._modules]

    def stop(self) -> None:
        """Kill it, and remove its folder. A second stop does nothing."""
        self._let_go()
        if self._front is not None:
            self._front.remove()
            self._front = None
        super().stop()

    def kill(self) -> None:
        """Kill it (SIGKILL). Its port and folder stay, for `restart`."""
        self._let_go()
        if self._front is not None:
            self._front.kill()
        super().kill()

    def restart(self) -> None:
        """Start it on the same port and folder, after a kill if it still runs, and wait until it answers."""
        self.kill()
        self.run()

    def follow(self, primary: Server | None) -> None:
        """Be a replica of `primary` (of nobody for None), now or from the next start on."""
        host, port = ("127.0.0.1", str(primary.port)) if primary else ("NO", "ONE")
        if primary:
            self._options["replicaof"] = f"{host} {port}"
        else:
            self._options.pop("replicaof", None)
        if self.process.pid:
            self.call("REPLICAOF", host, port)
