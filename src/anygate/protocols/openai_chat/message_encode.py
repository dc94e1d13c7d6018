"""A complete canonical choice -> `message` of a Chat Completions answer.

Source: https://platform.openai.com/docs/api-reference/chat/object (2026-11-22).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from anygate.canonical.blocks import (
    Block,
    Media,
    NativeBlock,
    Refusal,
    Signature,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
    ToolResult,
    WebSearchCall,
)
from anygate.canonical.chat import CustomTool
from anygate.protocols.chat_codec import Reply
from anygate.protocols.json_values import Object, as_object
from anygate.protocols.openai_chat.decode import LEGACY_NOTE
from anygate.protocols.openai_chat.details import detail_for_client, google_extra
from anygate.protocols.openai_chat.encode_messages import can_be_cited, encode_citation
from anygate.protocols.openai_chat.encode_tools import CUSTOM_INPUT
from anygate.protocols.openai_chat.generated_images import image_entry, markdown
from anygate.protocols.openai_chat.wav import as_wav
from anygate.protocols.signature_tag import tag


@dataclass(slots=True)
class Message:
    """A message while it is put together."""

    reply: Reply
    content: list[str] = field(default_factory=list[str])
    length: int = 0
    thoughts: list[str] = field(default_factory=list[str])
    details: list[Object] = field(default_factory=list[Object])
    refusals: list[str] = field(default_factory=list[str])
    annotations: list[Object] = field(default_factory=list[Object])
    calls: list[Object] = field(default_factory=list[Object])
    images: list[Object] = field(default_factory=list[Object])
    logprobs: list[Object] = field(default_factory=list[Object])
    audio: Object | None = None
    signature: Signature | None = None

    def add(self, block: Block) -> None:
        """A block, in the order of the answer."""
        match block:
            case Text():
                length = len(block.text)
                cited = filter(can_be_cited, block.citations)
                self.annotations += [encode_citation(citation, self.length, length) for citation in cited]
                self.logprobs += map(encode_logprob, block.logprobs)
                self.signature = block.signature or self.signature
                self._say(block.text)
            case Thinking():
                self.thoughts.append(block.text)
                if block.signature is not None:
                    index = len(self.details)
                    self.details.append(
                        detail_for_client(
                            block.text, block.signature, redacted=block.redacted, id=block.id, index=index
                        )
                    )
            case ToolCall():
                self.calls.append(encode_call(block, is_wrapped_custom(self.reply)))
            case Media():
                self._show(block)
            case Refusal():
                self.refusals.append(block.text)
            case NativeBlock():
                self._say(block.text)
            case WebSearchCall() | ToolResult():
                pass  # this protocol shows no trace of a search; an answer holds no results

    def done(self) -> Object:
        """The message's JSON."""
        message: Object = {
            "role": "assistant",
            "content": "".join(self.content) if self.content else None,
            "refusal": "".join(self.refusals) if self.refusals else None,
        }
        if any(self.thoughts):
            message["reasoning_content"] = "".join(self.thoughts)
        for name, value in (
            ("reasoning_details", self.details),
            ("annotations", self.annotations),
            ("images", self.images),
            ("audio", self.audio),
        ):
            if value:
                message[name] = value
        if self.signature is not None:
            message["extra_content"] = google_extra(tag(self.signature))
        if self.calls and is_legacy(self.reply):
            message["function_call"] = self.calls[0]["function"]
        elif self.calls:
            message["tool_calls"] = self.calls
        return message

    def _say(self, text: str) -> None:
        if text:
            self.content.append(text)
            self.length += len(text)

    def _show(self, media: Media) -> None:
        if media.kind == "audio":
            self.audio = encode_audio(as_wav(media) if _wants_wav(self.reply) else media, self.reply)
        else:
            self._say(markdown(media))
            if media.kind == "image":
                self.images.append(image_entry(media))


def _wants_wav(reply: Reply) -> bool:
    return reply.chat.speech is None or reply.chat.speech.format in ("", "wav")


def is_legacy(reply: Reply) -> bool:
    """Whether the client asked with `functions`."""
    return LEGACY_NOTE in reply.chat.extras


def is_wrapped_custom(reply: Reply) -> Callable[[str], bool]:
    """Whether a tool of this name takes free text for the client, though it travelled as a function."""
    names = {tool.name for tool in reply.chat.tools if isinstance(tool, CustomTool)}
    return names.__contains__


def unwrapped_input(arguments: str) -> str:
    """The free text in a function's arguments; what is no such object is given as it is."""
    try:
        value = as_object(orjson.loads(arguments)).get(CUSTOM_INPUT)
    except orjson.JSONDecodeError:
        return arguments
    return value if isinstance(value, str) else arguments


def encode_call(call: ToolCall, wrapped: Callable[[str], bool]) -> Object:
    """An entry of `tool_calls`."""
    if call.custom or wrapped(call.name):
        text = call.arguments if call.custom else unwrapped_input(call.arguments)
        body: Object = {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": text}}
    else:
        body = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    if call.signature is not None:
        body["extra_content"] = google_extra(tag(call.signature))
    return body


def encode_audio(media: Media, reply: Reply) -> Object:
    """`message.audio`. Sound of an upstream that keeps none has an id of ours and is past its time at once."""
    return {
        "id": media.id or f"audio_{reply.id}",
        "data": media.data,
        "expires_at": media.expires_at or reply.created,
        "transcript": media.transcript,
    }


def encode_logprob(entry: TokenLogprob) -> Object:
    """An entry of `logprobs.content`."""
    body = _plain_logprob(entry)
    body["top_logprobs"] = [_plain_logprob(other) for other in entry.top]
    return body


def _plain_logprob(entry: TokenLogprob) -> Object:
    known = list(entry.bytes) if entry.bytes is not None else None
    return {"token": entry.token, "logprob": entry.logprob, "bytes": known}
