"""The program of the S3 server: moto's, which takes one conditional write at a time.

S3 looks at a condition and writes in one step. Moto's threads look first and write then, so that of several at once two may win.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH")


def take_turns(application: Application) -> Application:
    """Return the application with its conditional writes one after the other."""
    turn = threading.Lock()

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") or not any(name in environ for name in CONDITIONS):
            return application(environ, start)
        with turn:
            return list(application(environ, start))

    return answer


def main(port: int) -> None:
    """Serve on a port of loopback, until killed."""
    moto = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", port, take_turns(moto), threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main(int(sys.argv[1]))
