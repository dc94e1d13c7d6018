"""What the log must say of a recorded answer of each protocol, worked out apart from the product.

The rules in plain words, from the providers' pages on usage (2026-11-22):

- OpenAI's chat: see `expected`. Responses: the same under other names; the output includes the reasoning.
- Anthropic: the input stands beside what was read from and written to the cache; thinking is inside the output. A stream
  tells the input first and the output later: each figure's last word counts.
- Google: the prompt includes what was cached, tools' prompts come on top; thoughts stand beside the candidates' tokens; of
  each modality there is a list. The last frame that counts anything counts.
- Searches that cost a fee: Anthropic counts them in its usage; OpenAI shows each as an item whose action is a search; xAI
  counts those of the web and of X in its usage; Google names the queries, each of which costs from Gemini 3 on and all of
  which cost one fee before.
- Cohere: what was billed is the input beside the cached tokens, and the output.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from tests.recorded import expected
from tests.recorded.expected import answers_of
from tests.recorded.recordings import Recording

Body = Mapping[str, Any]
Classes = dict[str, int]


def reported(recording: Recording) -> Classes | None:
    """The classes of usage that the answer reports; None: it reports none."""
    if recording.status != 200:
        return None
    answers = frames(recording)
    match recording.protocol:
        case "openai.responses":
            return _responses(answers)
        case "anthropic.messages":
            return _anthropic(answers)
        case "google.gemini":
            return _google(answers)
        case "cohere.chat":
            return _cohere(answers)
        case _:
            usage = expected.reported_usage([dict(answer) for answer in answers])
            return expected.classes_of(usage) if usage is not None else None


def frames(recording: Recording) -> list[Body]:
    """The objects of an answer; those of an array, which is one of Google's forms of a stream, each by itself."""
    found: list[Any] = []
    for answer in cast("list[Any]", answers_of(recording)):
        found += answer if isinstance(answer, list) else [answer]
    return found


def member(body: Body, name: str) -> Body:
    """A member that is an object; empty where it is null or absent."""
    return body.get(name) or {}


def _responses(answers: Iterable[Body]) -> Classes | None:
    usage: Body | None = None
    items: list[Body] = []
    for answer in answers:
        response = answer.get("response", answer)
        if response.get("usage"):
            usage, items = response["usage"], response.get("output") or []
    if usage is None:
        return None
    counted: Body | None = usage.get("server_side_tool_usage_details")
    calls = [
        item
        for item in items
        if item["type"] in ("web_search_call", "x_search_call") and kind_of_action(item) == "search"
    ]
    searches = counted["web_search_calls"] + counted["x_search_calls"] if counted else len(calls)
    given, made = member(usage, "input_tokens_details"), member(usage, "output_tokens_details")
    cached, written = given.get("cached_tokens") or 0, given.get("cache_write_tokens") or 0
    return {
        "input": usage["input_tokens"] - cached - written,
        "cached_input": cached,
        "cache_write_5m": written,
        "output": usage["output_tokens"],
        "reasoning": made.get("reasoning_tokens") or 0,
        **({"searches": searches} if searches else {}),
    }


def kind_of_action(item: Body) -> str:
    """What a `web_search_call` did; xAI does not say, and searches."""
    return member(item, "action").get("type", "search")


def _anthropic(answers: Iterable[Body]) -> Classes | None:
    usage: dict[str, Any] = {}
    for answer in answers:
        found: Body = answer.get("message", answer).get("usage") or {}
        usage |= {name: value for name, value in found.items() if value is not None}
    if not usage:
        return None
    parts, details = member(usage, "cache_creation"), member(usage, "output_tokens_details")
    hour = parts.get("ephemeral_1h_input_tokens") or 0
    return {
        "input": usage["input_tokens"],
        "cached_input": usage.get("cache_read_input_tokens", 0),
        "cache_write_5m": usage.get("cache_creation_input_tokens", 0) - hour,
        "cache_write_1h": hour,
        "output": usage["output_tokens"],
        "reasoning": details.get("thinking_tokens") or 0,
        **expected.searched(usage.get("server_tool_use")),
    }


def _google(answers: Iterable[Body]) -> Classes | None:
    usage: Body | None = None
    queries: set[str] = set()
    fee_for_each = True
    for answer in answers:
        found: Body = answer.get("usageMetadata") or {}
        usage = found if any(name.endswith("Count") for name in found) else usage
        queries |= queries_of(answer)
        fee_for_each = not answer.get("modelVersion", "").startswith(("gemini-1", "gemini-2"))
    searches = len(queries) if fee_for_each else min(len(queries), 1)
    if usage is None:
        return None
    prompt = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
    cached, thought = usage.get("cachedContentTokenCount", 0), usage.get("thoughtsTokenCount", 0)
    heard = _of(usage, "promptTokensDetails", "AUDIO") - _of(usage, "cacheTokensDetails", "AUDIO")
    spoken, drawn = _of(usage, "candidatesTokensDetails", "AUDIO"), _of(usage, "candidatesTokensDetails", "IMAGE")
    return {
        "input": prompt - cached - heard,
        "cached_input": cached,
        "audio_input": heard,
        "output": usage.get("candidatesTokenCount", 0) - spoken - drawn + thought,
        "audio_output": spoken,
        "image_output": drawn,
        "reasoning": thought,
        **({"searches": searches} if searches else {}),
    }


def queries_of(answer: Body) -> set[str]:
    """What Google searched for."""
    grounded = [member(candidate, "groundingMetadata") for candidate in answer.get("candidates") or ()]
    return {query for metadata in grounded for query in metadata.get("webSearchQueries") or () if query}


def _of(usage: Body, name: str, modality: str) -> int:
    return sum(entry.get("tokenCount", 0) for entry in usage.get(name, ()) if entry["modality"] == modality)


def _cohere(answers: Iterable[Body]) -> Classes | None:
    usage: Body | None = None
    for answer in answers:
        usage = member(answer, "delta").get("usage") or answer.get("usage") or usage
    if usage is None:
        return None
    tokens = member(usage, "tokens")
    billed = member(usage, "billed_units") or tokens
    output: int = billed.get("output_tokens", 0)
    thought = min(tokens.get("reasoning_tokens", 0), output)
    return {"input": billed.get("input_tokens", 0), "output": output, "reasoning": thought}
