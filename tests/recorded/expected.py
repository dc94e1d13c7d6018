"""What the log must say of a recorded answer, worked out apart from the product: the rules of chat usage in plain words.

Input = `prompt_tokens`, of which cached, written and heard tokens are classes of their own. Output = the larger of
`completion_tokens` and `total_tokens - prompt_tokens`. The last usage of an answer counts.
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from typing import Any

from tests.recorded.recordings import Recording, payloads

PRICES = {
    "input": "2.5",
    "cached_input": "0.31",
    "cache_write_5m": "3.7",
    "cache_write_1h": "5.3",
    "audio_input": "41.3",
    "output": "10.7",
    "audio_output": "83.9",
    "image_output": "29.9",
    "search": "0.0123",
}
"""USD per million tokens, and for a search; all differ, so that a token in a wrong class shows in the cost."""


def answers_of(recording: Recording) -> list[dict[str, Any]]:
    """The objects of an answer. One wrapped in base64 is unwrapped; one whose end is lost counts as none."""
    with suppress(ValueError):
        unwrapped = base64.b64decode(recording.body.strip(), validate=True)
        recording = replace(recording, body=unwrapped)
    try:
        return payloads(recording)
    except ValueError:
        return []


def reported_usage(answers: list[dict[str, Any]]) -> Mapping[str, Any] | None:
    """The last usage object, wherever the provider puts it."""
    found = None
    for answer in answers:
        found = answer.get("usage") or _object(answer, "x_groq").get("usage") or found
    return found


def classes_of(usage: Mapping[str, Any]) -> dict[str, int]:
    """A usage object -> the classes that are priced, and `reasoning`."""
    given, made = _object(usage, "prompt_tokens_details"), _object(usage, "completion_tokens_details")
    prompt = usage.get("prompt_tokens") or 0
    cached = given.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or usage.get("cached_tokens") or 0
    cached = min(cached, prompt)  # Grok on Azure reports more cached tokens than tokens
    written = given.get("cache_write_tokens") or 0
    heard = given.get("audio_tokens") or 0
    spoken = made.get("audio_tokens") or 0
    output = max(usage.get("completion_tokens") or 0, (usage.get("total_tokens") or 0) - prompt)
    thought = made.get("reasoning_tokens") or usage.get("reasoning_tokens") or 0
    return {
        "input": prompt - cached - written - heard,
        "cached_input": cached,
        "cache_write_5m": written,
        "audio_input": heard,
        "output": output - spoken,
        "audio_output": spoken,
        "reasoning": min(thought, output - spoken),
        **searched(usage.get("server_tool_use_details") or usage.get("server_tool_use")),
    }


def searched(tools: Any) -> dict[str, int]:
    """What was searched, if anything was."""
    count = tools.get("web_search_requests") if tools else 0
    return {"searches": count} if count else {}


def text_tokens(answers: list[dict[str, Any]]) -> int:
    """Output tokens of an answer that reports none: a quarter of the bytes of all generated text, rounded up."""
    texts: list[str] = []
    for answer in answers:
        for choice in _objects(answer, "choices"):
            texts += _texts(_object(choice, "delta") or _object(choice, "message"))
    return -(-sum(len(text.encode()) for text in texts) // 4)


def cost_of(usage: Mapping[str, int]) -> int:
    """Nanos at PRICES: the exact sum, rounded up once."""
    exact = sum((Decimal(PRICES[name]) * usage.get(name, 0) * 1000 for name in PRICES), Decimal(0))
    exact += Decimal(PRICES["search"]) * usage.get("searches", 0) * 10**9
    return int(exact.to_integral_value(ROUND_CEILING))


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    for name in ("content", "reasoning_content", "reasoning", "refusal"):
        if isinstance(message.get(name), str):
            yield message[name]
    for call in _objects(message, "tool_calls"):
        function = _object(call, "function")
        yield function.get("name") or ""
        yield function.get("arguments") or ""


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A field that is an object; empty where it is null or absent."""
    return body.get(name) or {}


def _objects(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return body.get(name) or []
