"""`usage` of OpenAI Responses <-> our classes.

Sources: https://platform.openai.com/docs/api-reference/responses/object, https://platform.openai.com/docs/guides/tools-web-search,
https://docs.x.ai/developers/tools/tool-usage-details (2026-11-22). Input holds the cached and the
cache-written tokens, output the reasoning; xAI and the other upstreams of this protocol count the same way.
"""

from collections.abc import Mapping
from typing import Any

from anygate.canonical.usage import Usage
from anygate.protocols.json_values import as_object, as_objects

_SEARCHES = frozenset({"web_search_call", "x_search_call"})
SEARCH = b"_search_call"  # in the bytes of each
_MOST = 1 << 40  # tokens of one answer; what is larger would not fit the ledger once it is multiplied by a price


def decode_usage(body: Mapping[str, Any], output: Any = ()) -> Usage:
    """Classes that never overlap and are never negative, whatever the upstream wrote.

    Args:
        body: the `usage` object.
        output: the response's items, of any shape: there OpenAI tells its searches, of which those that open or read a
            page are free. xAI counts its own in `usage`.
    """
    given, made = as_object(body.get("input_tokens_details")), as_object(body.get("output_tokens_details"))
    left = _count(body, "input_tokens")
    cached = min(_count(given, "cached_tokens"), left)
    left -= cached
    written = min(_count(given, "cache_write_tokens"), left)
    made_tokens = _count(body, "output_tokens")
    return Usage(
        input=left - written,
        cached_input=cached,
        cache_write_5m=written,
        output=made_tokens,
        reasoning=min(_count(made, "reasoning_tokens"), made_tokens),
        searches=_searches(body, output),
    )


def encode_usage(usage: Usage) -> dict[str, Any]:
    """The object as a client reads it; every figure is there."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total_tokens,
    }


def _searches(body: Mapping[str, Any], output: Any) -> int:
    counted = as_object(body.get("server_side_tool_usage_details"))
    if counted:
        return _count(counted, "web_search_calls") + _count(counted, "x_search_calls")
    return sum(
        item.get("type") in _SEARCHES and as_object(item.get("action")).get("type", "search") == "search"
        for item in as_objects(output)
    )


def _count(body: Mapping[str, Any], name: str) -> int:
    """A number of tokens; what cannot be one (negative, no number, beyond all sense) counts 0."""
    value = body.get(name)
    if type(value) is int or isinstance(value, float):
        return int(value) if 0 < value <= _MOST else 0
    return 0
