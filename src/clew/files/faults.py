"""What the system says when it cannot do something with a file, as the errors of clew."""

from __future__ import annotations

import errno
from typing import Final

from ..errors import ClewError, DeniedError, FullError, InvalidError, UnavailableError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})


def fault_of(error: OSError, name: str) -> ClewError:
    """Return the error to raise in place of the system's; `name` is what to call the place."""
    said = error.strerror or type(error).__name__
    if error.errno in _FULL:
        return FullError(f"{name} takes no more ({said}): make room, then try again; nothing was written")
    if error.errno in _DENIED:
        return DeniedError(f"{name} may not be used by this process ({said}): mend its permissions, or choose another place")
    if error.errno == errno.ENAMETOOLONG:
        return InvalidError(f"{name} cannot hold a name this long: choose a shorter one")
    return UnavailableError(f"{name} cannot be used ({said})")
