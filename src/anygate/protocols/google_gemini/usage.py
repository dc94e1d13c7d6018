"""`usageMetadata` <-> canonical usage.

Figures of the prompt include what was cached; thoughts are not in `candidatesTokenCount`.
Source: https://ai.google.dev/api/generate-content#UsageMetadata (2026-11-22).
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from anygate.canonical.usage import Usage
from anygate.protocols.json_values import as_list, as_object, as_objects, as_text

GROUNDING = b"groundingMetadata"
_ONE_FEE = re.compile(r"(models/)?gemini-[12]\b")
_NUMBERS = {"IMAGE": 2, "AUDIO": 4}  # where a client asks for enumerated words as numbers
_MOST = 1 << 40  # tokens of one answer; what is larger would not fit the ledger once it is multiplied by a price


def decode_usage(body: Mapping[str, Any], searches: int = 0) -> Usage:
    """Classes that never overlap and are never negative, whatever the upstream wrote.

    Args:
        body: the object.
        searches: those that cost a fee.
    """
    prompt = _count(body, "promptTokenCount")
    asked = prompt + _count(body, "toolUsePromptTokenCount")
    cached = min(_count(body, "cachedContentTokenCount"), prompt)
    heard = _modality(body, "promptTokensDetails", "AUDIO") - _modality(body, "cacheTokensDetails", "AUDIO")
    heard = min(max(heard, 0) + _modality(body, "toolUsePromptTokensDetails", "AUDIO"), asked - cached)
    made = _count(body, "candidatesTokenCount") or _count(body, "responseTokenCount")
    details = "candidatesTokensDetails" if "candidatesTokensDetails" in body else "responseTokensDetails"
    spoken = min(_modality(body, details, "AUDIO"), made)
    drawn = min(_modality(body, details, "IMAGE"), made - spoken)
    thought = _count(body, "thoughtsTokenCount")
    return Usage(
        input=asked - cached - heard,
        cached_input=cached,
        output=made - spoken - drawn + thought,
        reasoning=thought,
        audio_input=heard,
        audio_output=spoken,
        image_output=drawn,
        searches=searches,
    )


class Searches:
    """The searches of an answer that Google asks a fee for.

    From Gemini 3 on each query that is not empty and not there twice; before, one for all.
    Source: https://ai.google.dev/gemini-api/docs/google-search (2026-11-22).
    """

    __slots__ = ("_one_fee", "_queries")

    def __init__(self) -> None:
        self._queries: set[str] = set()
        self._one_fee = False

    def take(self, frame: Mapping[str, Any]) -> None:
        """Look into an answer, or into the next frame of a stream; one without GROUNDING in its bytes may be left out."""
        for candidate in as_objects(frame.get("candidates")):
            if "groundingMetadata" in candidate:
                found = as_list(as_object(candidate["groundingMetadata"]).get("webSearchQueries"))
                self._queries.update(query for query in found if isinstance(query, str) and query)
                self._one_fee = _ONE_FEE.match(as_text(frame.get("modelVersion"))) is not None

    @property
    def fees(self) -> int:
        """So many fees."""
        return min(len(self._queries), 1) if self._one_fee else len(self._queries)


def says_something(body: Mapping[str, Any]) -> bool:
    """Some frames carry only the kind of traffic: those report no usage."""
    return "promptTokenCount" in body or any(name.endswith("TokenCount") for name in body)


def encode_usage(usage: Usage) -> dict[str, Any]:
    """The object as Google writes it: zero figures are left out, but for the three that are always there."""
    made = usage.output_tokens - usage.reasoning
    body: dict[str, Any] = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": made,
        "totalTokenCount": usage.total_tokens,
    }
    if usage.cached_input:
        body["cachedContentTokenCount"] = usage.cached_input
    if usage.reasoning:
        body["thoughtsTokenCount"] = usage.reasoning
    if usage.audio_input:
        body["promptTokensDetails"] = _details(TEXT=usage.input_tokens - usage.audio_input, AUDIO=usage.audio_input)
    if usage.audio_output or usage.image_output:
        text = made - usage.audio_output - usage.image_output
        body["candidatesTokensDetails"] = _details(TEXT=text, AUDIO=usage.audio_output, IMAGE=usage.image_output)
    return body


def _details(**counts: int) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": count} for modality, count in counts.items() if count]


def _count(body: Mapping[str, Any], name: str) -> int:
    """A number of tokens; what cannot be one (negative, no number, beyond all sense) counts 0."""
    value = body.get(name)
    if type(value) is int or type(value) is float:
        return int(value) if 0 < value <= _MOST else 0
    return 0


def _modality(body: Mapping[str, Any], name: str, modality: str) -> int:
    details = body.get(name)
    if not isinstance(details, list):
        return 0
    total = 0
    for entry in cast("list[Any]", details):
        if isinstance(entry, dict):
            entry = cast("dict[str, Any]", entry)
            total += _count(entry, "tokenCount") if entry.get("modality") in (modality, _NUMBERS[modality]) else 0
    return total
