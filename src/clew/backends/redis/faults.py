"""From what redis-py and the server say to the errors clew raises, and which of them mean "try again".

No message carries a payload or a credential: the server's own words are cut to their first line.
"""

from __future__ import annotations

from typing import Final

from redis import exceptions as redis_errors

from ...errors import ClewError, DeniedError, FullError, InvalidError, UnavailableError, UnsupportedError

_REFUSED_FOR_NOW: Final = ("TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "LOADING", "NOREPLICAS", "BUSY ", "UNBLOCKED")
_DENIED: Final = ("NOAUTH", "WRONGPASS", "NOPERM", "ACL failure in script", "The user executing the script can't")
_FULL: Final = ("OOM", "MISCONF")


_KINDS: Final = {"NOSCRIPT": redis_errors.NoScriptError, "MOVED": redis_errors.MovedError, "ASK": redis_errors.AskError}
"""The errors that say what to do next; all others are told apart by their words."""


def make_error(said: str) -> redis_errors.ResponseError:
    """Return the error for what the server said, as the parser found it."""
    code, _, rest = said.partition(" ")
    kind = _KINDS.get(code)
    return kind(rest) if kind is not None else redis_errors.ResponseError(said)


def is_connection_fault(error: BaseException) -> bool:
    """Tell whether the connection is at fault: what was sent may or may not have been done."""
    return isinstance(error, redis_errors.ConnectionError | redis_errors.TimeoutError | OSError) and not (
        is_denied(error) or is_untrusted(error)
    )


def is_untrusted(error: BaseException) -> bool:
    """Tell whether the server's certificate is at fault: asking again would find the same one."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def is_denied(error: BaseException) -> bool:
    """Tell whether the server refused this user."""
    return isinstance(
        error, redis_errors.AuthenticationError | redis_errors.AuthorizationError | redis_errors.NoPermissionError
    ) or any(word in str(error) for word in _DENIED)


def is_refused_for_now(error: BaseException) -> bool:
    """Tell whether the server did nothing, and may do it in a moment: loading, failing over, moving a slot."""
    if isinstance(
        error,
        redis_errors.TryAgainError
        | redis_errors.ClusterDownError
        | redis_errors.ReadOnlyError
        | redis_errors.BusyLoadingError
        | redis_errors.MovedError
        | redis_errors.AskError,
    ):
        return True
    return str(error).startswith(_REFUSED_FOR_NOW) or is_read_only(error)


def is_read_only(error: BaseException) -> bool:
    """Tell whether the server follows another one, which takes the writes."""
    text = str(error)
    return text.startswith("READONLY") or "-READONLY" in text


def translate(error: BaseException, place: str) -> ClewError:
    """Return the error to raise for what the server or the connection said.

    Args:
        error: redis-py's.
        place: where the store is, credentials masked.
    """
    if isinstance(error, ClewError):
        return error
    said = str(error).split("\n", 1)[0][:200]
    if is_denied(error):
        return DeniedError(f"{place} refused this user ({said}): check the user, the password and the ACL")
    if isinstance(error, redis_errors.OutOfMemoryError) or said.startswith(_FULL) or "OOM command not allowed" in said:
        return FullError(f"{place} refuses writes, and nothing was written ({said}): free memory or disk there")
    if is_untrusted(error):
        return UnsupportedError(f"{place} shows a certificate nobody vouches for ({said}): name its authority by ssl_ca_certs")
    if is_connection_fault(error) or is_refused_for_now(error):
        return UnavailableError(f"{place} cannot be reached ({said or type(error).__name__}): try again later")
    if "WRONGTYPE" in said:
        return InvalidError(f"the key holds another type than the one asked for ({said}): use another key")
    return UnsupportedError(f"{place} answered what clew does not expect: {said or type(error).__name__}")


def explain_no_cluster(error: BaseException, place: str) -> ClewError:
    """Return the error to raise where redis-py could not begin with a cluster."""
    if "not enabled" in str(error):
        return UnsupportedError(f"{place} is not a cluster: use redis:// in the URL")
    cause = error.__cause__
    return translate(cause, place) if cause is not None else UnavailableError(f"{place}: {error}")
