"""A complete answer -> Gemini's body.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse (2026-11-22).
"""

from typing import Any, assert_never, cast

import orjson

from anygate.canonical.blocks import (
    Block,
    Media,
    NativeBlock,
    Refusal,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
    ToolResult,
    WebSearchCall,
)
from anygate.canonical.chat_events import Answer, Choice
from anygate.protocols.chat_codec import Reply
from anygate.protocols.google_gemini.answer_parts import Part, call_part, media_part, shows_thoughts, signed
from anygate.protocols.google_gemini.finish import encode_finish
from anygate.protocols.google_gemini.grounding import GroundingEncoder
from anygate.protocols.google_gemini.logprobs import encode_logprobs
from anygate.protocols.google_gemini.names import PROTOCOL_NAME
from anygate.protocols.google_gemini.usage import encode_usage


def encode_answer(answer: Answer, reply: Reply) -> bytes:
    """The JSON body."""
    body: dict[str, Any] = {"candidates": [_candidate(choice, reply) for choice in answer.choices]}
    if answer.usage is not None:
        body["usageMetadata"] = encode_usage(answer.usage)
    body["modelVersion"] = answer.model or reply.model
    body["responseId"] = answer.id or reply.id
    return orjson.dumps(body)


def _candidate(choice: Choice, reply: Reply) -> dict[str, Any]:
    grounding = GroundingEncoder()
    parts: list[Part] = []
    places: dict[int, int] = {}
    logprobs: list[TokenLogprob] = []
    for number, block in enumerate(choice.blocks):
        part = _part(block, number, grounding, reply)
        if part is not None:
            places[number] = len(parts)
            parts.append(part)
        if isinstance(block, Text):
            logprobs += block.logprobs
            for citation in block.citations:
                grounding.cite(number, citation)
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}}
    candidate |= encode_finish(choice.finish)
    candidate["index"] = choice.finish.choice
    candidate |= grounding.members(places)
    if logprobs:
        candidate["logprobsResult"] = encode_logprobs(logprobs)
    return candidate


def _part(block: Block, number: int, grounding: GroundingEncoder, reply: Reply) -> Part | None:
    match block:
        case Text():
            grounding.text.add(number, block.text)
            return signed({"text": block.text}, block.signature)
        case Refusal():
            grounding.text.add(number, block.text)
            return {"text": block.text}
        case Thinking():
            part = signed({"text": block.text, "thought": True}, block.signature)
            return part if "thoughtSignature" in part or shows_thoughts(reply) else None
        case ToolCall():
            return signed(call_part(block.id, block.name, block.arguments, custom=block.custom), block.signature)
        case Media():
            part = media_part(block)
            return signed(part, block.signature) if part is not None else None
        case NativeBlock() | WebSearchCall():
            return native_part(block, number, grounding)
        case ToolResult():
            return None  # an answer holds none
        case _:
            assert_never(block)


def native_part(item: NativeBlock | WebSearchCall, number: int, grounding: GroundingEncoder) -> Part | None:
    """A part of Google's own as it came; of another protocol its words, and of a search its query."""
    own = item.protocol == PROTOCOL_NAME
    if isinstance(item, WebSearchCall):
        part = item.raw.get("part")
        if own and isinstance(part, dict):
            return cast("Part", part)
        grounding.search(item)
        return None
    if own:
        return dict(item.raw)
    if item.text:
        grounding.text.add(number, item.text)
        return {"text": item.text}
    return None
