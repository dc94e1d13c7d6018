"""Watches one answer go by: what it is, whether it can be read, what it used. It never holds the answer up or changes it."""

from collections.abc import Callable, Mapping
from typing import Any

from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import ChatCodec, Observed, Observer
from anygate.protocols.decompress import Decompressor
from anygate.relay.headers import Headers, value_of

TAIL_BYTES = 1 << 16
"""Of a plain answer too large to be kept, the end: its usage stands there."""

FOLLOWED_BYTES = 1 << 14
"""So often a stream that is followed is worth a look."""


class Meter:
    """One attempt's answer, as far as it has come.

    Attributes:
        is_sse: it is a stream, of events or (Gemini) of an array's elements.
        encoded: it has a content coding (its bytes travel as they are). Of a plain answer this is known once `readable` was
            asked.
        blind: the coding cannot be looked into.
        followed: somebody else reads the stream; `feed` only counts its bytes.
        seen_bytes: of a stream, without its coding; its text is never more than that.
        observed: what a complete plain answer says of itself, once `readable` was asked.
    """

    __slots__ = (
        "_codec",
        "_coding",
        "_decoder",
        "_due_bytes",
        "_headers",
        "_observer",
        "_tail",
        "blind",
        "encoded",
        "followed",
        "is_sse",
        "observed",
        "seen_bytes",
    )

    def __init__(self, codec: ChatCodec, status: int, headers: Headers, stream: bool, array: bool = False) -> None:
        """Begin with the head of the answer to a request that asked for a `stream` or not.

        Args:
            codec: of the upstream's protocol.
            status: of the answer.
            headers: of the answer.
            stream: a stream was asked for.
            array: in the form of a JSON array.
        """
        kind = value_of(headers, b"content-type")
        # An upstream that names no type has answered what it was asked for.
        self.is_sse = (
            status == 200
            and (kind != b"application/json" or array)
            and (kind[:17].lower() == b"text/event-stream" or (stream and (not kind or (array and b"json" in kind))))
        )
        self._codec = codec
        self._headers = headers
        self.encoded = self.blind = False
        self._decoder: Decompressor | None = None
        self._observer: Observer | None = None
        if self.is_sse:
            self._observer = codec.observer()
            self._find_coding()
        self.observed: Observed | None = None
        self._tail = b""
        self.seen_bytes = 0
        self.followed = False
        self._due_bytes = 0

    def _find_coding(self) -> None:
        coding = value_of(self._headers, b"content-encoding").strip().lower()
        if coding and coding != b"identity":
            self.encoded = True
            self._coding = coding
            self._decoder = Decompressor(coding)
            self.blind = self._decoder.broken

    def follow(self, observer: Observer) -> None:
        """Believe an observer who sees the whole stream, from its beginning, as another reads it."""
        self._observer = observer
        self.followed = True

    def begun(self, data: bytes) -> bool:
        """Take a block of a stream's beginning; True as soon as a token, usage or an error has come."""
        observer = self._observer
        if observer is None:
            return False
        data = self._decode(data)
        self.seen_bytes += len(data)
        observer.feed(data)
        observer.flush()
        return observer.tokens_seen or observer.usage is not None or observer.error is not None

    def feed(self, data: bytes) -> bool:
        """Take a block that was relayed; True when so much has come that `text_beyond` is worth a look."""
        observer = self._observer
        if self.followed:
            self.seen_bytes += len(data)
            due = self.seen_bytes >= self._due_bytes
            if due:
                self._due_bytes = self.seen_bytes + FOLLOWED_BYTES
            return due
        if observer is None:
            self._tail = (self._tail + data)[-TAIL_BYTES:]
            return False
        if self._decoder is not None:
            data = self._decode(data)
        self.seen_bytes += len(data)
        return observer.feed(data)

    def plain_feed(self) -> Callable[[bytes], bool]:
        """`feed` without the way to it, for a stream that is relayed as it comes; who uses it counts the bytes."""
        observer = self._observer
        return observer.feed if observer is not None and self._decoder is None else self.feed

    def text_beyond(self, bound: int, seen_bytes: int = 0) -> int:
        """UTF-8 bytes of the text that a stream has delivered so far; 0 if they are not more than `bound` for sure.

        Args:
            bound: bytes.
            seen_bytes: of the stream, where `plain_feed` was used.
        """
        observer = self._observer
        if observer is None:
            return 0
        observer.flush()
        return observer.text_bytes if max(self.seen_bytes, seen_bytes) > bound else 0

    def readable(self, body: bytes) -> bool:
        """Is the complete plain answer one that a client can read? (A coding that we do not know is left to the client.)"""
        self.observed = self._codec.observe_answer(body)
        if self.observed is not None:
            return True
        self._find_coding()
        if self.encoded and not self.blind:
            self.observed = self._codec.observe_answer(self._decode(body))
        return self.observed is not None or self.blind

    def empty(self) -> bool:
        """Did a complete stream hold not a single chunk that can be read?"""
        observer = self._observer
        if observer is None or self.blind:
            return False
        observer.finish()
        return not observer.chunks_seen and observer.error is None

    def first_error(self) -> Mapping[str, Any] | None:
        """The error event with which a stream began, if it did."""
        observer = self._observer
        return observer.error if observer is not None and not observer.tokens_seen else None

    def lone_error(self) -> Mapping[str, Any] | None:
        """The error of a complete plain answer that holds nothing else."""
        observed = self.observed
        if observed is None or observed.error is None or observed.usage is not None or observed.text_bytes:
            return None
        return observed.error

    @property
    def error(self) -> Mapping[str, Any] | None:
        """The error that a complete plain answer names."""
        return self.observed.error if self.observed is not None else None

    def result(self, size: int) -> tuple[Usage | None, int]:
        """The reported usage, or None and the bytes of text that were delivered.

        Args:
            size: bytes of the answer; they stand for its text where it cannot be looked into.
        """
        observer, observed = self._observer, self.observed
        if observed is not None:
            return observed.usage, observed.text_bytes
        if observer is None:
            return self._codec.observe_tail(self._tail), size
        observer.finish()
        if observer.usage is not None:
            return observer.usage, 0  # nobody asks for the text, and to count it is dear
        return None, size if self.blind else observer.text_bytes

    def decoded(self, body: bytes) -> bytes:
        """A complete plain answer without its content coding."""
        if not self.encoded:
            return body
        decoder = Decompressor(self._coding)
        return decoder.decompress(body)

    def _decode(self, data: bytes) -> bytes:
        decoder = self._decoder
        if decoder is None:
            return data
        plain = decoder.decompress(data)
        if decoder.broken:  # the bytes travel; only watching them ends
            self.blind = True
        return plain
