"""Undoing an answer's content coding, to look into it."""

import zlib

MAX_DECODED_BYTES = 64 * 1024 * 1024
"""An encoded answer is not looked into beyond this."""

MOST_MEMBERS = 1024
"""Nor beyond so many gzip files in a row: each is begun anew and may be empty."""

_GZIP_OR_ZLIB = 47
_SLICE = 1 << 16  # what stands behind a member's end is copied: so much at the most


class Decompressor:
    """Undoes an answer's content coding, to observe it; bounded, so that a small answer never fills the memory.

    Attributes:
        broken: the coding is unknown, its bytes are not sound, or it unfolds to more than MAX_DECODED_BYTES, or has more than
            MOST_MEMBERS.
    """

    __slots__ = ("_inner", "_left", "_members", "broken")

    def __init__(self, content_encoding: bytes) -> None:
        self.broken = content_encoding.strip().lower() not in (b"gzip", b"x-gzip", b"deflate")
        self._inner = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
        self._left = MAX_DECODED_BYTES
        self._members = 0

    def decompress(self, data: bytes) -> bytes:
        """What the bytes unfold to; nothing once it is broken."""
        if self.broken:
            return b""
        if len(data) <= _SLICE:
            return self._piece(data)
        return b"".join(self._piece(data[start : start + _SLICE]) for start in range(0, len(data), _SLICE))

    def _piece(self, data: bytes) -> bytes:
        plain = b""
        try:
            while data and not self.broken:
                if self._inner.eof:  # a gzip file may have several members
                    self._inner = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
                    self._members += 1
                piece = self._inner.decompress(data, self._left)
                plain = plain + piece if plain else piece
                self._left -= len(piece)
                self.broken = self._left <= 0 or self._members > MOST_MEMBERS
                data = self._inner.unused_data
        except zlib.error:
            self.broken = True
        return plain
