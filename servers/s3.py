"""An S3 server: moto's, a process of its own, whose buckets are in its memory. It knows conditional writes and parts.

It is not Amazon's: it checks signatures only when told to, and its promises about many writers at once are its own.
"""

from __future__ import annotations

import signal
import sys
import urllib.error
import urllib.request
from importlib.util import find_spec
from types import TracebackType
from urllib.parse import quote

from .binaries import MissingBinaryError
from .ports import Port, reserve
from .process import Process, StartError, wait_until


class ObjectServer:
    """A server of buckets. Made stopped: `start()` it, or use it as a context manager."""

    def __init__(self) -> None:
        self._port: Port | None = None
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The process; an error where it was never started, or was stopped."""
        if self._process is None:
            raise RuntimeError("the server is not started")
        return self._process

    @property
    def endpoint(self) -> str:
        """The URL of the server."""
        if self._port is None:
            raise RuntimeError("the server has no port yet: start it")
        return f"http://127.0.0.1:{self._port.number}"

    def url(self, bucket: str, prefix: str = "", **options: str | float) -> str:
        """The URL of a file store in a bucket."""
        added = "".join(f"&{name}={quote(str(value), safe='')}" for name, value in options.items())
        return f"s3://{bucket}/{quote(prefix)}?endpoint={quote(self.endpoint, safe='')}{added}"

    def call(self, method: str, path: str, body: bytes | None = None) -> str:
        """Ask it something, and return what it answers. It looks at who asks, and not whether that is true."""
        who = "AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none"
        headers = {"Authorization": who} | ({} if body is None else {"Content-Type": "application/octet-stream"})
        request = urllib.request.Request(self.endpoint + path, data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def start(self) -> ObjectServer:
        """Start it and wait until it answers, on another port where the first one was taken meanwhile.

        Raises:
            MissingBinaryError: moto or Flask is not installed.
            StartError: it did not start.
        """
        if find_spec("moto") is None or find_spec("flask") is None:
            raise MissingBinaryError("no S3 server here: install the dev group, which brings moto and flask")
        for _ in range(10):
            self._port = self._port or reserve()
            self._process = Process()
            try:
                self.run()
                return self
            except StartError as error:
                self.stop()
                if "in use" not in str(error).lower():
                    raise
            except BaseException:
                self.stop()
                raise
        raise StartError("ten ports in a row were taken")

    def run(self) -> None:
        """Run its process, which has no buckets then, and wait until it answers."""
        assert self._port is not None, "start it first"
        self.process.launch([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port.number)])

        def answers() -> bool:
            if not self.process.pid:
                raise StartError(f"the S3 server ended at its start:\n{self.process.output}")
            try:
                self.call("GET", "/moto-api/data.json")
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                return False
            return True

        wait_until(answers, f"the S3 server at {self.endpoint}", timeout=60)

    def kill(self) -> None:
        """Kill it: its buckets are gone."""
        self.process.kill()

    def pause(self) -> None:
        """Let it hang: connections are taken, and nobody answers."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.process.signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it and remove what it left. A second stop does nothing."""
        if self._process is not None:
            self._process.remove()
            self._process = None
        if self._port is not None:
            self._port.release()
            self._port = None

    def __enter__(self) -> ObjectServer:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
