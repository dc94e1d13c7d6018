"""OpenAI's `usage` object and its dialects -> canonical usage.

Sources: https://platform.openai.com/docs/api-reference/chat/object, https://api-docs.deepseek.com (prompt_cache_hit_tokens),
https://platform.moonshot.ai (cached_tokens beside prompt_tokens), recorded answers of xAI (completion_tokens without
reasoning_tokens), https://openrouter.ai/docs/guides/features/plugins/web-search (server_tool_use); 2026-11-22.
"""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import msgspec

from anygate.canonical.usage import Usage

_MOST = 1 << 40  # tokens of one answer; what is larger would not fit the ledger once it is multiplied by a price
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]


class _Given(msgspec.Struct, gc=False):
    cached_tokens: _Tokens = 0
    cache_write_tokens: _Tokens = 0
    audio_tokens: _Tokens = 0


class _Made(msgspec.Struct, gc=False):
    audio_tokens: _Tokens = 0
    image_tokens: _Tokens = 0
    reasoning_tokens: _Tokens = 0


class _Tools(msgspec.Struct, gc=False):
    web_search_requests: _Tokens | None = None


class Figures(msgspec.Struct, gc=False):
    """A `usage` object whose figures are all numbers of tokens, as it is parsed."""

    prompt_tokens: _Tokens = 0
    completion_tokens: _Tokens = 0
    total_tokens: _Tokens = 0
    prompt_tokens_details: _Given | None = None
    completion_tokens_details: _Made | None = None
    prompt_cache_hit_tokens: _Tokens = 0
    cached_tokens: _Tokens = 0
    cache_creation_input_tokens: _Tokens = 0
    reasoning_tokens: _Tokens = 0
    server_tool_use: _Tools | None = None
    server_tool_use_details: _Tools | None = None


def decode_usage(body: Mapping[str, Any]) -> Usage:
    """Classes that never overlap and are never negative, whatever the upstream wrote."""
    try:
        return classes(msgspec.convert(body, Figures))
    except msgspec.ValidationError:
        return _decode_closely(body)


def _decode_closely(body: Mapping[str, Any]) -> Usage:
    given = _details(body, "prompt_tokens_details")
    made = _details(body, "completion_tokens_details")
    return classes(
        Figures(
            prompt_tokens=_count(body, "prompt_tokens"),
            completion_tokens=_count(body, "completion_tokens"),
            total_tokens=_count(body, "total_tokens"),
            prompt_tokens_details=_Given(*(_count(given, name) for name in _Given.__struct_fields__)),
            completion_tokens_details=_Made(*(_count(made, name) for name in _Made.__struct_fields__)),
            prompt_cache_hit_tokens=_count(body, "prompt_cache_hit_tokens"),
            cached_tokens=_count(body, "cached_tokens"),
            cache_creation_input_tokens=_count(body, "cache_creation_input_tokens"),
            reasoning_tokens=_count(body, "reasoning_tokens"),
            server_tool_use=_Tools(_count(_details(body, "server_tool_use"), "web_search_requests")),
            server_tool_use_details=_Tools(_count(_details(body, "server_tool_use_details"), "web_search_requests")),
        )
    )


def classes(figures: Figures) -> Usage:
    """Classes that never overlap and are never negative.

    Output is max(completion, total - prompt): some upstreams leave reasoning out of `completion_tokens`.
    """
    left = figures.prompt_tokens
    completion = figures.completion_tokens
    if figures.total_tokens - left > completion:
        completion = figures.total_tokens - left
    cached = figures.prompt_cache_hit_tokens or figures.cached_tokens
    written = figures.cache_creation_input_tokens
    thought = figures.reasoning_tokens
    heard = spoken = drawn = 0
    given, made = figures.prompt_tokens_details, figures.completion_tokens_details
    if given is not None:
        cached, written = given.cached_tokens or cached, given.cache_write_tokens or written
        heard = given.audio_tokens
    if made is not None:
        spoken, drawn, thought = made.audio_tokens, made.image_tokens, made.reasoning_tokens or thought
    tools = figures.server_tool_use_details or figures.server_tool_use
    if not (cached or written or heard or spoken or drawn or thought or tools):
        return Usage(left, output=completion)  # most answers
    cached = min(cached, left)
    left -= cached
    written = min(written, left)
    left -= written
    heard = min(heard, left)
    spoken = min(spoken, completion)
    drawn = min(drawn, completion - spoken)
    output = completion - spoken - drawn
    return Usage(
        input=left - heard,
        cached_input=cached,
        cache_write_5m=written,
        output=output,
        reasoning=min(thought, output),
        audio_input=heard,
        audio_output=spoken,
        image_output=drawn,
        searches=(tools.web_search_requests or 0) if tools is not None else 0,
    )


def _count(body: Mapping[str, Any], name: str) -> int:
    """A number of tokens; what cannot be one (negative, no number, beyond all sense) counts 0."""
    value = body.get(name)
    if type(value) is int or isinstance(value, float):
        return int(value) if 0 < value <= _MOST else 0
    return 0


def _details(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def encode_usage(usage: Usage) -> dict[str, Any]:
    """Canonical usage -> OpenAI's object. `prompt_tokens` holds every input class, `completion_tokens` every output class.

    OpenAI has no word for searches; where there were some, OpenRouter's stands beside its own.
    """
    made = {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_output}
    if usage.image_output:
        made["image_tokens"] = usage.image_output
    searched = {"server_tool_use": {"web_search_requests": usage.searches}} if usage.searches else {}
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
            "audio_tokens": usage.audio_input,
        },
        "completion_tokens_details": made,
        **searched,
    }
