"""Turns -> `contents`.

Source: https://ai.google.dev/gemini-api/docs/function-calling and .../thought-signatures (2026-11-22).
"""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never, cast

from anygate.canonical.blocks import (
    Block,
    Media,
    NativeBlock,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    WebSearchCall,
)
from anygate.canonical.chat import Chat, Turn
from anygate.protocols.chat_codec import Target
from anygate.protocols.google_gemini.decode_parts import is_foreign, parse_object
from anygate.protocols.google_gemini.encode_media import encode_media
from anygate.protocols.google_gemini.generations import Generation
from anygate.protocols.google_gemini.losses import Losses
from anygate.protocols.google_gemini.names import LOST_SIGNATURE, PROTOCOL_NAME, is_made

Part = dict[str, Any]
_ROLES = {"user": "user", "assistant": "model", "system": "user"}


class TurnEncoder:
    """Writes the turns of one request.

    A client of this protocol gets back what it sent, turn by turn. Of others neighbours of one role are merged, results
    stand first and in the order of their calls, and thoughts that this upstream did not sign are left out.
    """

    __slots__ = ("_calls", "_generation", "_losses", "_names", "_signs", "_target")

    def __init__(
        self, chat: Chat, target: Target, generation: Generation, losses: Losses, names: Mapping[str, str]
    ) -> None:
        self._target = target
        self._generation = generation
        self._losses = losses
        self._names = names
        calls = [block for turn in chat.turns for block in turn.blocks if isinstance(block, ToolCall)]
        self._calls = {call.id: (number, call.name) for number, call in enumerate(calls)}
        foreign = any(is_foreign(block) for turn in chat.turns for block in turn.blocks)
        self._signs = generation.signs_calls and (foreign or not losses.own)  # calls of another maker have no signature

    def contents(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        """The turns that hold something.

        Raises:
            UnsupportedContent: a block has no form here.
        """
        if self._losses.own:
            return [self._content(turn.role, turn.blocks) for turn in turns]
        merged: list[tuple[str, list[Block]]] = []
        for turn in turns:
            if turn.name:
                self._losses.drop("turns", "names of speakers are not sent")
            blocks = _labelled(turn.blocks) if turn.role == "system" else turn.blocks
            role = "assistant" if turn.role == "assistant" else "user"
            if merged and merged[-1][0] == role:
                merged[-1][1].extend(blocks)
            else:
                merged.append((role, list(blocks)))
        contents = [self._content(role, self._ordered(blocks)) for role, blocks in merged]
        return [content for content in contents if content["parts"]]

    def _ordered(self, blocks: Sequence[Block]) -> list[Block]:
        """Results first, in the order of their calls."""
        results = [block for block in blocks if isinstance(block, ToolResult)]
        if not results:
            return list(blocks)
        late = len(self._calls)
        results.sort(key=lambda result: self._calls.get(result.call_id, (late, ""))[0])
        return [*results, *(block for block in blocks if not isinstance(block, ToolResult))]

    def _content(self, role: str, blocks: Sequence[Block]) -> dict[str, Any]:
        parts: list[Part] = []
        beside: list[Part] = []  # media of results, where a result cannot hold them
        unsigned = self._signs and role == "assistant"
        for block in blocks:
            if isinstance(block, ToolResult):
                parts.append(self._result(block, beside))
                continue
            if beside:
                parts += beside
                beside.clear()
            part = self.part(block)
            if part is None:
                continue
            if unsigned and isinstance(block, ToolCall):
                part.setdefault("thoughtSignature", LOST_SIGNATURE)
                unsigned = False  # only the first of parallel calls carries one
            parts.append(part)
        return {"role": _ROLES[role], "parts": parts + beside}

    def part(self, block: Block) -> Part | None:
        """One block; None where nothing of it is sent.

        Raises:
            UnsupportedContent: it has no form here.
        """
        self._note_cache(block)
        match block:
            case Text():
                return self._text(block)
            case Refusal():
                return {"text": block.text} if block.text else None
            case Thinking():
                return self._thinking(block)
            case Media():
                return self._signed(encode_media(block, self._losses), block.signature)
            case ToolCall():
                return self._signed({"functionCall": self._call(block)}, block.signature)
            case WebSearchCall():
                return self._search(block)
            case NativeBlock():
                return self._native(block)
            case ToolResult():
                return self._result(block, [])
            case _:
                assert_never(block)

    def _text(self, block: Text) -> Part | None:
        if block.citations:
            self._losses.drop("turns", "citations of earlier answers are not sent")
        part = self._signed({"text": block.text}, block.signature)
        return part if block.text or len(part) > 1 or self._losses.own else None

    def _thinking(self, block: Thinking) -> Part | None:
        part = self._signed({"text": block.text, "thought": True}, block.signature)
        return part if self._losses.own or "thoughtSignature" in part else None

    def _signed(self, part: Part, signature: Signature | None) -> Part:
        """The part with its signature, if this upstream made it."""
        if signature is not None and signature.value:
            mine = signature.maker == self._target.maker if signature.maker else self._losses.own
            if mine:
                part["thoughtSignature"] = signature.value
        return part

    def _call(self, call: ToolCall) -> Part:
        if call.custom:
            args: dict[str, Any] = {"input": call.arguments}
        elif not call.arguments.strip():
            args = {}
        else:
            parsed = parse_object(call.arguments)
            args = {"_raw": call.arguments} if parsed is None else parsed  # cut off by a limit
        body: Part = {"name": self._names.get(call.name, call.name), "args": args}
        return body if is_made(call.id) or not call.id else {"id": call.id, **body}

    def _result(self, result: ToolResult, beside: list[Part]) -> Part:
        self._note_cache(result)
        name = result.name or self._calls.get(result.call_id, (0, ""))[1]
        if not name and not self._losses.own:
            raise self._losses.refusal(
                "turns", f"The tool result {result.call_id!r} answers no call of the conversation"
            )
        text = "\n".join(block.text for block in result.blocks if isinstance(block, Text))
        response = {"error": text} if result.is_error else parse_object(text)
        body: Part = {
            "name": self._names.get(name, name),
            "response": {"output": text} if response is None else response,
        }
        media = [encode_media(block, self._losses) for block in result.blocks if isinstance(block, Media)]
        if media and (self._generation.media_results or self._losses.own):
            body["parts"] = media
        else:
            beside += media
        if result.call_id and not is_made(result.call_id):
            body = {"id": result.call_id, **body}
        return {"functionResponse": body}

    def _search(self, block: WebSearchCall) -> Part | None:
        part = block.raw.get("part") if block.protocol == PROTOCOL_NAME else None
        if isinstance(part, dict):
            return dict(cast("Part", part))
        self._losses.drop("turns", "earlier web searches are not sent")
        return None

    def _native(self, block: NativeBlock) -> Part | None:
        if block.protocol == PROTOCOL_NAME:
            return dict(block.raw)
        if block.text:
            return {"text": block.text}
        kind = block.raw.get("type")
        raise self._losses.refusal("turns", f"A block of the kind {kind!r} cannot be sent to this model's provider")

    def _note_cache(self, block: Block) -> None:
        if isinstance(block, Text | Media | ToolCall | ToolResult) and block.cache is not None:
            self._losses.drop("cache", "the provider caches by itself")


def _labelled(blocks: Sequence[Block]) -> list[Block]:
    """An instruction in the middle stays in its place: moved to the top it would mean something else."""
    return [
        Text(f"[System instruction] {block.text}") if isinstance(block, Text) and block.text else block
        for block in blocks
    ]
