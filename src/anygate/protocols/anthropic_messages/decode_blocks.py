"""Content blocks, of a request or of an answer -> canonical blocks.

Sources: https://docs.claude.com/en/api/messages, https://platform.claude.com/docs/en/build-with-claude/extended-thinking,
.../agents-and-tools/tool-use/overview, .../agents-and-tools/tool-use/web-search-tool (2026-11-22).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import orjson

from anygate.canonical.blocks import (
    Block,
    Citation,
    Media,
    NativeBlock,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    WebSearchCall,
)
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.anthropic_messages.carriers import carried, reattach
from anygate.protocols.anthropic_messages.decode_media import decode_document, decode_image, decode_search_result
from anygate.protocols.anthropic_messages.fields import (
    Raw,
    as_list,
    as_object,
    cache_mark,
    leftovers,
    optional_flag,
    optional_text,
    text,
)
from anygate.protocols.anthropic_messages.words import AS_CUSTOM, AS_TEXT, PROTOCOL_NAME
from anygate.protocols.chat_codec import Source
from anygate.protocols.signature_tag import untag

DIRECT = {"type": "direct"}
"""The usual `caller` of a tool: the model, not its code. It says nothing."""

_TEXT = frozenset({"type", "text", "citations", "cache_control"})
_CALL = frozenset({"type", "id", "name", "input", "cache_control"})
_RESULT = frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})
_RESULT_CONTENT = frozenset({"text", "image", "document", "search_result"})


class Decoded(NamedTuple):
    """Blocks in order, and for some of them (by their number) the fields that nobody has read."""

    blocks: list[Block]
    left: dict[int, Raw]


def decode_content(content: Any, path: str, source: Source) -> Decoded:
    """A message's content: a string or a list of blocks.

    Args:
        content: as it came.
        path: names it in errors.
        source: of an answer, who made it; of a request, nobody: its signatures say themselves whose they are.

    Raises:
        InvalidRequest: a block is no object, or a field of it is missing or of a wrong type.
    """
    if isinstance(content, str):
        return Decoded([Text(content)] if content else [], {})
    found: list[Block | tuple[Signature, str]] = []
    left: dict[int, Raw] = {}
    for number, raw in enumerate(as_list(content, path)):
        where = f"{path}.{number}"
        raw = as_object(raw, where)
        previous = found[-1] if found else None
        if raw.get("type") == "web_search_tool_result" and isinstance(previous, WebSearchCall):
            found[-1] = with_result(previous, raw)
            continue
        block, unread = _decode_block(raw, where, source)
        if unread:
            # Carried signatures are no blocks of their own and join their neighbours below.
            left[sum(not isinstance(item, tuple) for item in found)] = unread
        found.append(block)
    return Decoded(reattach(found), left)


def _decode_block(raw: Raw, path: str, source: Source) -> tuple[Block | tuple[Signature, str], Raw]:
    kind = raw.get("type")
    if not isinstance(kind, str):
        raise InvalidRequest(f"`{path}.type` must name a kind of content", param=f"{path}.type")
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(raw, path)
    match kind:
        case "tool_use":
            return _decode_call(raw, path, source)
        case "thinking":
            words = text(raw, "thinking", path)
            return Thinking(words, signed(optional_text(raw, "signature", path), source)), {}
        case "redacted_thinking":
            data = text(raw, "data", path)
            signature, place = carried(untag(data))
            return ((signature, place) if place else Thinking("", signed(data, source), redacted=True)), {}
        case "server_tool_use" if raw.get("name") == "web_search":
            return search_call(raw), {}
        case _:
            return NativeBlock(PROTOCOL_NAME, raw), {}


def decode_text(raw: Raw, path: str) -> tuple[Text, Raw]:
    """A `text` block, and its unread fields.

    Raises:
        InvalidRequest: a field is missing or of a wrong type.
    """
    citations = raw.get("citations")
    return Text(
        text(raw, "text", path),
        tuple(decode_citation(as_object(item, f"{path}.citations")) for item in as_list(citations, f"{path}.citations"))
        if citations
        else (),
        cache_mark(raw, path),
    ), leftovers(raw, _TEXT)


def decode_citation(raw: Raw) -> Citation:
    """A citation of any kind: where it came from and what was quoted, as far as it says so, and all of it raw."""
    url, title = raw.get("url") or raw.get("source"), raw.get("title") or raw.get("document_title")
    quote = raw.get("cited_text")
    return Citation(
        url=url if isinstance(url, str) else "",
        title=title if isinstance(title, str) else "",
        quote=quote if isinstance(quote, str) else "",
        protocol=PROTOCOL_NAME,
        raw=raw,
    )


def decode_result(raw: Raw, path: str) -> tuple[ToolResult | NativeBlock, Raw]:
    """A `tool_result` block, and its unread fields; one that holds what only this protocol has stays as it is.

    Raises:
        InvalidRequest: a field is missing or of a wrong type.
    """
    content = raw.get("content")
    blocks: tuple[Text | Media, ...] = ()
    unread = leftovers(raw, _RESULT)
    if isinstance(content, str):
        blocks = (Text(content),) if content else ()
    elif content is not None:
        items = as_list(content, f"{path}.content")
        kinds = [cast("Raw", item).get("type") for item in items if isinstance(item, dict)]
        if not all(isinstance(kind, str) and kind in _RESULT_CONTENT for kind in kinds):
            return NativeBlock(PROTOCOL_NAME, raw), {}
        decoded = decode_content(items, f"{path}.content", Source())
        blocks = tuple(block for block in decoded.blocks if isinstance(block, Text | Media))
        if len(blocks) != len(decoded.blocks):
            return NativeBlock(PROTOCOL_NAME, raw), {}
        for number, fields in decoded.left.items():
            unread |= {f"content.{number}.{name}": value for name, value in fields.items()}
    return ToolResult(
        text(raw, "tool_use_id", path),
        blocks,
        is_error=optional_flag(raw, "is_error", path) or False,
        cache=cache_mark(raw, path),
    ), unread


def _decode_call(raw: Raw, path: str, source: Source) -> tuple[Block, Raw]:
    given = as_object(raw.get("input", {}), f"{path}.input")
    name = text(raw, "name", path)
    unread = leftovers(raw, _CALL)
    if unread.get("caller") == DIRECT:
        del unread["caller"]
    client = source.names.get(name, name)
    arguments = orjson.dumps(given).decode()
    if client == AS_TEXT:
        return Text(arguments), {}
    custom = client.startswith(AS_CUSTOM) and name in source.names
    call = ToolCall(
        text(raw, "id", path),
        client.removeprefix(AS_CUSTOM) if custom else client,
        free_text(given) if custom else arguments,
        custom,
        cache=cache_mark(raw, path),
    )
    return call, unread


def free_text(given: Mapping[str, Any]) -> str:
    """What a model gave a tool that takes free text, out of the object that it was wrapped in."""
    value = given.get("input")
    return value if isinstance(value, str) else orjson.dumps(given).decode()


_READERS: Mapping[str, Callable[[Raw, str], tuple[Block, Raw]]] = {
    "text": decode_text,
    "tool_result": decode_result,
    "image": decode_image,
    "document": decode_document,
    "search_result": decode_search_result,
}


def signed(value: str, source: Source) -> Signature | None:
    """The signature of thinking: in an answer its maker's, in a request whose it says."""
    if not value:
        return None
    if source.maker:
        return Signature(value, source.maker)
    signature = untag(value)
    return signature if signature.value else None


def search_call(raw: Raw) -> WebSearchCall:
    """A web search that the provider makes; its results may follow."""
    given = raw.get("input")
    query = cast("Raw", given).get("query") if isinstance(given, dict) else None
    call_id = raw.get("id")
    return WebSearchCall(
        call_id if isinstance(call_id, str) else "",
        query if isinstance(query, str) else "",
        PROTOCOL_NAME,
        {"blocks": [raw]},
    )


def with_result(call: WebSearchCall, raw: Raw) -> WebSearchCall:
    """The search with one more block of results."""
    blocks: Sequence[Any] = call.raw.get("blocks", ())
    return WebSearchCall(call.id, call.query, call.protocol, {"blocks": [*blocks, raw]})
