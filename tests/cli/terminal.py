"""A terminal with a program in it, and its screen as a person sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyte

ROWS, COLUMNS = 60, 110
_TAKE_TERMINAL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


class Terminal:
    """Runs a program whose keyboard and screen are ours. `raw` is all that it wrote."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self._side, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.raw = b""
        self._screen = pyte.HistoryScreen(COLUMNS, ROWS, history=1_000)
        self._stream = pyte.ByteStream(self._screen)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *command],
            stdin=child,
            stdout=child,
            stderr=child,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        os.close(child)

    def text(self) -> str:
        """Return what the screen shows."""
        lines: list[str] = list(self._screen.display)
        return "\n".join(line.rstrip() for line in lines).rstrip()

    def write(self, keys: str) -> None:
        """Press keys: `\\r` is Enter, `\\x03` Ctrl-C, `\\x04` Ctrl-D."""
        os.write(self._side, keys.encode())

    def expect(self, wanted: str, *, times: int = 1, timeout: float = 40) -> str:
        """Return the screen when it shows `wanted` so many times; AssertionError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while self.text().count(wanted) < times:
            assert time.monotonic() < end, f"waited in vain for {wanted!r}:\n{self.text()}"
            if not self._read(end - time.monotonic()):
                assert self.text().count(wanted) >= times, f"it ended without {wanted!r}:\n{self.text()}"
        return self.text()

    def wait(self, timeout: float = 20) -> int:
        """Read to the end of the program, and return its exit code."""
        end = time.monotonic() + timeout
        while self._read(end - time.monotonic()):
            assert time.monotonic() < end, f"it does not end:\n{self.text()}"
        return self.process.wait(timeout=5)

    def kill(self) -> None:
        """Let the program die at once."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=5)

    def close(self) -> None:
        """Kill what still runs."""
        if self.process.poll() is None:
            self.kill()
        os.close(self._side)

    def _read(self, timeout: float) -> bool:
        """Take what the program wrote meanwhile; False when it has ended."""
        ready, _, _ = select.select([self._side], [], [], max(0.0, min(timeout, 0.2)))
        if not ready:
            return True
        try:
            written = os.read(self._side, 65536)
        except OSError:
            # Linux says it like this when the other side is closed.
            return False
        self.raw += written
        self._stream.feed(written)
        return bool(written)
