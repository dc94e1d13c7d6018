"""Writes lines to a descriptor whose reader may stop to read without leaving: a paused terminal, a supervisor that hangs."""

import os
import threading


class LineWriter:
    """One thread at a time, which nobody waits for at the end of the process.

    Args:
        descriptor: where the lines go.
        patience: seconds in which a reader is waited for; what comes while it still has not read is dropped.
    """

    def __init__(self, descriptor: int, patience: float) -> None:
        self._descriptor = descriptor
        self._patience = patience
        self._thread: threading.Thread | None = None
        self._failure: OSError | None = None

    def write(self, lines: bytes) -> None:
        """Write, or leave it to the thread what the reader takes later.

        Raises:
            OSError: the lines were dropped, or those before them were in part.
        """
        thread = self._thread
        if thread is not None and thread.is_alive():
            raise BlockingIOError("nobody reads them")
        self._failure = None
        thread = self._thread = threading.Thread(
            target=self._write, args=(lines,), name="anygate-log-lines", daemon=True
        )
        thread.start()
        thread.join(self._patience)
        if self._failure is not None:
            raise self._failure

    def _write(self, lines: bytes) -> None:
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self._failure = error
