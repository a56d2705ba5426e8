"""Compression: what is large enough is stored as zstd made it, where that is smaller. What it may become again is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ..errors import MissingExtraError, UnreadableError
from ..frames import SQUEEZED
from ..limits import MAX_DATA_BYTES
from ..records import Entry, Partition
from .coding import mark

try:
    import zstandard
except ImportError as e:
    raise MissingExtraError("compression", "compression") from e

ABOVE: Final = 256
"""Bytes from which something is compressed where nobody says otherwise: less does not become much smaller."""
LEVEL: Final = 3
_ZSTD: Final = SQUEEZED + b"\1"
_AS_IT_IS: Final = SQUEEZED + b"\0"
"""Before bytes that begin as a frame does and are none."""
_TOO_MUCH: Final = f"it would become more than {MAX_DATA_BYTES:,} bytes, which nothing that clew stored has: it is refused"


class Squeezing:
    """The coding that compresses.

    Args:
        above: bytes from which something is compressed.
    """

    def __init__(self, above: int = ABOVE) -> None:
        self._above = above
        self._compress = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True, write_checksum=True).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    @property
    def newest_key(self) -> str | None:
        """See Coding.newest_key."""
        return None

    def encode(self, place: bytes, data: bytes) -> bytes:
        """See Coding.encode."""
        if len(data) >= self._above:
            frame = _ZSTD + self._compress(data)
            if len(frame) < len(data):
                return frame
        return _AS_IT_IS + data if data.startswith(SQUEEZED) else data

    def decode(self, place: bytes, stored: bytes) -> bytes:
        """See Coding.decode."""
        if not stored.startswith(SQUEEZED):
            return stored
        if stored.startswith(_AS_IT_IS):
            return stored[len(_AS_IT_IS) :]
        if not stored.startswith(_ZSTD):
            raise UnreadableError("it is compressed in a format that is not known: upgrade clew to read it")
        frame = stored[len(_ZSTD) :]
        try:
            # Said by the frame's head, and held to: what would become more is given up there.
            size = zstandard.frame_content_size(frame)
            if not 0 <= size <= MAX_DATA_BYTES:
                raise UnreadableError(_TOO_MUCH)
            return self._decompress(frame, max_output_size=size, allow_extra_data=False)
        except zstandard.ZstdError as e:
            raise UnreadableError(f"it was compressed, and is damaged ({e}): take it from a backup") from e

    def encode_entry(self, partition: Partition, log: str, entry: Entry) -> Entry:
        """See Coding.encode_entry."""
        if entry.unreadable is not None:
            return entry
        data = self.encode(b"", entry.data)
        return entry if data is entry.data else msgspec.structs.replace(entry, data=data)

    def decode_entries(self, partition: Partition, log: str, stored: Sequence[Entry]) -> list[Entry]:
        """See Coding.decode_entries."""
        return [self._decode(each) if each.data.startswith(SQUEEZED) else each for each in stored]

    def _decode(self, stored: Entry) -> Entry:
        if stored.unreadable is not None:
            return stored
        try:
            return msgspec.structs.replace(stored, data=self.decode(b"", stored.data))
        except UnreadableError as e:
            return mark(stored, str(e))

    def encode_digests(self, place: bytes, digest: bytes) -> Sequence[bytes]:
        """See Coding.encode_digests."""
        return (digest,)

    def describe(self) -> dict[str, str | int | float | bool | None]:
        """See Coding.describe."""
        return {"compression": f"zstd, from {self._above} bytes on"}
