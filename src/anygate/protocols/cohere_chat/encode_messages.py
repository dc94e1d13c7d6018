"""System text and turns of a canonical chat -> Cohere's messages.

Sources: https://docs.cohere.com/reference/chat, https://docs.cohere.com/docs/tool-use-usage-patterns,
https://docs.cohere.com/docs/image-inputs (2026-11-22).
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

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
from anygate.canonical.chat import Turn
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.cohere_chat.encode_tools import encode_call
from anygate.protocols.cohere_chat.writing import Writing
from anygate.protocols.json_values import Object
from anygate.protocols.media_type import data_uri, sniff

_DETAILS = ("auto", "low", "high")


def inlines(media: Media) -> bool:
    """Whether media known by URL must be fetched first: Cohere fetches images itself, and takes nothing else."""
    return False


def encode_messages(writing: Writing) -> list[Object]:
    """All messages.

    Raises:
        UnsupportedContent: a turn holds what no message can, or there is none.
    """
    messages: list[Object] = []
    for text in writing.chat.system:
        writing.no_cache_mark(text.cache)
    if writing.chat.system:
        joined = "\n\n".join(text.text for text in writing.chat.system)
        messages.append({"role": "system", "content": joined})
    for turn in writing.chat.turns:
        if turn.name:
            writing.drop("turns", "a speaker's name is not sent")
        match turn.role:
            case "system":
                said = [_said(block, writing) for block in turn.blocks]
                texts = [_text(block, writing) for block in said]
                messages.append({"role": "system", "content": "\n\n".join(texts)})
            case "user":
                messages += _user(turn, writing)
            case "assistant":
                message = _assistant(turn, writing)
                if len(message) > 1:
                    messages.append(message)
    if not messages:
        raise UnsupportedContent("The request has no message", param=writing.param("turns"))
    return messages


def _user(turn: Turn, writing: Writing) -> list[Object]:
    """Tool messages first, for they must follow the calls; images of results go with the user's own words."""
    messages: list[Object] = []
    said: list[Text | Media] = []
    for block in turn.blocks:
        if isinstance(block, ToolResult):
            messages.append(_result(block, said, writing))
    said += [_said(block, writing) for block in turn.blocks if not isinstance(block, ToolResult)]
    parts = [_part(block, writing) for block in said if not (isinstance(block, Text) and not block.text)]
    if len(parts) == 1 and parts[0]["type"] == "text":
        messages.append({"role": "user", "content": parts[0]["text"]})
    elif parts or not messages:
        messages.append({"role": "user", "content": parts or ""})
    return messages


def _result(result: ToolResult, leftover: list[Text | Media], writing: Writing) -> Object:
    """A tool message: plain text, or documents where there are several, so that each can be cited.

    `leftover` gets the images, which follow in a user message.
    """
    writing.no_cache_mark(result.cache)
    documents: list[Object] = []
    images = [block for block in result.blocks if isinstance(block, Media) and block.kind == "image"]
    for block in result.blocks:
        if block in images:
            continue
        text = _text(block, writing)
        title = block.name if isinstance(block, Media) else ""
        if text or title:
            documents.append({"title": title, "text": text} if title else {"text": text})
    if images:
        leftover.append(Text(f"Images of the result of tool call {result.call_id}:"))
        leftover += images
        documents = documents or [{"text": "See the images in the next message."}]
    message: Object = {"role": "tool", "tool_call_id": result.call_id}
    if len(documents) > 1 or (documents and "title" in documents[0]):
        parts: list[Object] = [{"type": "document", "document": {"data": data}} for data in documents]
        message["content"] = [{"type": "text", "text": "Error:"}, *parts] if result.is_error else parts
    else:
        text = str(documents[0]["text"]) if documents else ""
        message["content"] = f"Error: {text}" if result.is_error else text
    return message


def _assistant(turn: Turn, writing: Writing) -> Object:
    """An earlier answer. Words before tool calls are the plan, as Cohere gives it."""
    content: list[Object] = []
    calls: list[Object] = []
    for block in turn.blocks:
        match block:
            case ToolCall():
                writing.no_cache_mark(block.cache)
                calls.append(encode_call(block, writing))
            case Thinking():
                content += _thought(block, writing)
            case WebSearchCall():
                writing.drop("turns", "an earlier web search is not sent again")
            case Media() if block.transcript and not block.text:
                content.append({"type": "text", "text": block.transcript})
            case Text() if block.citations:
                writing.drop("turns", "citations of earlier answers are not sent")
                content += _texts(block, writing)
            case _:
                content += _texts(_said(block, writing), writing)
    message: Object = {"role": "assistant"}
    if calls:
        plan = "".join(part["text"] for part in content if part["type"] == "text")
        if plan:
            message["tool_plan"] = plan
        content = [part for part in content if part["type"] != "text"]
        message["tool_calls"] = calls
    if content:
        message["content"] = content
    return message


def _thought(block: Thinking, writing: Writing) -> Sequence[Object]:
    """Thoughts go back as text; those that another provider signed or closed are its own."""
    maker = block.signature.maker if block.signature is not None else ""
    if not block.text or block.redacted or maker not in ("", writing.target.maker):
        writing.drop("turns", "thoughts of another provider's model are not sent")
        return ()
    return ({"type": "thinking", "thinking": block.text},)


def _texts(block: Text | Media, writing: Writing) -> Sequence[Object]:
    text = _text(block, writing)
    return ({"type": "text", "text": text},) if text else ()


def _said(block: Block, writing: Writing) -> Text | Media:
    """A block that has words, or is media.

    Raises:
        UnsupportedContent: it has none.
    """
    if isinstance(block, Text | Media):
        return block
    if isinstance(block, NativeBlock | Refusal | Thinking) and block.text:
        return Text(block.text)
    text = "A part of the conversation cannot be sent: it belongs to one provider's protocol"
    raise UnsupportedContent(text, param=writing.param("turns"))


def _text(block: Text | Media, writing: Writing) -> str:
    """The words of a block, where only words can stand.

    Raises:
        UnsupportedContent: it is a medium without words.
    """
    writing.no_cache_mark(block.cache)
    if isinstance(block, Text) or block.text:
        return block.text
    raise _refused(writing, "an image" if block.kind == "image" else _named(block.kind))


def _part(block: Text | Media, writing: Writing) -> Object:
    """A part of a user's message.

    Raises:
        UnsupportedContent: it is a medium that Cohere does not take.
    """
    writing.no_cache_mark(block.cache)
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if block.options:
        writing.drop("media", "options of a part that the provider does not know")
    if block.text and not block.data:
        return {"type": "text", "text": f"{block.name}\n\n{block.text}" if block.name else block.text}
    if block.kind != "image":
        raise _refused(writing, _named(block.kind))
    if block.file_id:
        raise _refused(writing, "a file of another provider's account")
    if not block.data and urlsplit(block.url).scheme not in ("http", "https"):
        raise _refused(writing, "a URL that is not on the web")
    image: Object = {"url": data_uri(block.mime or sniff(block.data), block.data) if block.data else block.url}
    if block.detail in _DETAILS:
        image["detail"] = block.detail
    return {"type": "image_url", "image_url": image}


def _named(kind: str) -> str:
    return {"audio": "sound", "video": "video"}.get(kind, "a document")


def _refused(writing: Writing, what: str) -> UnsupportedContent:
    return UnsupportedContent(f"The provider of this model does not take {what} here", param=writing.param("media"))
