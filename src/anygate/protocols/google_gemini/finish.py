"""Why an answer ended, in Google's words and in ours.

Source: https://ai.google.dev/api/generate-content#FinishReason (2026-11-22).
"""

from collections.abc import Mapping

from anygate.canonical.chat_events import Finished, StopReason

_REASONS: Mapping[str, StopReason] = {
    "STOP": "end",
    "MAX_TOKENS": "length",
    "SAFETY": "filtered",
    "RECITATION": "filtered",
    "LANGUAGE": "filtered",
    "BLOCKLIST": "filtered",
    "PROHIBITED_CONTENT": "filtered",
    "SPII": "filtered",
    "IMAGE_SAFETY": "filtered",
    "IMAGE_PROHIBITED_CONTENT": "filtered",
    "IMAGE_RECITATION": "filtered",
    "IMAGE_OTHER": "filtered",
    "MODEL_ARMOR": "filtered",
    "ESCALATION": "filtered",
}
NUMBERED_REASONS = {0: "", 1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION"}
"""Those whose numbers the Gemini API and the cloud endpoint share (`enum-encoding=int`)."""

BAD_CALLS = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
    }
)
"""The model's answer was unusable: an error, not an end."""

_PLAIN = frozenset({"STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED"})
_OTHERS = frozenset({"OTHER", "NO_IMAGE"})
_WORDS: Mapping[StopReason, str] = {
    "end": "STOP",
    "stop_sequence": "STOP",
    "tool_call": "STOP",
    "paused": "STOP",
    "length": "MAX_TOKENS",
    "window": "MAX_TOKENS",
    "filtered": "SAFETY",
    "refusal": "SAFETY",
    "other": "OTHER",
}


def decode_finish(reason: str, text: str, choice: int, *, called: bool) -> Finished:
    """The end of a choice.

    Args:
        reason: `finishReason`; one that is not known is "other".
        text: `finishMessage`.
        choice: its index.
        called: the answer holds function calls, which Google does not tell by a reason of its own.
    """
    word = _REASONS.get(reason, "other")
    detail = text if reason in _PLAIN else ": ".join(part for part in (reason, text) if part)
    return Finished("tool_call" if called and word == "end" else word, choice, detail=detail)


def encode_finish(finish: Finished) -> dict[str, str]:
    """`finishReason` and, where something was said, `finishMessage`; a reason that came from Google comes back as it was."""
    name, _, rest = finish.detail.partition(": ")
    if name in _OTHERS or (_REASONS.get(name) == finish.reason and name not in _PLAIN):
        reason, text = name, rest
    else:
        reason, text = _WORDS[finish.reason], finish.detail
    return {"finishReason": reason, "finishMessage": text} if text else {"finishReason": reason}
