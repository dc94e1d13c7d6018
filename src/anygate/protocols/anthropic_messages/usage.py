"""The protocol's `usage` object <-> canonical usage.

`input_tokens` stands beside the cached and cache-written tokens, not above them; `output_tokens` includes the thinking.
Sources: https://docs.claude.com/en/api/messages, https://platform.claude.com/docs/en/build-with-claude/prompt-caching and
https://platform.claude.com/docs/en/build-with-claude/compaction (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, cast

from anygate.canonical.usage import Usage

_MOST = 1 << 40  # tokens of one answer; what is larger would not fit the ledger once it is multiplied by a price


def decode_usage(body: Mapping[str, Any]) -> Usage:
    """Classes that never overlap and are never negative, whatever the upstream wrote.

    The tokens of a compaction are the model's own work but not in the totals, so they are added. Those of an advisor are
    another model's, at another price, and are left out.
    """
    given, read, written_5m, written_1h, made = _counts(body)
    iterations = body.get("iterations")
    if isinstance(iterations, list):
        for step in cast("list[Any]", iterations):
            if isinstance(step, dict) and cast("dict[str, Any]", step).get("type") == "compaction":
                more = _counts(cast("dict[str, Any]", step))
                given, read, written_5m = given + more[0], read + more[1], written_5m + more[2]
                written_1h, made = written_1h + more[3], made + more[4]
    details = _object(body, "output_tokens_details")
    return Usage(
        input=given,
        cached_input=read,
        cache_write_5m=written_5m,
        cache_write_1h=written_1h,
        output=made,
        reasoning=min(_count(details, "thinking_tokens"), made),
        searches=_count(_object(body, "server_tool_use"), "web_search_requests"),
    )


def encode_usage(usage: Usage) -> dict[str, Any]:
    """The `usage` of a whole message."""
    return {
        "input_tokens": usage.input + usage.audio_input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cached_input,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output_tokens,
        **_details(usage),
    }


def encode_final_usage(usage: Usage) -> dict[str, Any]:
    """The `usage` of `message_delta`: cumulative, input tokens included."""
    written = usage.cache_write_5m + usage.cache_write_1h
    body: dict[str, Any] = {
        "input_tokens": usage.input + usage.audio_input,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cached_input,
        "output_tokens": usage.output_tokens,
        **_details(usage),
    }
    if usage.cache_write_1h:  # the total alone would be read as five-minute tokens
        body["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    return body


def merge_usage(held: dict[str, Any], news: Mapping[str, Any]) -> None:
    """Take a later usage of the same message in: its figures are cumulative and replace; a null says nothing."""
    for name, value in news.items():
        if value is not None:
            held[name] = value


def _details(usage: Usage) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if usage.reasoning:
        details["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.searches:
        details["server_tool_use"] = {"web_search_requests": usage.searches, "web_fetch_requests": 0}
    return details


def _counts(body: Mapping[str, Any]) -> tuple[int, int, int, int, int]:
    """Input, cached, written for five minutes and for an hour, output."""
    parts = _object(body, "cache_creation")
    hour, minutes = _count(parts, "ephemeral_1h_input_tokens"), _count(parts, "ephemeral_5m_input_tokens")
    written = _count(body, "cache_creation_input_tokens")
    if written:  # the total counts; the parts only say how it divides
        hour = min(hour, written)
        minutes = written - hour
    return (
        _count(body, "input_tokens"),
        _count(body, "cache_read_input_tokens"),
        minutes,
        hour,
        _count(body, "output_tokens"),
    )


def _count(body: Mapping[str, Any], name: str) -> int:
    """A number of tokens; what cannot be one (negative, no number, beyond all sense) counts 0."""
    value = body.get(name)
    if type(value) is int or isinstance(value, float):
        return int(value) if 0 < value <= _MOST else 0
    return 0


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
