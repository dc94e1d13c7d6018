"""The 16 cells: a client of each protocol at an upstream of each, by the codecs alone, as the relay puts them together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from anygate.canonical.blocks import Block, Media, Text, ToolResult
from anygate.canonical.chat import Chat, Turn
from anygate.canonical.chat_events import Answer, ChatEvent
from anygate.protocols.chat_codec import ChatCodec, Encoded, Reply, Source, Target
from anygate.protocols.fold import fold
from anygate.protocols.registry import chat_codecs
from anygate.protocols.stop_watch import StopWatch
from anygate.providers.registry import provider

Body = dict[str, Any]

PROTOCOLS: Mapping[str, str] = {
    "openai.chat": "OpenAI Chat",
    "openai.responses": "OpenAI Responses",
    "anthropic.messages": "Anthropic Messages",
    "google.gemini": "Gemini",
}
"""The protocols, and what the document calls them."""
CELLS = [(client, upstream) for upstream in PROTOCOLS for client in PROTOCOLS]
PROVIDERS = {
    "openai.chat": "openai",
    "openai.responses": "openai",
    "anthropic.messages": "anthropic",
    "google.gemini": "gemini",
}
MODELS = {
    "openai.chat": "gpt-4.1",
    "openai.responses": "gpt-4.1",
    "anthropic.messages": "claude-sonnet-4-5",
    "google.gemini": "gemini-2.5-flash",
}
THINKERS = {**MODELS, "openai.chat": "gpt-5.1", "openai.responses": "gpt-5.1"}
SEARCHERS = {**MODELS, "openai.chat": "gpt-4o-search-preview"}
FETCHED = "aW1hZ2U="
"""What the gateway finds at a URL that the upstream cannot be given."""


def codec(protocol: str) -> ChatCodec:
    return chat_codecs()[protocol]


def maker(protocol: str) -> str:
    """Who signs at the upstream that the probes ask."""
    table = provider(PROVIDERS[protocol])
    return table.maker or table.slug


def decode_request(protocol: str, body: Body, model: str = "m") -> Chat:
    """A client's request in canonical words."""
    found = codec(protocol)
    assert found.decode_request is not None
    method = "streamGenerateContent" if body.get("stream") else "generateContent"
    given = {name: value for name, value in body.items() if name != "stream"} if protocol == "google.gemini" else body
    return found.decode_request(found.read(orjson.dumps(given), {"model": model, "method": method, "alt": "sse"}))


def target(protocol: str, model: str, limit: int | None = None, traits: frozenset[str] | None = None) -> Target:
    """The protocol's own provider, with the model."""
    table = provider(PROVIDERS[protocol])
    return Target(
        model=model,
        maker=maker(protocol),
        limit=limit,
        limit_field=table.limit_field if codec(protocol).limit_fields else "",
        traits=table.traits if traits is None else traits,
    )


def encode_request(protocol: str, chat: Chat, where: Target) -> Encoded:
    """A request for an upstream, its media fetched where that must be.

    Raises:
        UnsupportedContent: it cannot be carried there.
    """
    found = codec(protocol)
    assert found.encode_request is not None
    if found.inlines is not None:
        chat = with_media(chat, found.inlines)
    return found.encode_request(chat, where)


def with_media(chat: Chat, inlines: Callable[[Media], bool]) -> Chat:
    """What the relay does before: whatever must be sent as data is fetched."""

    def fetched(block: Block) -> Block:
        match block:
            case Media() if inlines(block):
                return msgspec.structs.replace(block, url="", data=FETCHED, mime=block.mime or MIMES[block.kind])
            case ToolResult():
                inner = tuple(found for part in block.blocks if isinstance(found := fetched(part), Text | Media))
                return msgspec.structs.replace(block, blocks=inner)
            case _:
                return block

    turns = tuple(Turn(turn.role, tuple(map(fetched, turn.blocks)), turn.name) for turn in chat.turns)
    return msgspec.structs.replace(chat, turns=turns)


MIMES = {"image": "image/png", "audio": "audio/mpeg", "video": "video/mp4", "file": "application/pdf"}


@dataclass(frozen=True)
class Sent:
    """What came of a request.

    Attributes:
        asked: in canonical words.
        encoded: for the upstream.
        chat: what an upstream of that protocol reads in it.
    """

    asked: Chat
    encoded: Encoded
    chat: Chat


def send(client: str, upstream: str, body: Body, models: Mapping[str, str] = MODELS) -> Sent:
    """A request of a client, written for an upstream.

    Raises:
        UnsupportedContent: it cannot be carried there.
    """
    asked = decode_request(client, body, models[upstream])
    encoded = encode_request(upstream, asked, target(upstream, models[upstream], asked.output_limit))
    written: Body = orjson.loads(orjson.dumps(encoded.document))
    return Sent(asked, encoded, decode_request(upstream, written, models[upstream]))


# Answers


def decode_answer(protocol: str, body: bytes, source: Source) -> list[ChatEvent]:
    found = codec(protocol)
    assert found.decode_answer is not None
    return found.decode_answer(body, source)


def decode_stream(protocol: str, wire: bytes, source: Source) -> list[ChatEvent]:
    found = codec(protocol)
    assert found.stream_decoder is not None
    decoder = found.stream_decoder(source)
    return [*decoder.feed(wire), *decoder.finish()]


def encode_answer(protocol: str, events: Sequence[ChatEvent], reply: Reply) -> bytes:
    found = codec(protocol)
    assert found.encode_answer is not None
    return found.encode_answer(fold(events), reply)


def encode_stream(protocol: str, events: Sequence[ChatEvent], reply: Reply) -> bytes:
    found = codec(protocol)
    assert found.stream_encoder is not None
    encoder = found.stream_encoder(reply)
    wire = b"".join(encoder.feed([event]) for event in events)
    return wire + encoder.finish()


def reply_to(client: str, upstream: str, body: Body) -> Reply:
    """What an answer's encoder knows."""
    return Reply("abc123", "m", 1_700_000_000, decode_request(client, body), maker(upstream))


def told(client: str, events: list[ChatEvent], reply: Reply, *, stream: bool) -> Answer:
    """An upstream's events as a client reads them."""
    encode, decode = (encode_stream, decode_stream) if stream else (encode_answer, decode_answer)
    return fold(decode(client, encode(client, events, reply), Source(reply.maker)))


def watched(encoded: Encoded, events: list[ChatEvent]) -> list[ChatEvent]:
    """The events that pass the watch over stop sequences that the upstream does not know."""
    return StopWatch(encoded.stop).feed(events) if encoded.stop else events
