"""OpenAI Chat Completions, the stream: usage and delivered text read off bytes that travel untouched.

Source: https://platform.openai.com/docs/api-reference/chat/streaming (2026-11-20).
"""

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from anygate.canonical.usage import Usage
from anygate.protocols.json_values import object_or_none
from anygate.protocols.lenient_json import UNREADABLE, load_object, unwrap
from anygate.protocols.observing import FLUSH_BYTES
from anygate.protocols.openai_chat.answer import as_error, observe_answer, usage_of
from anygate.protocols.openai_chat.text import holds_media, text_of_choices

KEPT_BYTES = 128 * 1024
"""So much of a stream's plain events is kept unread: their text is counted only if no usage comes, or a hold runs out."""

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""A longer line or event is not looked into (its bytes still travel)."""

_USAGE = b'"usage"'
_REAL_USAGE = re.compile(rb'"usage"\s*:\s*(?!null)')
_MARKS = (b'"error"', b'"x_groq"', b"\ndata: [")
_STREAM_STARTS = (b"data:", b":", b"event:", b"id:", b"retry:")


class _Chunk(msgspec.Struct):
    """One chunk of a stream."""

    choices: list[dict[str, Any]] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None
    x_groq: Any = None


class _Delta(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A delta that holds no text but these."""

    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: None = None
    function_call: None = None
    refusal: None = None


class _TextChoice(msgspec.Struct, gc=False):
    delta: _Delta
    text: None = None


class _TextChunk(msgspec.Struct, gc=False):
    """A chunk as most are: it has nothing but text."""

    choices: list[_TextChoice]
    usage: None = None
    error: None = None
    x_groq: None = None


_decode_texts = msgspec.json.Decoder(list[_TextChunk]).decode
_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class StreamObserver:
    """Reads usage and counts delivered text of an SSE stream, whatever its blocks' boundaries.

    `feed` costs a list append. From the first token on what comes is kept unread, KEPT_BYTES at the most: at the end the
    last usage tells all, and nobody asks for the text before it (nor for an error: one that ends a stream is found, for
    then no usage comes). Events may be spread over several data lines, or not be parted by empty lines; a whole stream in
    base64 is unwrapped.
    """

    __slots__ = (
        "_event_bytes",
        "_event_lines",
        "_line",
        "_line_bytes",
        "_pending",
        "_pending_bytes",
        "_skipping",
        "_text_bytes",
        "_unread",
        "_unread_bytes",
        "chunks_seen",
        "error",
        "tokens_seen",
        "usage",
    )

    def __init__(self) -> None:
        self._pending: list[bytes] = []  # since the last flush
        self._pending_bytes = 0
        self._unread: list[bytes] = []  # before it, since the first token
        self._unread_bytes = 0
        self._line: list[bytes] = []  # the beginning of a line whose end has not come
        self._line_bytes = 0
        self._skipping = False  # inside a line too long to be kept
        self._event_lines: list[bytes] = []  # data lines that are no JSON by themselves
        self._event_bytes = 0
        self._text_bytes = 0
        self.usage: Usage | None = None
        self.chunks_seen = False  # an event that can be read has come
        self.tokens_seen = False  # something that a model generated has come
        self.error: Mapping[str, Any] | None = None

    @property
    def text_bytes(self) -> int:
        """UTF-8 bytes of generated text in the complete lines of the last `flush`."""
        if self._unread:
            self._read_unread()
        return self._text_bytes

    def feed(self, block: bytes) -> bool:
        """Take a block; True when so much waits that `flush` is due."""
        self._pending.append(block)
        self._pending_bytes += len(block)
        return self._pending_bytes >= FLUSH_BYTES

    def flush(self) -> None:
        """Look into every complete line that has come, or keep it until somebody asks."""
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        if not self.tokens_seen:
            self._read(data)
            return
        self._unread.append(data)
        self._unread_bytes += len(data)
        if self._unread_bytes > KEPT_BYTES:
            self._read_unread()

    def finish(self) -> None:
        """The stream is over: look into what is left, a last line without an end too."""
        self.feed(b"\n\n")
        self.flush()
        if self._unread and not self._find_usage():
            self._read_unread()

    def _find_usage(self) -> bool:
        """Read the last usage alone, if it is a whole event of one line; False: everything has to be read."""
        if self._event_lines or self._skipping:
            return False
        data = b"".join((*self._line, *self._unread))
        self._line.clear()
        self._line_bytes = 0
        self._unread[:] = (data,)
        place = data.rfind(_USAGE)
        if place < 0:
            return self.usage is not None
        start, end = data.rfind(b"\n\n", 0, place), data.find(b"\n\n", place)
        event = data[start + 2 if start >= 0 else 0 : end]
        if end < 0 or not event.startswith(b"data: {") or b"\n" in event or len(event) > MAX_EVENT_BYTES:
            return False
        observed = observe_answer(event[6:])
        if observed is None or observed.usage is None:
            return False
        self.usage = observed.usage
        return True

    def _read_unread(self) -> None:
        data = b"".join(self._unread)
        self._unread.clear()
        self._unread_bytes = 0
        self._read(data)

    def _read(self, data: bytes) -> None:
        """Look into every complete line."""
        end = data.rfind(b"\n") + 1
        if not end and (b"\r" in data or (self._line and self._line[-1].endswith(b"\r"))):
            # Lines may end in a lone CR; one at the very end may be half of a CRLF.
            data = b"".join((*self._line, data))
            end = data.rfind(b"\r", 0, -1) + 1
            self._line.clear()
            self._line_bytes = 0
        if not end:
            self._keep(data)
            return
        whole = b"".join((*self._line, data[:end])) if self._line else data[:end]
        self._line.clear()
        self._line_bytes = 0
        if self.tokens_seen and not self._event_lines and not self._skipping:
            whole = self._count_texts(whole.lstrip(b"\n"))
        self._read_lines(whole)
        if end < len(data):
            self._keep(data[end:])

    def _read_lines(self, whole: bytes) -> None:
        for line in whole.splitlines():
            if self._skipping:
                self._skipping = False
            elif line:
                if len(line) <= MAX_EVENT_BYTES:
                    self._take(line)
            elif self._event_lines:
                self._end_event()

    def _count_texts(self, whole: bytes) -> bytes:
        """Count the text of plain events together; gives the rest, from the first that holds usage or an error."""
        cut = whole.rfind(b"\n\n") + 2
        size = _text_of_plain(whole[:cut])
        if size is None:
            marks = [place for place in map(whole.find, _MARKS) if place >= 0]
            if _USAGE in whole and (usage := _REAL_USAGE.search(whole)) is not None:
                marks.append(usage.start())
            cut = whole.rfind(b"\n\n", 0, min(marks) + 1 if marks else len(whole)) + 2
            size = _text_of_plain(whole[:cut])
        if size is None:
            return whole
        self._text_bytes += size
        return whole[cut:]

    def _keep(self, part: bytes) -> None:
        if self._skipping or not part:
            return
        self._line.append(part)
        self._line_bytes += len(part)
        if self._line_bytes > MAX_EVENT_BYTES:
            self._line.clear()
            self._line_bytes = 0
            self._skipping = True

    def _take(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            payload = line[5:].strip()
            if self._event_lines:
                self._event_lines.append(payload)
                self._event_bytes += len(payload)
                if self._event_bytes > MAX_EVENT_BYTES:
                    self._end_event()
            elif payload.startswith(b"{") and not self._event(payload):
                self._event_lines = [payload]
                self._event_bytes = len(payload)
        elif not self._text_bytes and not self._unread and self.usage is None:
            text = unwrap(line)
            if text is not None and text.startswith(_STREAM_STARTS):
                for inner in text.splitlines():
                    self._take(inner)
                    if not inner and self._event_lines:
                        self._end_event()

    def _end_event(self) -> None:
        """Data lines that failed one by one: they are one event, or garbage between events without empty lines."""
        lines, self._event_lines = self._event_lines, []
        if len(lines) > 1 and not self._event(b"\n".join(lines)):
            for line in lines[1:]:
                if line.startswith(b"{"):
                    self._event(line)

    def _event(self, payload: bytes) -> bool:
        """Look into one event; False if it is no JSON object."""
        try:
            chunk = _decode_chunk(payload)
        except UNREADABLE:
            document = load_object(payload)
            if document is None:
                return False
            choices = document.get("choices")
            chunk = _Chunk(
                choices=[choice for choice in cast("list[Any]", choices) if isinstance(choice, dict)]
                if isinstance(choices, list)
                else None,
                usage=object_or_none(document.get("usage")),
                error=document.get("error"),
                x_groq=document.get("x_groq"),
            )
        self.chunks_seen = True
        if chunk.choices:
            size = text_of_choices(chunk.choices, "delta")
            if size:
                self._text_bytes += size
                self.tokens_seen = True
            elif not self.tokens_seen:
                self.tokens_seen = holds_media(chunk.choices)
        if chunk.usage is not None or chunk.x_groq is not None:
            self.usage = usage_of(chunk.usage, chunk.x_groq) or self.usage
        if chunk.error:
            self.error = as_error(chunk.error)
        return True


def _text_of_plain(events: bytes) -> int | None:
    """UTF-8 bytes of the text in events, read together; None: they are not all of one line and nothing but text."""
    if not events.startswith(b"data: {") or len(events) > MAX_EVENT_BYTES:
        return None
    try:
        chunks = _decode_texts(b"[%b]" % events[6:-2].replace(b"\n\ndata: ", b","))
    except UNREADABLE:
        return None
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    text = "".join([delta.content for delta in deltas if delta.content])
    thought = "".join([delta.reasoning_content for delta in deltas if delta.reasoning_content])
    return sum(len(part) if part.isascii() else len(part.encode()) for part in (text, thought))
