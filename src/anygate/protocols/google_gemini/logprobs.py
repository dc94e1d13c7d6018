"""`logprobsResult` <-> log probabilities of tokens.

Source: https://ai.google.dev/api/generate-content#LogprobsResult (2026-11-22).
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from anygate.canonical.blocks import TokenLogprob
from anygate.protocols.json_values import as_objects


def decode_logprobs(result: Mapping[str, Any]) -> tuple[TokenLogprob, ...]:
    """The chosen tokens, each with the likeliest others; what has no token or number is left out."""
    tops = as_objects(result.get("topCandidates"))
    found: list[TokenLogprob] = []
    for position, chosen in enumerate(as_objects(result.get("chosenCandidates"))):
        token = _token(chosen)
        if token is not None:
            others = as_objects(tops[position].get("candidates")) if position < len(tops) else ()
            found.append(TokenLogprob(token.token, token.logprob, None, tuple(filter(None, map(_token, others)))))
    return tuple(found)


def encode_logprobs(logprobs: Iterable[TokenLogprob]) -> dict[str, Any]:
    """The object as Google writes it."""
    tokens = list(logprobs)
    return {
        "topCandidates": [{"candidates": [_candidate(other) for other in token.top]} for token in tokens],
        "chosenCandidates": [_candidate(token) for token in tokens],
    }


def _candidate(token: TokenLogprob) -> dict[str, Any]:
    return {"token": token.token, "logProbability": token.logprob}


def _token(candidate: Mapping[str, Any]) -> TokenLogprob | None:
    token, value = candidate.get("token"), candidate.get("logProbability", 0.0)
    if not isinstance(token, str) or not isinstance(value, int | float):
        return None
    return TokenLogprob(token, float(cast("float", value)))
