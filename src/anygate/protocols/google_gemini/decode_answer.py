"""Gemini's answer -> events: one reader for plain answers and for the frames of a stream.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse (2026-11-22) and recorded answers.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from anygate.canonical.chat_events import ChatEvent, Failed, Finished, Started, TextDelta, Used
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Source
from anygate.protocols.google_gemini.candidate import Candidate
from anygate.protocols.google_gemini.finish import BAD_CALLS
from anygate.protocols.google_gemini.frames import FrameDecoder, load_answer, load_frame
from anygate.protocols.google_gemini.observe import StreamObserver, block_reason, error_of, reported_usage
from anygate.protocols.google_gemini.usage import GROUNDING, Searches, decode_usage


class FrameReader:
    """Frames in order -> events.

    A choice finishes with the stream, not with its `finishReason`: some upstreams repeat that on every frame, and
    grounding may follow it.
    """

    __slots__ = ("_candidates", "_id", "_reported", "_searches", "_source", "_started", "failed")

    def __init__(self, source: Source, searches: Searches) -> None:
        """`searches`: what was searched in the frames so far; who hands them in keeps it."""
        self._source = source
        self._candidates: dict[int, Candidate] = {}
        self._id = ""
        self._started = False
        self._reported: Mapping[str, Any] | None = None
        self._searches = searches
        self.failed = False

    def take(self, frame: dict[str, Any], reported: Mapping[str, Any] | None) -> list[ChatEvent]:
        """The events of one frame, which reported this usage; none after a failure."""
        if self.failed:
            return []
        events: list[ChatEvent] = []
        self._reported = reported or self._reported
        if frame.get("error"):
            return self._fail(_failure(frame["error"]))
        if not self._started:
            self._started = True
            self._id = _text(frame, "responseId")
            events.append(Started(self._id, _text(frame, "modelVersion"), _created(frame), self._usage()))
        candidates = frame.get("candidates")
        if isinstance(candidates, list):
            for position, candidate in enumerate(cast("list[Any]", candidates)):
                if isinstance(candidate, dict):
                    self._take_candidate(cast("dict[str, Any]", candidate), position, events)
        if not self._candidates:
            reason = block_reason(frame)
            if reason:
                events += self._fail(Failed(f"The prompt was blocked: {reason}", "content_filter", 400))
        return events

    def more(self, frame: dict[str, Any], reported: Mapping[str, Any] | None) -> TextDelta | None:
        """The usual frame: more of the text that a candidate is in, and nothing else. None: it is another."""
        try:
            (body,) = frame["candidates"]
            (part,) = body["content"]["parts"]
            text, index = part["text"], body.get("index", 0)
            candidate = self._candidates[index]
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        if not text or type(text) is not str or type(index) is not int or self.failed or "error" in frame:
            return None
        if len(part) != 1 or len(body) != 1 + ("index" in body):
            return None
        delta = candidate.more(text)
        if delta is not None and reported is not None:
            self._reported = reported
        return delta

    def _take_candidate(self, body: dict[str, Any], position: int, events: list[ChatEvent]) -> None:
        index = body.get("index")
        choice = index if type(index) is int and 0 <= index < 1 << 16 else position
        candidate = self._candidates.get(choice)
        if candidate is None:
            candidate = self._candidates[choice] = Candidate(choice, self._id, self._source)
        candidate.take(body, events)

    def finish(self, *, stream: bool) -> list[ChatEvent]:
        """The answer is over.

        Args:
            stream: only a finish reason tells that a stream is complete.
        """
        if self.failed:
            return []
        if not self._candidates and self._reported is None:
            return self._fail(Failed("The upstream's answer holds no candidate", "empty_answer", 502))
        events: list[ChatEvent] = []
        for choice in sorted(self._candidates):
            candidate = self._candidates[choice]
            candidate.close(events)
            if candidate.reason in BAD_CALLS:
                message = f"The model's answer is unusable: {candidate.message or candidate.reason}"
                return events + self._fail(Failed(message, candidate.reason, 502))
            if stream and not candidate.reason:
                return events + self._fail(Failed("The upstream's stream ended before its end", "incomplete", 502))
            events.append(candidate.finished())
        if not self._candidates:
            events.append(Finished("other", detail="the upstream gave no candidate"))
        usage = self._usage()
        return events if usage is None else [*events, Used(usage)]

    def _usage(self) -> Usage | None:
        """Every frame repeats it; only the first and the last are looked into."""
        return decode_usage(self._reported, self._searches.fees) if self._reported is not None else None

    def _fail(self, failed: Failed) -> list[ChatEvent]:
        self.failed = True
        usage = self._usage()
        return [failed] if usage is None else [Used(usage), failed]


class AnswerStreamDecoder:
    """An upstream's stream in either form -> events; any slices. A `chat_codec.WatchedDecoder`."""

    __slots__ = ("_frames", "_reader", "observer")

    def __init__(self, source: Source) -> None:
        self.observer = StreamObserver()
        self._frames = FrameDecoder()
        self._reader = FrameReader(source, self.observer.searches)

    def feed(self, block: bytes) -> list[ChatEvent]:
        """The events that are complete now."""
        return self._take(self._frames.feed(block))

    def finish(self) -> list[ChatEvent]:
        """The rest; `Failed` last if the stream broke off."""
        return self._take(self._frames.finish()) + self._reader.finish(stream=True)

    def _take(self, texts: list[bytes]) -> list[ChatEvent]:
        events: list[ChatEvent] = []
        for text in texts:
            frame = load_frame(text)
            if frame is not None:
                reported = reported_usage(frame)
                more = self._reader.more(frame, reported)
                if more is not None:
                    self.observer.take_text(more.text, reported)
                    events.append(more)
                    continue
                self.observer.take(frame, reported)
                if GROUNDING in text:
                    self.observer.searches.take(frame)
                events += self._reader.take(frame, reported)
        return events


def decode_answer(body: bytes, source: Source) -> list[ChatEvent]:
    """The events of a complete plain answer.

    Raises:
        ProtocolViolation: it holds no object, or one that is no answer.
    """
    frames = load_answer(body)
    if not any(isinstance(frame.get(name), list | dict) for frame in frames for name in _MEMBERS):
        raise ProtocolViolation("the answer is no GenerateContentResponse")
    searches = Searches()
    reader = FrameReader(source, searches)
    events: list[ChatEvent] = []
    for frame in frames:
        searches.take(frame)
        events += reader.take(frame, reported_usage(frame))
    return events + reader.finish(stream=False)


_MEMBERS = ("candidates", "promptFeedback", "usageMetadata", "error")


def _failure(error: Any) -> Failed:
    shaped = error_of(error)
    message, kind, status = shaped.get("message"), shaped.get("type"), shaped.get("status")
    return Failed(
        message if isinstance(message, str) else "The upstream broke off with an error",
        kind if isinstance(kind, str) else "",
        status if type(status) is int and 100 <= status < 600 else 0,
    )


def _text(frame: Mapping[str, Any], name: str) -> str:
    value = frame.get(name)
    return value if isinstance(value, str) else ""


def _created(frame: Mapping[str, Any]) -> int:
    """`createTime`, which Google's cloud endpoint adds, in unix seconds; 0 where there is none."""
    try:
        return max(0, int(datetime.fromisoformat(_text(frame, "createTime")).timestamp()))
    except (ValueError, OverflowError, OSError):
        return 0
