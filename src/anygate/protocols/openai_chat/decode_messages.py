"""Messages of a Chat Completions request -> the system text and turns of a canonical chat.

One message is one turn, but for leading system messages (they are joined) and tool messages in a row (one user turn).
Source: https://platform.openai.com/docs/api-reference/chat/create (2026-11-22).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from anygate.canonical.blocks import (
    Block,
    CacheMark,
    Citation,
    Media,
    NativeBlock,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from anygate.canonical.chat import Turn
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.json_values import Object, as_list, as_object, as_objects, as_text
from anygate.protocols.media_type import split_data_uri
from anygate.protocols.openai_chat.decode_parts import cache_mark, decode_content
from anygate.protocols.openai_chat.details import decode_detail, google_signature
from anygate.protocols.openai_chat.dialect import NAME
from anygate.protocols.openai_chat.fields import as_count, can_be_written, json_text

_KNOWN = {
    "system": {"role", "content", "name", "cache_control"},
    "user": {"role", "content", "name", "cache_control"},
    "tool": {"role", "content", "name", "tool_call_id", "cache_control"},
    "assistant": {
        "role",
        "content",
        "name",
        "cache_control",
        "refusal",
        "tool_calls",
        "function_call",
        "audio",
        "images",
        "annotations",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "extra_content",
    },
}
_ROLES = {"developer": "system", "function": "tool"}


class Messages:
    """Reads messages one after the other.

    Attributes:
        system: of the messages before the first other one.
        turns: all others.
        extras: members without a canonical word, as "messages[-1].prefix" (counted from the end, where leading system
            messages change nothing).
    """

    def __init__(self, messages: Sequence[Any]) -> None:
        self.system: list[Text] = []
        self.turns: list[Turn] = []
        self.extras: Object = {}
        self._legacy: dict[str, str] = {}  # name of a function -> the id made for its last call
        self._results: list[ToolResult] = []
        for number, message in enumerate(messages):
            self._take(message, number, number - len(messages))
        self._end_results()

    def _take(self, message: Any, number: int, place: int) -> None:
        """A message.

        Raises:
            InvalidRequest: it is no object, its role is unknown, or a member has a wrong type.
        """
        body, where = as_object(message), f"messages[{number}]"
        role = body.get("role")
        role = _ROLES.get(role, role) if isinstance(role, str) else ""
        if role not in _KNOWN:
            raise InvalidRequest(f"`{where}.role` is not known", param=f"{where}.role")
        if role == "tool":
            self._results.append(self._result(body, where))
        else:
            self._end_results()
            blocks: tuple[Block, ...] = (
                self._assistant(body, number, where)
                if role == "assistant"
                else decode_content(body.get("content"), f"{where}.content")
            )
            blocks = _mark_last(blocks, cache_mark(body))
            name = as_text(body.get("name"))
            if role == "system" and not self.turns and all(isinstance(block, Text) for block in blocks):
                self.system += [block for block in blocks if isinstance(block, Text)]
            elif role == "system":
                self.turns.append(Turn("system", blocks, name))
            else:
                self.turns.append(Turn("assistant" if role == "assistant" else "user", blocks, name))
        for member, value in body.items():
            if member not in _KNOWN[role] and value not in (None, []):
                self.extras[f"messages[{place}].{member}"] = value

    def _end_results(self) -> None:
        if self._results:
            self.turns.append(Turn("user", tuple(self._results)))
            self._results = []

    def _result(self, body: Object, where: str) -> ToolResult:
        blocks = decode_content(body.get("content"), f"{where}.content")
        kept = tuple(block for block in blocks if isinstance(block, Text | Media))
        if len(kept) != len(blocks):
            raise InvalidRequest(f"`{where}.content` holds parts that no tool gives", param=f"{where}.content")
        name = as_text(body.get("name"))
        call_id = as_text(body.get("tool_call_id")) or self._legacy.get(name, "")
        if not call_id:
            raise InvalidRequest(f"`{where}.tool_call_id` must name the call", param=f"{where}.tool_call_id")
        return ToolResult(call_id, kept, name, cache=cache_mark(body))

    def _assistant(self, body: Object, number: int, where: str) -> tuple[Block, ...]:
        """Thoughts first, then what was said, then calls."""
        blocks: list[Block] = list(_thoughts(body))
        said: list[Block] = list(decode_content(body.get("content"), f"{where}.content"))
        citations = tuple(citation(entry) for entry in as_objects(body.get("annotations")))
        own = google_signature(body, "")
        for index in range(len(said) - 1, -1, -1):
            block = said[index]
            if isinstance(block, Text):
                said[index] = msgspec.structs.replace(block, citations=citations, signature=own)
                own = None
                break
        if own is not None and not any(google_signature(call, "") for call in as_objects(body.get("tool_calls"))):
            said.append(Text("", signature=own))
        blocks += said
        refusal = body.get("refusal")
        if isinstance(refusal, str) and refusal:
            blocks.append(Refusal(refusal))
        blocks += _media(body)
        blocks += [
            self._call(call, f"{where}.tool_calls[{n}]") for n, call in enumerate(as_list(body.get("tool_calls")))
        ]
        function = as_object(body.get("function_call"))
        if function:
            name = as_text(function.get("name"))
            call_id = self._legacy[name] = f"call_{number}_{name}"[:64]
            blocks.append(ToolCall(call_id, name, json_text(function.get("arguments", ""))))
        return tuple(blocks)

    def _call(self, call: Any, param: str) -> ToolCall:
        body = as_object(call)
        custom = body.get("type") == "custom"
        inner = as_object(body.get("custom" if custom else "function"))
        name = inner.get("name")
        if not isinstance(name, str) or not name:
            raise InvalidRequest(f"`{param}` must be the call of a function", param=param)
        arguments = inner.get("input" if custom else "arguments")
        text = "" if arguments is None else json_text(arguments)
        signature = google_signature(body, "")
        return ToolCall(as_text(body.get("id")), name, text, custom, signature, cache=cache_mark(body))


def _thoughts(body: Object) -> Sequence[Thinking]:
    """`reasoning_details`, else `reasoning_content` or `reasoning`; the latter repeat what is readable in the details."""
    details = [decode_detail(entry, "") for entry in as_objects(body.get("reasoning_details"))]
    text = as_text(body.get("reasoning_content")) or as_text(body.get("reasoning"))
    if text and text != "".join(block.text for block in details):
        if not any(block.text for block in details):
            return [Thinking(text), *details]
        return details
    return details


def _media(body: Object) -> Sequence[Media]:
    """What an assistant made: `audio` {id} and `images` [{image_url: {url}}]."""
    media = [image(entry) for entry in as_objects(body.get("images"))]
    audio_id = as_text(as_object(body.get("audio")).get("id"))
    if audio_id:
        media.append(Media("audio", id=audio_id))
    return media


def image(entry: Mapping[str, Any]) -> Media:
    """An entry of `images`, the field in which generated images are given."""
    given = entry.get("image_url")
    url = as_text(given) or as_text(as_object(given).get("url"))
    inline = split_data_uri(url)
    return Media("image", inline[0], inline[1]) if inline else Media("image", url=url)


def citation(entry: Mapping[str, Any]) -> Citation:
    """An annotation: {type: "url_citation", url_citation: {url, title, start_index, end_index, content}}."""
    place = as_object(entry.get("url_citation"))
    if not place:
        return Citation(protocol=NAME, raw=entry if can_be_written(entry) else {})
    start, end = as_count(place.get("start_index")), as_count(place.get("end_index"))
    url, title, quote = (as_text(place.get(name)) for name in ("url", "title", "content"))
    return Citation(url, title, quote, start, end) if start < end else Citation(url, title, quote)


def _mark_last(blocks: tuple[Block, ...], mark: CacheMark | None) -> tuple[Block, ...]:
    """A mark on a message is a mark on its last part."""
    if mark is None or not blocks:
        return blocks
    last = blocks[-1]
    if isinstance(last, Thinking | Refusal | NativeBlock) or not hasattr(last, "cache"):
        return blocks
    return (*blocks[:-1], msgspec.structs.replace(last, cache=mark))
