"""What the observers of event streams share: blocks wait until a look at them pays, and are taken apart by a decoder."""

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

from anygate.canonical.usage import Usage

FLUSH_BYTES = 16 * 1024
"""A stream's blocks are looked at this much at a time: the cost per event stays near nothing, memory is bounded."""

_E = TypeVar("_E")


class EventDecoder(Protocol[_E]):
    """A stream's bytes in any slices -> the events that are complete."""

    def feed(self, block: bytes) -> list[_E]:
        """The events that are complete now."""
        ...

    def finish(self) -> list[_E]:
        """The body is over: the rest."""
        ...


class EventObserver(Generic[_E]):
    """Reads usage and counts delivered text of an event stream, whatever its blocks' boundaries: a `chat_codec.Observer`.

    `feed` costs a list append; events are looked into when FLUSH_BYTES have come or when asked. A protocol says in `_look`
    what it reads in them.
    """

    __slots__ = ("_decoder", "_pending", "_pending_bytes", "chunks_seen", "error", "text_bytes", "tokens_seen", "usage")

    def __init__(self, decoder: EventDecoder[_E]) -> None:
        self._decoder = decoder
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.usage: Usage | None = None
        self.text_bytes: int = 0
        self.chunks_seen = False  # an event that can be read has come
        self.tokens_seen = False  # something that a model generated has come
        self.error: Mapping[str, Any] | None = None

    def feed(self, block: bytes) -> bool:
        """Take a block; True when so much waits that `flush` is due."""
        self._pending.append(block)
        self._pending_bytes += len(block)
        return self._pending_bytes >= FLUSH_BYTES

    def flush(self) -> None:
        """Look into every complete event that has come."""
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        self._look(self._decoder.feed(data))

    def finish(self) -> None:
        """The stream is over: look into what is left, a last event without an end too."""
        self.flush()
        self._look(self._decoder.finish())

    def _look(self, events: list[_E]) -> None:
        raise NotImplementedError
