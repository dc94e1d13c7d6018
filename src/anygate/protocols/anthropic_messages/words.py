"""Names and values of the protocol that both halves share.

Sources: https://docs.claude.com/en/api/messages and https://platform.claude.com/docs/en/api/messages-streaming (2026-11-22).
"""

import re
from collections.abc import Mapping

from anygate.canonical.chat_events import StopReason

PROTOCOL_NAME = "anthropic.messages"

OWN_MAKER = "anthropic"
"""Whose signatures stand raw in this protocol; those of any other maker are shown tagged."""

STOP_REASONS: Mapping[str, StopReason] = {
    "end_turn": "end",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "window",
    "tool_use": "tool_call",
    "refusal": "refusal",
    "pause_turn": "paused",
}

STOP_WORDS: Mapping[StopReason, str] = {
    **{reason: word for word, reason in STOP_REASONS.items()},
    "filtered": "refusal",
    "other": "end_turn",
}

REFUSAL_CATEGORIES = frozenset({"cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms"})

TOOL_LETTER = re.compile(r"[a-zA-Z0-9_-]")
"""One character of a tool's name or a call's id."""

LONGEST_TOOL_NAME = 128

WEB_SEARCH_TOOL = "web_search_20250305"

FORCED_FORMAT_TOOL = "json_answer"
"""The tool whose forced call carries a JSON answer of models that know no output format."""

AS_TEXT = ""
"""In `Encoded.names`: calls of this tool are the answer's text."""

AS_CUSTOM = "\0custom:"
"""In `Encoded.names`, before the client's name: the tool takes free text, wrapped in a member `input`."""
