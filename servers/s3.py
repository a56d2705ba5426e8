"""An S3 server: moto's, a process of its own, whose buckets are in its memory. It knows conditional writes and parts.

It is not Amazon's: it checks signatures only when told to. `s3_program.py` has it keep S3's promise about conditional writes.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from .binaries import MissingBinaryError
from .process import StartError, wait_until
from .single import Single


class ObjectServer(Single):
    """A server of buckets. Made stopped: `start()` it, or use it as a context manager."""

    @property
    def endpoint(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self.port}"

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

    def _prepare(self) -> None:
        if find_spec("moto") is None or find_spec("flask") is None:
            raise MissingBinaryError("no S3 server here: install the dev group, which brings moto and flask")

    def run(self) -> None:
        """Run its process, which has no buckets then, and wait until it answers."""
        self.process.launch([sys.executable, str(Path(__file__).with_name("s3_program.py")), str(self.port)])

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
        super().kill()
