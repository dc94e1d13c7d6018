"""Input items -> system texts and turns.

Items of the model stand together in one turn until the client speaks; results of tools that come one after another are one
turn too; every message of the user is its own.
Source: https://platform.openai.com/docs/api-reference/responses/create, `input` (2026-11-22).
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

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
from anygate.canonical.chat import Role, Turn
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.json_values import as_objects, as_text
from anygate.protocols.openai_responses.carried import NAME, NativePart, with_options
from anygate.protocols.openai_responses.carrier import Carrier, unpack
from anygate.protocols.openai_responses.client_tools import (
    BY_CALL,
    BY_RESULT,
    decode_arguments,
    result_text,
    runs_on_client,
)
from anygate.protocols.openai_responses.items import reasoning_text, search_query, spoken_by_user
from anygate.protocols.openai_responses.json_values import dumps
from anygate.protocols.openai_responses.parts import decode_content
from anygate.protocols.openai_responses.tools import Toolbox

_MESSAGE_FIELDS = frozenset({"role", "content", "type"})
_CALL_FIELDS = frozenset({"type", "id", "call_id", "name", "arguments", "input"})
_RESULT_FIELDS = frozenset({"type", "call_id", "output"})


class TurnReader:
    """Takes items one by one.

    Attributes:
        system: the instructions before the first turn.
        turns: complete once `finish` was called.
    """

    def __init__(self, box: Toolbox) -> None:
        self.system: list[Text] = []
        self.turns: list[Turn] = []
        self._box = box
        self._role: Role = "user"
        self._run: list[Block] = []  # of the turn that is still growing
        self._signatures: dict[str, Signature] = {}  # of calls that have not come yet
        self._at = 0

    def read(self, items: Sequence[Any]) -> None:
        """Take all items.

        Raises:
            InvalidRequest: an item cannot be read.
        """
        for self._at, item in enumerate(items):
            if not isinstance(item, dict):
                raise self._invalid("must be an object")
            self._take(cast("dict[str, Any]", item))
        self._end_run()

    def _invalid(self, problem: str, field: str = "") -> InvalidRequest:
        place = f"input[{self._at}]{field}"
        return InvalidRequest(f"`{place}` {problem}", param=place)

    def _take(self, item: dict[str, Any]) -> None:
        kind = as_text(item.get("type"))
        if item.get("type") is None:
            kind = "message" if "role" in item else "item_reference"
        match kind:
            case "message":
                self._message(item)
            case "reasoning":
                self._reasoning(item)
            case "function_call" | "custom_tool_call":
                self._call(item, custom=kind == "custom_tool_call")
            case "function_call_output" | "custom_tool_call_output":
                self._result(item, custom=kind == "custom_tool_call_output")
            case "web_search_call":
                self._add("assistant", WebSearchCall(as_text(item.get("id")), search_query(item), NAME, item))
            case "image_generation_call" if isinstance(item.get("result"), str):
                mime = f"image/{as_text(item.get('output_format')) or 'png'}"
                image = Media("image", mime, item["result"], id=as_text(item.get("id")))
                rest = {name: value for name, value in item.items() if name not in ("result", "id")}
                self._add("assistant", with_options(image, {"item": rest}))
            case _ if kind in BY_CALL and runs_on_client(item):
                call = ToolCall(
                    self._id(item), BY_CALL[kind].name, decode_arguments(item), item_id=as_text(item.get("id"))
                )
                self._add_call(with_options(call, {"native": item}))
            case _ if kind in BY_RESULT and runs_on_client(item):
                self._box.add_all(item.get("tools"), param=f"input[{self._at}].tools", found=True)
                result = ToolResult(self._id(item), (Text(result_text(item)),), BY_RESULT[kind].name)
                self._add("user", with_options(result, {"native": item}))
            case _:
                self._native(item, kind)

    def _native(self, item: dict[str, Any], kind: str) -> None:
        text = ""
        if kind == "additional_tools":
            self._box.add_all(item.get("tools"), param=f"input[{self._at}].tools", found=True)
            text = "More tools are available from here on."
        self._add("user" if spoken_by_user(kind) else "assistant", NativeBlock(NAME, item, text))

    def _message(self, item: dict[str, Any]) -> None:
        role = item.get("role")
        content = item.get("content")
        if not isinstance(content, str | list | None):
            raise self._invalid("must be a text or a list of parts", ".content")
        blocks: list[Block] = [*decode_content(content)] or [Text("")]
        rest = {name: value for name, value in item.items() if name not in _MESSAGE_FIELDS and value is not None}
        match role:
            case "user":
                self._end_run()
                blocks[0] = _noted(blocks[0], {"item": rest} if rest else {})
                self.turns.append(Turn("user", tuple(blocks)))
            case "assistant":
                follows = self._role == "assistant" and bool(self._run) and isinstance(self._run[-1], Text | Refusal)
                blocks[0] = _noted(blocks[0], {"item": rest} if rest or follows else {})
                for block in blocks:
                    self._add("assistant", block)
            case "system" | "developer":
                self._end_run()
                noted = _noted(blocks[0], {"item": {"role": role, **rest}})
                texts = [block for block in (noted, *blocks[1:]) if isinstance(block, Text)]
                if not self.turns and len(texts) == len(blocks):
                    self.system += texts
                else:
                    self.turns.append(Turn("system", (noted, *blocks[1:])))
            case _:
                raise self._invalid("must be user, assistant, system or developer", ".role")

    def _reasoning(self, item: dict[str, Any]) -> None:
        encrypted = as_text(item.get("encrypted_content"))
        carrier = unpack(encrypted) if encrypted else None
        if carrier is not None and carrier.of in ("call", "text", "media"):
            self._sign(carrier)
            return
        redacted = carrier is not None and carrier.of == "redacted"
        summaries, text = as_objects(item.get("summary")), reasoning_text(item)
        thinking = Thinking(
            text,
            carrier.signature if carrier is not None else None,
            redacted,
            as_text(item.get("id")),
            summary=bool(summaries) or not text,
        )
        said = [{"type": "summary_text", "text": text}] if text else []
        rest = {name: value for name, value in item.items() if name != "encrypted_content" and value is not None}
        plain = {"type": "reasoning", "id": thinking.id, "summary": said}
        if {"id": "", "summary": [], **rest} != plain:
            thinking = with_options(thinking, {"item": rest})
        self._add("assistant", thinking)

    def _sign(self, carrier: Carrier) -> None:
        """Give a signature to the block that it belongs to."""
        kind = {"call": ToolCall, "text": Text, "media": Media}[carrier.of]
        for place in range(len(self._run) - 1, -1, -1):
            block = self._run[place]
            if isinstance(block, kind) and (not isinstance(block, ToolCall) or block.id == carrier.call_id):
                self._run[place] = msgspec.structs.replace(block, signature=carrier.signature)
                return
        if carrier.of == "call":
            self._signatures[carrier.call_id] = carrier.signature
        elif carrier.of == "text":
            self._add("assistant", Text("", signature=carrier.signature))

    def _call(self, item: dict[str, Any], *, custom: bool) -> None:
        name = as_text(item.get("name"))
        if not name:
            raise self._invalid("must be the name of a tool", ".name")
        given = item.get("input" if custom else "arguments")
        arguments = given if isinstance(given, str) else "" if given is None else dumps(given).decode()
        space = as_text(item.get("namespace"))
        call = ToolCall(
            self._id(item), self._box.name_of(space, name), arguments, custom, item_id=as_text(item.get("id"))
        )
        rest = {key: value for key, value in item.items() if key not in _CALL_FIELDS and value is not None}
        if call.name != name:
            rest["name"] = name
        self._add_call(with_options(call, {"item": rest} if rest else {}))

    def _result(self, item: dict[str, Any], *, custom: bool) -> None:
        output = item.get("output")
        blocks = decode_content(output)
        parts = tuple(block for block in blocks if isinstance(block, Text | Media))
        if not isinstance(output, str | list | None) or len(parts) != len(blocks):
            raise self._invalid("must be a text or a list of texts, images and files", ".output")
        rest = {key: value for key, value in item.items() if key not in _RESULT_FIELDS and value is not None}
        result = ToolResult(self._id(item), parts, as_text(item.get("name")), custom=custom)
        self._add("user", with_options(result, {"item": rest} if rest else {}))

    def _id(self, item: Mapping[str, Any]) -> str:
        found = as_text(item.get("call_id")) or as_text(item.get("id"))
        if not found:
            raise self._invalid("must name its call", ".call_id")
        return found

    def _add_call(self, call: ToolCall) -> None:
        signature = self._signatures.pop(call.id, None)
        self._add("assistant", call if signature is None else msgspec.structs.replace(call, signature=signature))

    def _add(self, role: Role, block: Block) -> None:
        if self._run and self._role != role:
            self._end_run()
        self._role = role
        self._run.append(block)

    def _end_run(self) -> None:
        if self._run:
            self.turns.append(Turn(self._role, tuple(self._run)))
            self._run = []
        self._signatures.clear()


def _noted(block: Block, more: Mapping[str, Any]) -> Block:
    """The first block of a message, with what its item says beside role and content."""
    if not more:
        return block
    if isinstance(block, NativePart):
        return msgspec.structs.replace(block, options={NAME: more})
    return with_options(block, more)
