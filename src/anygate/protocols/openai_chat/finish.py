"""Why an answer ended: `finish_reason` <-> canonical words.

Source: https://platform.openai.com/docs/api-reference/chat/object (2026-11-22); the other spellings are those of Mistral
("model_length"), Zhipu ("sensitive", "model_context_window_exceeded"), Together ("eos") and DeepSeek.
"""

from anygate.canonical.chat_events import Finished, StopReason

_REASONS: dict[str, StopReason] = {
    "stop": "end",
    "eos": "end",
    "end_turn": "end",
    "length": "length",
    "max_tokens": "length",
    "model_length": "window",
    "model_context_window_exceeded": "window",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "content_filter": "filtered",
    "sensitive": "filtered",
}
_WORDS: dict[StopReason, str] = {
    "end": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "window": "length",
    "tool_call": "tool_calls",
    "filtered": "content_filter",
    "refusal": "stop",
    "paused": "stop",
    "other": "stop",
}


def decode_finish(reason: str, choice: int, *, called: bool, refused: bool, sequence: object = None) -> Finished:
    """A finish reason; one that nobody documented is "other", and its word is kept.

    Args:
        reason: the upstream's word; "" where it gave none.
        choice: its index.
        called: the choice holds a tool call (some upstreams say "stop" then).
        refused: it holds a refusal.
        sequence: vLLM's `stop_reason`, the sequence that ended it.
    """
    word = _REASONS.get(reason, "other") if reason else "end"
    if word == "end":
        if called:
            word = "tool_call"
        elif refused:
            word = "refusal"
        elif isinstance(sequence, str) and sequence:
            return Finished("stop_sequence", choice, sequence)
    return Finished(word, choice, detail=reason if word == "other" else "")


def encode_finish(finish: Finished, *, refusal_said: bool, legacy: bool) -> str:
    """The word for a client.

    Args:
        finish: of the choice.
        refusal_said: `message.refusal` holds the refusal; without words a refusal is told as a filtered answer.
        legacy: the client asked with `functions`.
    """
    if finish.reason == "refusal" and not refusal_said:
        return "content_filter"
    if finish.reason == "tool_call" and legacy:
        return "function_call"
    return _WORDS[finish.reason]
