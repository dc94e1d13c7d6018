"""System text and turns of a canonical chat -> messages of a Chat Completions request.

Source: https://platform.openai.com/docs/api-reference/chat/create (2026-11-22).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from anygate.canonical.blocks import (
    Block,
    Citation,
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
from anygate.canonical.chat import Turn
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.json_values import Object, as_objects
from anygate.protocols.openai_chat.details import detail_for_upstream, goes_up, google_extra
from anygate.protocols.openai_chat.dialect import NAME, has
from anygate.protocols.openai_chat.encode_parts import encode_content, encode_part, mark_cache
from anygate.protocols.openai_chat.encode_tools import wrapped_input, wraps_custom
from anygate.protocols.openai_chat.writing import Writing

_NOT_SAID = "it belongs to one provider's protocol"


def encode_messages(writing: Writing) -> list[Object]:
    """All messages.

    Raises:
        UnsupportedContent: a turn holds what no message can.
    """
    messages: list[Object] = []
    if writing.chat.system:
        messages.append(_system_message(writing.chat.system, writing))
    for turn in writing.chat.turns:
        match turn.role:
            case "system":
                messages.append(_middle_system(turn, writing))
            case "assistant":
                message = _assistant(turn, writing)
                if writing.is_own or len(message) > 1:
                    messages.append(message)
            case "user":
                messages += _user(turn, writing)
    if not messages and not writing.is_own:
        raise UnsupportedContent("The request has no message", param=writing.param("turns"))
    return messages


def _role(writing: Writing) -> str:
    return "developer" if has(writing.target, "developer_role") else "system"


def _system_message(texts: Sequence[Text], writing: Writing) -> Object:
    """All system text in one message: as parts where cache marks stand on them, else joined by blank lines."""
    if (
        len(texts) > 1
        and any(text.cache for text in texts)
        and (writing.is_own or has(writing.target, "cache_control"))
    ):
        return {"role": _role(writing), "content": encode_content(texts, writing)}
    if len(texts) == 1:
        return {"role": _role(writing), "content": encode_content(texts, writing)}
    if any(text.cache for text in texts):
        writing.drop("cache", "the provider has no cache marks")
    return {"role": _role(writing), "content": "\n\n".join(text.text for text in texts)}


def _middle_system(turn: Turn, writing: Writing) -> Object:
    content = encode_content([_said(block, writing) for block in turn.blocks], writing)
    return {"role": _role(writing), "content": content} | _name(turn)


def _user(turn: Turn, writing: Writing) -> list[Object]:
    """Tool messages first, for they must follow the calls; what a tool message cannot hold goes with the user's own words."""
    messages: list[Object] = []
    said: list[Text | Media] = []
    parts: list[Object] = []
    for block in turn.blocks:
        if isinstance(block, ToolResult):
            messages.append(_result(block, said, writing))
    shown = len(said)
    for block in turn.blocks:
        if isinstance(block, NativeBlock) and block.protocol == NAME and writing.is_own:
            parts.append(dict(block.raw))
        elif not isinstance(block, ToolResult):
            said.append(_said(block, writing))
    if parts:
        parts = [encode_part(block, writing) for block in said] + parts
        messages.append({"role": "user", "content": parts} | _name(turn))
    elif said or not turn.blocks:
        content = encode_content(said, writing)
        if content or writing.is_own or (shown and not messages):
            messages.append({"role": "user", "content": content} | _name(turn))
    return messages


def _name(turn: Turn) -> Object:
    return {"name": turn.name} if turn.name else {}


def _result(result: ToolResult, leftover: list[Text | Media], writing: Writing) -> Object:
    """A tool message; `leftover` gets the media that follow it in a user message."""
    media = [block for block in result.blocks if isinstance(block, Media) and not (block.text and not block.data)]
    if media and not writing.is_own and not has(writing.target, "tool_images"):
        leftover.append(Text(f"Attachments of the result of tool call {result.call_id}:"))
        leftover += media
        kept = [block for block in result.blocks if block not in media]
    else:
        kept = list(result.blocks)
    if all(isinstance(block, Text) for block in kept) and not writing.is_own:
        if any(isinstance(block, Text) and block.cache for block in kept):
            writing.drop("cache", "a tool message takes no cache mark")
        content = "\n".join(block.text for block in kept if isinstance(block, Text))
    else:
        content = encode_content(kept, writing)
    if result.is_error:
        content = f"Error: {content}" if isinstance(content, str) else [{"type": "text", "text": "Error:"}, *content]
    if media and leftover and not content:
        content = "See the attachments in the next message."
    message: Object = {"role": "tool", "tool_call_id": result.call_id, "content": content}
    if writing.is_own and result.name:
        message["name"] = result.name
    if result.cache is not None:
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        mark_cache(content[-1], result.cache, writing)
        message["content"] = content if len(content[-1]) > 2 else message["content"]
    return message


def _said(block: Block, writing: Writing) -> Text | Media:
    """A block of a user or system turn.

    Raises:
        UnsupportedContent: it has no words of its own.
    """
    if isinstance(block, Text | Media):
        return block
    if isinstance(block, NativeBlock | Refusal | Thinking) and block.text:
        return Text(block.text)
    raise UnsupportedContent(f"A part of the conversation cannot be sent: {_NOT_SAID}", param=writing.param("turns"))


@dataclass(slots=True)
class _Spoken:
    """The blocks of an assistant's turn, sorted into what a message keeps apart."""

    texts: list[Text] = field(default_factory=list[Text])
    thoughts: list[Thinking] = field(default_factory=list[Thinking])
    calls: list[Object] = field(default_factory=list[Object])
    refusals: list[str] = field(default_factory=list[str])
    images: list[Object] = field(default_factory=list[Object])
    native: list[Object] = field(default_factory=list[Object])
    audio_id: str = ""
    signature: Signature | None = None


def _assistant(turn: Turn, writing: Writing) -> Object:
    message: Object = {"role": "assistant"} | _name(turn)
    spoken = _Spoken()
    for block in turn.blocks:
        _sort(block, spoken, writing)
    _sign(message, spoken.signature, writing)
    _say(message, spoken.texts, spoken.native, writing)
    _think(message, spoken.thoughts, writing)
    if spoken.refusals:
        message["refusal"] = "".join(spoken.refusals)
    if spoken.images:
        message["images"] = spoken.images
    if spoken.audio_id:
        message["audio"] = {"id": spoken.audio_id}
    if spoken.calls:
        message["tool_calls"] = spoken.calls
    if len(message) > 1 and "content" not in message and not writing.is_own:
        message["content"] = None
    return message


def _sort(block: Block, spoken: _Spoken, writing: Writing) -> None:
    match block:
        case Text():
            spoken.texts.append(block)
            spoken.signature = block.signature or spoken.signature
        case Thinking():
            spoken.thoughts.append(block)
        case ToolCall():
            spoken.calls.append(_call(block, writing))
        case Refusal():
            spoken.refusals.append(block.text)
        case Media():
            _made(block, spoken, writing)
        case WebSearchCall():
            writing.drop("turns", "an earlier web search is not sent again")
        case NativeBlock() if block.protocol == NAME and writing.is_own:
            spoken.native.append(dict(block.raw))
        case NativeBlock() if block.text:
            spoken.texts.append(Text(block.text))
        case NativeBlock() | ToolResult():
            text = f"A part of the conversation cannot be sent: {_NOT_SAID}"
            raise UnsupportedContent(text, param=writing.param("turns"))


def _say(message: Object, spoken: Sequence[Text], native: Sequence[Object], writing: Writing) -> None:
    """What was said: one string, as every upstream takes it; parts go back only where they came from."""
    citations = [citation for text in spoken for citation in text.citations]
    if citations and writing.is_own:
        message["annotations"] = [encode_citation(found, 0, 0) for found in citations if can_be_cited(found)]
    elif citations:
        writing.drop("turns", "citations of earlier answers are not sent")
    said = [text for text in spoken if text.text or (writing.is_own and text.signature is None)]
    if writing.is_own:
        parts = [encode_part(text, writing) for text in said] + list(native)
        if parts:
            plain = len(parts) == 1 and parts[0].keys() == {"type", "text"}
            message["content"] = parts[0]["text"] if plain else parts
        return
    if any(text.cache for text in said):
        if has(writing.target, "cache_control"):
            message["content"] = encode_content(said, writing)
            return
        writing.drop("cache", "the provider has no cache marks")
    if said:
        message["content"] = "".join(text.text for text in said)


def _think(message: Object, thoughts: Sequence[Thinking], writing: Writing) -> None:
    """Thoughts go back only in the forms that the upstream knows, and proofs only to their maker."""
    signed = [
        detail_for_upstream(block, block.signature, index)
        for index, block in enumerate(thoughts)
        if block.signature is not None and goes_up(block.signature, writing.chat.protocol, writing.target.maker)
    ]
    if signed:
        message["reasoning_details"] = signed
    plain = "".join(block.text for block in thoughts)
    if not plain or signed:
        return
    if has(writing.target, "thinking_parts"):
        content = message.get("content")
        parts = as_objects(content) or ([{"type": "text", "text": content}] if content else [])
        message["content"] = [{"type": "thinking", "thinking": [{"type": "text", "text": plain}]}, *parts]
    elif has(writing.target, "reasoning_content"):
        message["reasoning_content"] = plain


def _call(call: ToolCall, writing: Writing) -> Object:
    name = writing.tool_name(call.name)
    if call.custom and not wraps_custom(writing):
        body: Object = {"id": call.id, "type": "custom", "custom": {"name": name, "input": call.arguments}}
    else:
        arguments = wrapped_input(call.arguments) if call.custom else call.arguments or "{}"
        if writing.is_own:
            arguments = call.arguments
        body = {"id": call.id, "type": "function", "function": {"name": name, "arguments": arguments}}
    _sign(body, call.signature, writing)
    mark_cache(body, call.cache, writing)
    return body


def _sign(holder: Object, signature: Signature | None, writing: Writing) -> None:
    if signature is not None and goes_up(signature, writing.chat.protocol, writing.target.maker):
        holder["extra_content"] = google_extra(signature.value)


def _made(media: Media, spoken: _Spoken, writing: Writing) -> None:
    """Media that the assistant made: a sound by its id or by its words, images where the client's protocol is this one.

    Raises:
        UnsupportedContent: an assistant's message cannot hold it.
    """
    if media.kind == "audio" and media.id and writing.is_own:
        spoken.audio_id = media.id
    elif media.kind == "audio" and media.transcript:
        spoken.texts.append(Text(media.transcript))
    elif media.kind == "image" and writing.is_own:
        spoken.images.append(encode_part(media, writing))
    else:
        text = f"The provider of this model does not take {media.kind} that an assistant made"
        raise UnsupportedContent(text, param=writing.param("media"))


def can_be_cited(citation: Citation) -> bool:
    """Whether an annotation can hold it: this protocol cites addresses only."""
    return bool(citation.url) or (citation.protocol == NAME and bool(citation.raw))


def encode_citation(citation: Citation, start: int, length: int) -> Object:
    """An annotation.

    Args:
        citation: of a text block.
        start: where the block begins in the message, in characters.
        length: of the block, for a citation of the whole of it.
    """
    if citation.protocol == NAME and citation.raw:
        return dict(citation.raw)
    first, last = (citation.start, citation.end) if citation.start >= 0 else (0, length)
    place: Object = {
        "url": citation.url,
        "title": citation.title,
        "start_index": start + first,
        "end_index": start + last,
    }
    if citation.quote:
        place["content"] = citation.quote
    return {"type": "url_citation", "url_citation": place}
