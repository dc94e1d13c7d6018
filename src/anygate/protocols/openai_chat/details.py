"""Thoughts with their proofs in Chat Completions: `reasoning_details`, and Google's `extra_content`.

`reasoning_details` is OpenRouter's field (https://openrouter.ai/docs/use-cases/reasoning-tokens, 2026-11-22): entries
{type: "reasoning.text" | "reasoning.summary" | "reasoning.encrypted", text | summary, signature | data, format, id, index},
handed back unmodified. We write the same entries for the thoughts of makers that speak other protocols; their signatures
are tagged. `extra_content.google.thought_signature` is Google's (https://ai.google.dev/gemini-api/docs/openai, 2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, cast

import orjson

from anygate.canonical.blocks import Signature, Thinking
from anygate.protocols.json_values import Object, as_object, as_text
from anygate.protocols.openai_chat.dialect import NAME
from anygate.protocols.openai_chat.fields import json_text
from anygate.protocols.signature_tag import tag, untag

_TEXTS = ("text", "summary")
_PROOFS = ("signature", "data")


def detail_text(detail: Mapping[str, Any]) -> str:
    """What is readable in an entry."""
    return as_text(detail.get("text")) or as_text(detail.get("summary"))


def detail_signature(detail: Mapping[str, Any], maker: str) -> Signature | None:
    """The proof in an entry.

    A tagged one is its maker's. Any other entry must go back unmodified, so all of it but the text is the signature.
    """
    for name in _PROOFS:
        proof = detail.get(name)
        if isinstance(proof, str):
            carried = untag(proof)
            if carried.value != proof:
                return carried
    rest = {
        name: value
        for name, value in detail.items()
        if name not in _TEXTS and value not in (None, "") and name != "index"
    }
    if rest.keys() <= {"type"}:
        return None
    if "index" in detail:
        rest["index"] = detail["index"]
    return Signature(json_text(rest), maker)


def is_encrypted(detail: Mapping[str, Any]) -> bool:
    """Whether an entry holds thoughts that nobody may read."""
    return detail.get("type") == "reasoning.encrypted" or (not detail_text(detail) and bool(detail.get("data")))


def decode_detail(detail: Mapping[str, Any], maker: str) -> Thinking:
    """An entry as a thinking block.

    Args:
        detail: any object.
        maker: of the upstream that wrote it; "" where a client hands it in.
    """
    text = detail_text(detail)
    return Thinking(text, detail_signature(detail, maker), is_encrypted(detail) and not text, _id_of(detail))


def _id_of(detail: Mapping[str, Any]) -> str:
    """An id of ours (OpenAI Responses names its thoughts); in an upstream's own entry it is part of the signature."""
    proof = as_text(detail.get("signature")) or as_text(detail.get("data"))
    return as_text(detail.get("id")) if untag(proof).value != proof else ""


def detail_for_upstream(block: Thinking, signature: Signature, index: int) -> Object:
    """The entry of a thinking block as the signature's maker wrote it."""
    value = signature.value
    if value.startswith("{"):
        try:
            entry = as_object(orjson.loads(value))
        except orjson.JSONDecodeError:
            entry = cast("Object", {})
        if entry:
            if block.text:
                entry["summary" if entry.get("type") == "reasoning.summary" else "text"] = block.text
            return entry
    if block.redacted:
        return {"type": "reasoning.encrypted", "data": value, "index": index}
    return {"type": "reasoning.text", "text": block.text, "signature": value, "index": index}


def detail_for_client(text: str, signature: Signature, *, redacted: bool, id: str, index: int) -> Object:
    """The entry that a client sees, and hands back, for the thoughts of a maker that speaks another protocol."""
    entry: Object = {"type": "reasoning.encrypted" if redacted else "reasoning.text"}
    if not redacted:
        entry["text"] = text
    entry["data" if redacted else "signature"] = tag(signature)
    if id:
        entry["id"] = id
    entry["provider"] = signature.maker
    entry["index"] = index
    return entry


def google_signature(holder: Mapping[str, Any], maker: str) -> Signature | None:
    """`extra_content.google.thought_signature` of a tool call or message."""
    value = as_object(as_object(holder.get("extra_content")).get("google")).get("thought_signature")
    if not isinstance(value, str) or not value:
        return None
    carried = untag(value)
    return carried if carried.value != value else Signature(value, maker)


def google_extra(value: str) -> Object:
    """The `extra_content` that carries a signature."""
    return {"google": {"thought_signature": value}}


def goes_up(signature: Signature | None, protocol: str, maker: str) -> bool:
    """Whether an upstream may see a signature: its own maker's, or one that came raw in this protocol."""
    if signature is None:
        return False
    return signature.maker == maker if signature.maker else protocol == NAME
