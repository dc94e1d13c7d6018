"""A request body: bytes while it is small, an unlinked spool file when it is not. Failover can replay either."""

import mmap
import tempfile
from typing import IO

import msgspec

Buffer = bytes | mmap.mmap

SPOOL_ABOVE = 1 << 20


class Body(msgspec.Struct, gc=False):
    """Collects a body as it arrives. One that came at once and is not above SPOOL_ABOVE is `Body(it, its size, True)`.

    Attributes:
        size: bytes so far.
        complete: all of it is here; `buffer()` may be called.
    """

    _buffer: Buffer | None = None
    size: int = 0
    complete: bool = False
    _parts: list[bytes] | None = None
    _spool: IO[bytes] | None = None

    def append(self, data: bytes) -> None:
        """Take what arrived. Past SPOOL_ABOVE everything goes to a file that has no name."""
        self.size += len(data)
        if self._spool is not None:
            self._spool.write(data)
            return
        if self._parts is None:
            self._parts = [data]
        else:
            self._parts.append(data)
        if self.size > SPOOL_ABOVE:
            self._spool = tempfile.TemporaryFile(prefix="anygate-")  # noqa: SIM115 - lives as long as the body
            self._spool.write(b"".join(self._parts))
            self._parts = None

    def buffer(self) -> Buffer:
        """The whole body; a spooled one is mapped, not read."""
        if self._buffer is None:
            if self._spool is None:
                parts = self._parts or ()
                self._buffer = parts[0] if len(parts) == 1 else b"".join(parts)
            else:
                self._spool.flush()
                self._buffer = mmap.mmap(self._spool.fileno(), 0, access=mmap.ACCESS_READ)
        return self._buffer

    def discard(self) -> None:
        """Forget the bytes; the spool's space is free as soon as nobody maps it."""
        self._buffer = None
        if self._parts is not None:
            self._parts = None
        if self._spool is not None:
            self._spool.close()
            self._spool = None
