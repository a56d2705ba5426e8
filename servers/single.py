"""One server process on a loopback port of its own, which it keeps over kills and restarts."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from .ports import Port, reserve
from .process import Process, StartError


class Single(ABC):
    """A server process. Made stopped: `start()` it, or use it as a context manager."""

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
    def port(self) -> int:
        """The port, the same for the server's whole life."""
        if self._port is None:
            raise RuntimeError("the server has no port yet: start it")
        return self._port.number

    def reserve(self) -> None:
        """Choose the port now, for others to know before the start."""
        self._port = self._port or reserve()

    def start(self) -> Self:
        """Start it and wait until it answers, on another port where the first one was taken meanwhile.

        Raises:
            MissingBinaryError: it is not installed.
            StartError: it did not start.
        """
        for _ in range(10):
            self.reserve()
            self._process = Process()
            try:
                self._prepare()
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

    @abstractmethod
    def _prepare(self) -> None:
        """Put into the fresh folder what stays there over restarts; MissingBinaryError where there is nothing to start."""

    @abstractmethod
    def run(self) -> None:
        """Run its process, in the folder it has, and wait until it answers."""

    def kill(self) -> None:
        """Kill it (SIGKILL). Its port and folder stay, for `run`."""
        self.process.kill()

    def pause(self) -> None:
        """Stop it in its tracks (SIGSTOP): connections stay open and nothing answers."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after a pause."""
        self.process.signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it, and remove its folder. A second stop does nothing."""
        if self._process is not None:
            self._process.remove()
            self._process = None
        if self._port is not None:
            self._port.release()
            self._port = None

    def __enter__(self) -> Self:
        return self if self._process is not None else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
