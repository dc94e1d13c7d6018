"""Cohere's `usage` object -> canonical usage.

What is billed is `billed_units`: `tokens` also counts what Cohere itself puts into the prompt (about 500 tokens, 1400 with
tools) and control tokens of the answer, for which it asks nothing. `cached_tokens` are part of `tokens`, and make nothing
cheaper. Sources: https://docs.cohere.com/docs/how-does-cohere-pricing-work, https://docs.cohere.com/reference/chat
(2026-11-22), recorded answers.
"""

from collections.abc import Mapping

from anygate.canonical.usage import Usage
from anygate.protocols.json_values import as_object

_MOST = 1 << 40  # tokens of one answer; what is larger would not fit the ledger once it is multiplied by a price


def decode_usage(body: object) -> Usage | None:
    """The billed tokens, or all tokens where none are said to be billed; None where neither is told."""
    usage = as_object(body)
    tokens = as_object(usage.get("tokens"))
    billed = as_object(usage.get("billed_units"))
    if not {"input_tokens", "output_tokens"} & billed.keys():
        billed = tokens
    if not {"input_tokens", "output_tokens"} & billed.keys():
        return None
    output = _count(billed, "output_tokens")
    return Usage(
        input=_count(billed, "input_tokens"), output=output, reasoning=min(_count(tokens, "reasoning_tokens"), output)
    )


def _count(body: Mapping[str, object], name: str) -> int:
    """A number of tokens (Cohere's type is a float); what cannot be one counts 0."""
    value = body.get(name)
    if type(value) is int or isinstance(value, float):
        return int(value) if 0 < value <= _MOST else 0
    return 0
