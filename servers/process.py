"""A server process in a folder of its own: started, watched, paused, killed, and never left behind.

It dies with the process that started it, also when that is killed; its output is in a file, and in the error of a failed start.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

_FAMILY: Final = "clew-server-"
PREFIX: Final = f"{_FAMILY}{os.getpid()}-"
"""How the temporary folders of this process's servers begin."""

_LAUNCHER: Final = str(Path(__file__).with_name("launcher.py"))
# The kernel tells a child of the end of the *thread* that started it, so all are started by one that stays.
_spawner = ThreadPoolExecutor(1, thread_name_prefix="servers")
_alive: weakref.WeakSet[Process] = weakref.WeakSet()


class StartError(Exception):
    """The server did not start; the message has the end of its output."""


class Process:
    """One server process, which may be started again in the same folder."""

    def __init__(self) -> None:
        remove_orphans()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._popen: subprocess.Popen[bytes] | None = None
        _alive.add(self)

    @property
    def pid(self) -> int:
        """The process id, 0 where none runs."""
        return self._popen.pid if self._popen is not None and self._popen.poll() is None else 0

    @property
    def output(self) -> str:
        """The last 4,000 characters of what it said."""
        path = self.folder / "output"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def launch(self, command: Sequence[str]) -> None:
        """Start `command` in the folder."""
        if self.pid:
            raise RuntimeError("it runs already")
        with (self.folder / "output").open("ab") as output:
            arguments = [sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), *command]
            self._popen = _spawner.submit(
                lambda: subprocess.Popen(
                    arguments, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
                )
            ).result()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._popen is None:
            raise RuntimeError("it was not started")
        self._popen.send_signal(number)

    def kill(self) -> None:
        """Kill it (SIGKILL works on a paused one too) and wait until it is gone."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def remove(self) -> None:
        """Kill it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        _alive.discard(self)


def wait_until(ready: Callable[[], bool], what: str, timeout: float = 20) -> None:
    """Return when `ready()` is true, asked again every 10 ms; StartError after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > end:
            raise StartError(f"waited {timeout} seconds in vain for {what}")
        time.sleep(0.01)


def running() -> list[Process]:
    """The processes whose folders are not removed yet: none, when everything was stopped."""
    return list(_alive)


def remove_orphans() -> None:
    """Remove the folders whose owner was killed before it could do so; their servers died with it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FAMILY}*-*"):
        owner = folder.name.split("-")[2]
        try:
            os.kill(int(owner), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:
            continue  # it lives, and is somebody else's


@atexit.register
def _remove_all() -> None:
    for process in running():
        process.remove()
