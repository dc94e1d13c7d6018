"""Usage, errors and delivered text read off answers that travel untouched.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, cast

from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Observed
from anygate.protocols.google_gemini.frames import FrameDecoder, load_answer, load_frame
from anygate.protocols.google_gemini.text import text_of_frame, text_size
from anygate.protocols.google_gemini.usage import GROUNDING, Searches, decode_usage, says_something
from anygate.protocols.json_values import as_objects
from anygate.protocols.lenient_json import last_object, unwrap_object
from anygate.protocols.observing import EventObserver


class StreamObserver(EventObserver[bytes]):
    """Reads usage, which every frame repeats and the last one settles, and counts text; either form, any slices."""

    __slots__ = ("_reported", "searches")

    def __init__(self) -> None:
        super().__init__(FrameDecoder())
        self._reported: Mapping[str, Any] | None = None  # the last usage of the frames that were just looked into
        self.searches = Searches()

    def _look(self, events: list[bytes]) -> None:
        for text in events:
            frame = load_frame(text)
            if frame is not None:
                self.take(frame, reported_usage(frame))
                if GROUNDING in text:
                    self.searches.take(frame)
        self._settle()

    def look_at(self, frames: list[dict[str, Any]]) -> None:
        """Look into frames that were read already."""
        for frame in frames:
            self.take(frame, reported_usage(frame))
            self.searches.take(frame)
        self._settle()

    def _settle(self) -> None:
        if self._reported is not None:
            self.usage = decode_usage(self._reported, self.searches.fees)
            self._reported = None

    def take_text(self, text: str, reported: Mapping[str, Any] | None) -> None:
        """As `take`, of a frame that holds this text and nothing else."""
        self.text_bytes += text_size(text)
        self.tokens_seen = self.chunks_seen = True
        if reported is not None:
            self._reported = reported

    def take(self, frame: dict[str, Any], reported: Mapping[str, Any] | None) -> None:
        """Look into a frame and the usage that it reported; `flush` makes that known."""
        self.chunks_seen = True
        size, anything = text_of_frame(frame)
        self.text_bytes += size
        # A blocked prompt is the model's whole answer: there is no token to wait for.
        if not self.tokens_seen:
            self.tokens_seen = anything or bool(block_reason(frame))
        self._reported = reported or self._reported
        if frame.get("error"):
            self.error = error_of(frame["error"])


def observe_answer(body: bytes) -> Observed | None:
    """A complete plain answer, or None if it holds no JSON object.

    An answer wrapped in base64, as some cloud gateways hand it on, is unwrapped to be observed; such a one passes even where
    its text was cut off.
    """
    frames = load_answer(body)
    if not frames:
        inner = unwrap_object(body.strip())
        return Observed(observe_tail(inner), 0) if inner is not None else None
    observer = StreamObserver()
    observer.look_at(frames)
    return Observed(observer.usage, 0 if observer.usage is not None else observer.text_bytes, observer.error)


def observe_tail(tail: bytes) -> Usage | None:
    """The usage in the last bytes of a plain answer too large to be kept (images): it stands near the end."""
    usage = last_object(tail, "usageMetadata")
    if usage is None:
        return None
    reported = reported_usage({"usageMetadata": usage})
    return decode_usage(reported) if reported is not None else None


def reported_usage(frame: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a frame says of tokens, as it came; None where it says nothing."""
    metadata = frame.get("usageMetadata")
    if not isinstance(metadata, dict):
        return None
    metadata = cast("dict[str, Any]", metadata)
    return metadata if says_something(metadata) else None


def block_reason(frame: Mapping[str, Any]) -> str:
    """Why the prompt was blocked; "" if it was not."""
    feedback = frame.get("promptFeedback")
    if not isinstance(feedback, dict):
        return ""
    reason = cast("dict[str, Any]", feedback).get("blockReason")
    return reason if isinstance(reason, str) else ""


def decode_error(body: bytes) -> Mapping[str, Any] | None:
    """A refusal as `{"message", "type", "code", "status"}`, or None where the body is no object.

    `type` is Google's status name ("NOT_FOUND"), `code` the reason in its details ("API_KEY_INVALID") or that name again,
    `status` the number.
    """
    frames = load_answer(body)
    if not frames:
        return None
    return error_of(frames[0].get("error", frames[0]))


def error_of(error: Any) -> Mapping[str, Any]:
    """An `error` member of any shape, as `decode_error` gives it."""
    if not isinstance(error, dict):
        return {"message": error if isinstance(error, str) else str(error)}
    error = cast("dict[str, Any]", error)
    name = error.get("status")
    reasons = (detail.get("reason") for detail in as_objects(error.get("details")))
    reason = next((reason for reason in reasons if isinstance(reason, str) and reason), None)
    number = error.get("code")
    shaped = {name: value for name, value in error.items() if name in ("message", "detail")}
    if isinstance(name, str):
        shaped["type"] = name
    if reason or isinstance(name, str) or number is not None:
        shaped["code"] = reason or (name if isinstance(name, str) else number)
    if type(number) is int:
        shaped["status"] = number
    return shaped or error


def count_answer(tokens: int) -> bytes:
    """The body of `countTokens`. Source: https://ai.google.dev/api/tokens (2026-11-22)."""
    return b'{"totalTokens":%d}' % tokens
