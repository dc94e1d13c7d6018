"""Blocks of an answer -> output items, whole or while they grow.

Source: https://platform.openai.com/docs/api-reference/responses/object, `output` (2026-11-22).
"""

from collections.abc import Sequence
from typing import Any

from anygate.canonical.blocks import Citation, Media, NativeBlock, Signature, TokenLogprob, WebSearchCall
from anygate.canonical.chat import CustomTool, FunctionTool, Tool
from anygate.protocols.json_values import as_object, as_text
from anygate.protocols.openai_responses.carried import NAME, options_of
from anygate.protocols.openai_responses.carrier import Carrier, Of, pack
from anygate.protocols.openai_responses.client_tools import encode_call
from anygate.protocols.openai_responses.parts import encode_annotation, encode_logprobs

Item = dict[str, Any]


def message_item(item_id: str, content: Sequence[Item], *, done: bool = True) -> Item:
    """A message; its content is empty while it grows."""
    status = "completed" if done else "in_progress"
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": list(content)}


def text_part(text: str, citations: Sequence[Citation], logprobs: Sequence[TokenLogprob]) -> Item:
    """A text with its sources."""
    annotations = [encode_annotation(citation, text) for citation in citations]
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": encode_logprobs(logprobs)}


def refusal_part(text: str) -> Item:
    """A refusal in words."""
    return {"type": "refusal", "refusal": text}


def reasoning_item(item_id: str, text: str, signature: Signature | None, *, redacted: bool = False) -> Item:
    """A thought, shown as its summary; the signature rides in `encrypted_content`."""
    item: Item = {
        "id": item_id,
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}] if text else [],
    }
    if signature is not None:
        item["encrypted_content"] = pack(Carrier("redacted" if redacted else "thinking", signature))
    return item


def carrier_item(item_id: str, of: Of, signature: Signature, call_id: str = "") -> Item:
    """A reasoning item without a thought, that carries the signature of the item before it."""
    encrypted = pack(Carrier(of, signature, call_id))
    return {"id": item_id, "type": "reasoning", "summary": [], "encrypted_content": encrypted}


class CallNaming:
    """How the client's tools are called: namespaces are taken apart again, and native tools get items of their own."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        named = (tool for tool in tools if isinstance(tool, FunctionTool | CustomTool))
        self._options = {tool.name: options for tool in named if (options := options_of(tool))}

    def native_kind(self, name: str) -> str:
        """The `type` of the native tool that this function stands for, or ""."""
        return as_text(as_object(self._options.get(name, {}).get("native")).get("type"))

    def prefix(self, name: str, *, custom: bool) -> str:
        """How the id of its item begins."""
        if self.native_kind(name):
            return "lsh" if self.native_kind(name) == "local_shell" else "tsc"
        return "ctc" if custom else "fc"

    def item(self, item_id: str, call_id: str, name: str, arguments: str, *, custom: bool, done: bool = True) -> Item:
        """The item of a call; `arguments` is free text for a custom tool."""
        status = "completed" if done else "in_progress"
        options = self._options.get(name, {})
        native = self.native_kind(name)
        if native:
            return encode_call(native, call_id, arguments, item_id, status)
        kind, field = ("custom_tool_call", "input") if custom else ("function_call", "arguments")
        spaced = {"namespace": options["namespace"]["name"]} if "namespace" in options else {}
        given = {"call_id": call_id, "name": options.get("name", name), **spaced}
        return {"id": item_id, "type": kind, "status": status, field: arguments, **given}


def media_item(item_id: str, media: Media) -> Item | None:
    """An image as the result of image generation; None for what has no item."""
    if media.kind != "image" or not media.data:
        return None
    form = media.mime.partition("/")[2] or "png"
    return {
        "id": media.id or item_id,
        "type": "image_generation_call",
        "status": "completed",
        "output_format": form,
        "result": media.data,
    }


def media_text(media: Media) -> str:
    """Media without an item, as text: what was said, else a link."""
    if media.transcript:
        return media.transcript
    place = media.url or f"data:{media.mime or 'application/octet-stream'};base64,{media.data}"
    return f"![image]({place})" if media.kind == "image" else f"[{media.kind}]({place})"


def native_item(item_id: str, block: NativeBlock | WebSearchCall) -> Item | None:
    """An item of a provider's own tool; None where another protocol's has no twin."""
    if block.protocol == NAME:
        return dict(block.raw)
    if isinstance(block, WebSearchCall):
        action = {"type": "search", "query": block.query}
        return {"id": item_id, "type": "web_search_call", "status": "completed", "action": action}
    return None
