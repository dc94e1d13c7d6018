"""Turns -> input items.

Source: https://platform.openai.com/docs/api-reference/responses/create, `input` (2026-11-22).
"""

import hashlib
from collections.abc import Mapping
from typing import Any, assert_never

from anygate.canonical.blocks import (
    Block,
    Media,
    NativeBlock,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    WebSearchCall,
)
from anygate.canonical.chat import Chat, Turn
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.chat_codec import Dropped, Target
from anygate.protocols.openai_responses.carried import NAME, NativePart, StateReference, options_of
from anygate.protocols.openai_responses.carrier import MADE, Carrier, pack
from anygate.protocols.openai_responses.parts import encode_media, encode_text
from anygate.protocols.parameter_names import client_name

LONGEST_CALL_ID = 64
BREAKPOINT_PROTOCOLS = frozenset({NAME, "openai.chat"})
"""Clients whose cache marks are OpenAI's own; those of others mean something else."""


class ItemWriter:
    """Writes the items of one request.

    Attributes:
        items: what was written.
        dropped: what could not be said.
    """

    def __init__(self, chat: Chat, target: Target, names: Mapping[str, str]) -> None:
        self.items: list[dict[str, Any]] = []
        self.dropped: dict[str, Dropped] = {}
        self._own = chat.protocol == NAME
        self._protocol = chat.protocol
        self._breakpoints = chat.protocol in BREAKPOINT_PROTOCOLS
        self._target = target
        self._names = names
        self._custom: set[str] = set()  # ids of calls of custom tools
        self._content: list[dict[str, Any]] = []  # of the message that is being written
        self._head: dict[str, Any] = {}

    def write(self, turn: Turn) -> None:
        """Write a turn.

        Raises:
            UnsupportedContent: it holds something for which this protocol has no item.
        """
        if turn.name:
            self._drop("turns", "name", "names of speakers are not known there")
        self._head = {"role": turn.role if turn.role != "system" else self.system_role}
        for block in turn.blocks:
            self._write(block, turn)
        self._end_message()

    @property
    def system_role(self) -> str:
        """How the upstream calls instructions between turns."""
        return "developer" if "developer_role" in self._target.traits else "system"

    def text_item(self, role: str, block: Text) -> None:
        """A message of one text."""
        self._head = {"role": role}
        self._part(block, self._text(block, "input_text"))
        self._end_message()

    def mark_dropped(self, name: str, reason: str) -> None:
        """Note something that cannot be said, by its canonical name."""
        parameter = client_name(self._protocol, name)
        self.dropped.setdefault(parameter, Dropped(parameter, reason))

    def _drop(self, name: str, field: str, reason: str) -> None:
        parameter = f"{client_name(self._protocol, name)}.{field}"
        self.dropped.setdefault(parameter, Dropped(parameter, reason))

    def _unsupported(self, name: str, what: str) -> UnsupportedContent:
        return UnsupportedContent(
            f"{what} cannot be sent to this model's provider", param=client_name(self._protocol, name)
        )

    def _write(self, block: Block, turn: Turn) -> None:
        model = turn.role == "assistant"
        match block:
            case Text():
                self._part(block, self._text(block, "output_text" if model else "input_text"))
            case Refusal():
                self._part(block, {"type": "refusal", "refusal": block.text})
            case Media():
                self._media(block, model=model)
            case Thinking():
                self._thinking(block)
            case ToolCall():
                self._call(block)
            case ToolResult():
                self._result(block)
            case WebSearchCall() if block.protocol != NAME:
                self._drop("turns", "web_search", "searches of earlier turns are not carried")
            case NativeBlock() | WebSearchCall():
                self._native(block, "output_text" if model else "input_text")
            case _:
                assert_never(block)

    def _native(self, block: NativeBlock | WebSearchCall, kind: str) -> None:
        """An item as it came; of another protocol what a reader may be shown in its place."""
        if isinstance(block, StateReference):
            return  # these are fields of the request, not items
        if isinstance(block, NativePart):
            self._part(block, dict(block.raw))
        elif block.protocol == NAME:
            self._item(dict(block.raw))
        elif isinstance(block, NativeBlock) and block.text:
            self._part(block, self._text(Text(block.text), kind))
        else:
            raise self._unsupported("turns", "A part of the conversation that only one protocol has")

    def _text(self, block: Text, kind: str) -> dict[str, Any]:
        if block.cache is not None and not self._breakpoints:
            self.mark_dropped("cache", "the provider caches by itself")
        return encode_text(block, kind, breakpoints=self._breakpoints)

    def _media_part(self, block: Media) -> dict[str, Any]:
        """A part for an image or a document.

        Raises:
            UnsupportedContent: the protocol has no part for it.
        """
        if block.file_id and self._protocol not in BREAKPOINT_PROTOCOLS:
            raise self._unsupported("media", "A file that another provider keeps")
        if block.cache is not None and not self._breakpoints:
            self.mark_dropped("cache", "the provider caches by itself")
        if block.text and not (block.data or block.url or block.file_id):
            title = f"{block.name}\n\n" if block.name else ""
            return {"type": "input_text", "text": title + block.text}
        part = encode_media(block, own=self._own, breakpoints=self._breakpoints)
        if part is None:
            raise self._unsupported("media", f"This {block.kind}")
        return part

    def _media(self, block: Media, *, model: bool) -> None:
        if not model:
            self._part(block, self._media_part(block))
        elif self._own and "item" in options_of(block):
            self._item({"id": block.id, "result": block.data, **options_of(block)["item"]})
        elif block.kind == "image":
            # Only the user can show an image, so an earlier answer's image is shown to the model in the user's name.
            told = {"type": "input_text", "text": "The image of the answer above:"}
            self._item({"type": "message", "role": "user", "content": [told, self._media_part(block)]})
        elif block.transcript:
            self._part(block, self._text(Text(block.transcript), "output_text"))
        else:
            raise self._unsupported("media", f"An answer's {block.kind}")

    def _part(self, block: Block, part: dict[str, Any]) -> None:
        """A part of the message that is being written; a block that begins a message of its own ends it first."""
        item = options_of(block).get("item")
        if item is not None:
            self._end_message()
            self._head = {**self._head, **item}
        self._content.append(part)

    def _end_message(self) -> None:
        content, self._content = self._content, []
        if not content:
            return
        role = self._head["role"]
        if role == "assistant" and not self._own:
            # A part `output_text` needs an item of the upstream's own; without one an answer is plain text.
            text = "".join(part.get("text") or part.get("refusal") or "" for part in content)
            if text:
                self.items.append({"type": "message", "role": role, "content": text})
            return
        self.items.append({"type": "message", **self._head, "content": content})
        if self._own:
            self._head = {"role": role}

    def _item(self, item: dict[str, Any]) -> None:
        self._end_message()
        self.items.append(item)

    def _thinking(self, block: Thinking) -> None:
        signature = block.signature
        if self._own:
            if signature is None and block.id.startswith(MADE):
                return
            item = options_of(block).get("item")
            raw: dict[str, Any] = dict(item) if item is not None else _reasoning(block)
            if signature is not None:
                of = "redacted" if block.redacted else "thinking"
                raw["encrypted_content"] = pack(Carrier(of, signature))
            foreign = signature is not None and signature.maker not in ("", self._target.maker)
            if not foreign:
                if signature is not None and signature.maker:
                    raw["encrypted_content"] = signature.value
                self._item(raw)
            return
        if signature is not None and signature.maker and signature.maker == self._target.maker:
            # Without an id: the provider checks that the one it finds belongs to what is encrypted.
            self._item({**_reasoning(block), "encrypted_content": signature.value})
        elif block.text and "reasoning_content" in self._target.traits:
            content = [{"type": "reasoning_text", "text": block.text}]
            self._item({"type": "reasoning", "summary": [], "content": content})

    def _call(self, block: ToolCall) -> None:
        options = options_of(block)
        if self._own and "native" in options:
            self._item(dict(options["native"]))
            return
        raw: dict[str, Any] = {"type": "custom_tool_call" if block.custom else "function_call"}
        if self._own and block.item_id:
            raw["id"] = block.item_id
        raw["call_id"] = _call_id(block.id)
        raw["name"] = self._names.get(block.name, block.name)
        if block.custom:
            self._custom.add(block.id)
            raw["input"] = block.arguments
        else:
            raw["arguments"] = block.arguments if block.arguments or self._own else "{}"
        self._item(raw | options.get("item", {}))

    def _result(self, block: ToolResult) -> None:
        options = options_of(block)
        if self._own and "native" in options:
            self._item(dict(options["native"]))
            return
        if block.cache is not None and not self._breakpoints:
            self.mark_dropped("cache", "the provider caches by itself")
        parts = [
            self._text(inner, "input_text") if isinstance(inner, Text) else self._media_part(inner)
            for inner in block.blocks
        ]
        if block.is_error:
            parts.insert(0, {"type": "input_text", "text": "The tool failed:"})
        output: Any = parts
        if not parts:
            output = ""
        elif len(parts) == 1 and set(parts[0]) == {"type", "text"}:
            output = parts[0]["text"]
        custom = block.custom or block.call_id in self._custom
        kind = "custom_tool_call_output" if custom else "function_call_output"
        raw: dict[str, Any] = {"type": kind, "call_id": _call_id(block.call_id), "output": output}
        self._item(raw | options.get("item", {}))


def _reasoning(block: Thinking) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": block.text}] if block.text else []
    return {"type": "reasoning", **({"id": block.id} if block.id else {}), "summary": summary}


def _call_id(given: str) -> str:
    """An id of a call, no longer than the provider takes; the same for the call and its result."""
    if len(given) <= LONGEST_CALL_ID:
        return given
    return "call_" + hashlib.blake2s(given.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
