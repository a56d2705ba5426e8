"""What only the service refuses, beside the errors of the store. `problems` says how each is told over HTTP."""

from __future__ import annotations

from ..errors import ClewError


class TooLongError(ClewError):
    """The request's body is too long. HTTP 413."""


class SlowError(ClewError):
    """The request's body did not come in time. HTTP 408."""


class BusyError(ClewError):
    """This worker has as much to do as it takes on. HTTP 503."""


class RateError(ClewError):
    """This caller asks too often. HTTP 429.

    Attributes:
        wait: seconds after which to ask again.
    """

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


class PreconditionError(ClewError):
    """What `If-Match` or `If-None-Match` asks for is not so; nothing was written. HTTP 412."""


class RangeError(ClewError):
    """The file has no such part. HTTP 416.

    Attributes:
        size: bytes of the file.
    """

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class ModelError(ClewError):
    """No model answered what only a model can do; nothing was changed. HTTP 503."""


class LocalOnlyError(ClewError):
    """There is no login, so only this machine's own pages and programs may ask. HTTP 403."""


class MediaTypeError(ClewError):
    """The body is of a kind that is not taken. HTTP 415."""
