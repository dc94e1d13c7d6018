"""What a chat protocol can do: read, edit and observe its own bytes, and translate to and from canonical words.

One table per protocol (`Protocol.chat`); the relay reads the tables of the client's and of the upstream's protocol and
never asks which one it has. Everything here is pure.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from anygate.canonical.blocks import Media
from anygate.canonical.chat import Chat
from anygate.canonical.chat_events import Answer, ChatEvent
from anygate.canonical.usage import Usage
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.json_spans import Buffer


class Observed(msgspec.Struct, frozen=True):
    """What an answer says of itself.

    `text_bytes`: UTF-8 bytes of all that was generated; counted only where `usage` is None.
    """

    usage: Usage | None
    text_bytes: int
    error: Mapping[str, Any] | None = None


class Observer(Protocol):
    """Watches a stream that travels untouched; fed in any slices."""

    @property
    def usage(self) -> Usage | None:
        """The latest that was reported."""
        ...

    @property
    def chunks_seen(self) -> bool:
        """An event that can be read has come."""
        ...

    @property
    def tokens_seen(self) -> bool:
        """Something that a model generated has come."""
        ...

    @property
    def error(self) -> Mapping[str, Any] | None:
        """Of an error event, as `ChatCodec.decode_error` shapes it."""
        ...

    @property
    def text_bytes(self) -> int:
        """UTF-8 bytes of generated text so far, as of the last `flush`."""
        ...

    def feed(self, block: bytes) -> bool:
        """Take a block; True when so much waits that `flush` is due."""
        ...

    def flush(self) -> None:
        """Look into everything that is complete."""
        ...

    def finish(self) -> None:
        """The stream is over: look into what is left."""
        ...


class StreamFilter(Protocol):
    """Turns the bytes of an upstream's stream into those for the client."""

    def feed(self, block: bytes) -> bytes:
        """A block in any slicing -> what can be sent on now; may be empty."""
        ...

    def finish(self) -> bytes:
        """The upstream's body is complete -> what is left to send."""
        ...


class Edits(msgspec.Struct, frozen=True, gc=False):
    """The closed list of edits that a native request may get.

    Attributes:
        model: the upstream's name.
        limit: output tokens per choice to allow; None leaves the client's.
        limit_field: the field for it when the client used none ("" where the protocol has but one).
        include_usage: ask for a stream's usage (OpenAI chat).
        set_body: top-level fields that the channel or the endpoint sets.
        drop_body: top-level fields that are never sent.
    """

    model: str
    limit: int | None = None
    limit_field: str = ""
    include_usage: bool = False
    set_body: Mapping[str, Any] = {}
    drop_body: Sequence[str] = ()


class Target(NamedTuple):
    """The upstream that a translated request is written for.

    Attributes:
        model: its name of the model.
        maker: `Provider.maker`: signatures of other makers are never sent to it.
        limit: output tokens to allow (already fits hold and model); None: say nothing where the protocol lets us.
        limit_field: the provider's field for it.
        max_output: of the model, 0 unknown.
        traits: `Provider.traits`: facts of a dialect ("developer_role", "reasoning_content", ...).
    """

    model: str
    maker: str = ""
    limit: int | None = None
    limit_field: str = ""
    max_output: int = 0
    traits: frozenset[str] = frozenset()


class Dropped(NamedTuple):
    """A harmless part of the request that the upstream's protocol cannot say; told in `x-anygate-warnings`.

    `parameter` is the client's own name of the field, `reason` a few plain ASCII words without commas and semicolons.
    """

    parameter: str
    reason: str


class Encoded(NamedTuple):
    """A request in the upstream's words.

    Attributes:
        document: the JSON body. Where model and stream travel in the path they are not in it.
        dropped: what could not be carried.
        names: the upstream's tool names -> the client's, where they had to be changed.
        stop: sequences that the upstream does not know; the gateway watches for them (protocols.stop_watch).
    """

    document: dict[str, Any]
    dropped: tuple[Dropped, ...] = ()
    names: Mapping[str, str] = {}
    stop: tuple[str, ...] = ()


class Source(NamedTuple):
    """Where an answer comes from.

    Attributes:
        maker: tags the signatures in it.
        names: `Encoded.names`.
    """

    maker: str = ""
    names: Mapping[str, str] = {}


class Reply(NamedTuple):
    """What an answer's encoder must know of the request.

    Attributes:
        id: for protocols whose ids are ours to make; unique, letters and digits.
        model: as the client named it; used where the upstream names none.
        created: unix seconds.
        chat: the request.
        maker: of the upstream; signatures in the answer are its own.
        estimate: input tokens by the gateway's count, for protocols that open a stream with them.
    """

    id: str
    model: str
    created: int
    chat: Chat
    maker: str = ""
    estimate: int = 0


class StreamDecoder(Protocol):
    """An upstream's stream -> events. Fed in any slices; unknown events are skipped; never raises."""

    def feed(self, block: bytes) -> list[ChatEvent]:
        """The events that are complete now."""
        ...

    def finish(self) -> list[ChatEvent]:
        """The body is over: the rest. A stream that broke off without its end gives `Failed` last."""
        ...


@runtime_checkable
class WatchedDecoder(Protocol):
    """A `StreamDecoder` that tells an observer what it reads, so that the stream is taken apart but once.

    Attributes:
        observer: sees all that the decoder is fed, without being fed itself.
    """

    observer: Observer


class StreamEncoder(Protocol):
    """Events -> the bytes of a client's stream."""

    def feed(self, events: Sequence[ChatEvent]) -> bytes:
        """Frames for the events; may be empty. After a `Failed` the protocol's error event, and nothing more."""
        ...

    def finish(self) -> bytes:
        """The events are over: terminal frames with finish reason and usage, if they were not sent yet."""
        ...


@dataclass(frozen=True, slots=True)
class ChatState:
    """A protocol whose answers are kept under their id, by the upstream or, where it cannot, by the gateway.

    Attributes:
        made_id: (the beginning of a native answer or its whole) -> the answer's id; "" if it has none.
        wants_keeping: does the request (its document) ask for its answer to be kept?
        with_history: (request, items) -> the request with the history in place of the id that stood for it.
        conversation_of: (kept input, kept output items) -> the items that stand for both in a later request.
        input_items: (document, prefix -> new id) -> the request's items as they are listed.
        echoing: (chat, the client's document) -> the chat as the answer object repeats it.
        answer_of: the complete answer object of a stream that this protocol's encoder has written.
    """

    made_id: Callable[[bytes], str]
    wants_keeping: Callable[[Mapping[str, Any]], bool]
    with_history: Callable[[ChatRequest, Sequence[Mapping[str, Any]]], ChatRequest]
    conversation_of: Callable[[Any, Sequence[Mapping[str, Any]]], list[dict[str, Any]]]
    input_items: Callable[[Mapping[str, Any], Callable[[str], str]], list[dict[str, Any]]]
    echoing: Callable[[Chat, Mapping[str, Any]], Chat]
    answer_of: Callable[[StreamEncoder], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ChatCodec:
    """A chat protocol.

    Attributes:
        read: (body, path parameters) -> what routing, price and limits need. Raises InvalidRequest.
        edit: the native request's bytes for an upstream, in pieces.
        observe_answer: a complete plain answer's usage; None if it cannot be read.
        observe_tail: the usage in the last bytes of a plain answer too large to be kept.
        observer: a fresh Observer.
        decode_error: a refusal's body -> {"message", "type", "code", ...}; None where it is no object.
        usage_filter: takes the usage chunk, which the gateway asked for alone, out of a stream; None: never needed.
        limit_fields: names of the output limit among which providers differ; (): the protocol has one name for it.
        done: found in a stream's last block when the stream is complete; None: only the body's end tells.
        heartbeat: what may be sent between events to keep a connection alive.
        references: the request -> ids of files and stores that belong to one upstream account.
        state: where answers are kept; None: the protocol keeps nothing.
        holds_foreign: does the history hold signatures of other makers, which this protocol's providers would refuse?
            Such a request is written anew even for an upstream of the same protocol.
        encode_count: the answer of the protocol's call that counts input tokens.
        inlines: as an upstream: must this media's URL be fetched and sent as data, because it cannot be sent as it is?
        decode_request: the client's request in canonical words. Raises InvalidRequest. None: native only.
        encode_request: canonical words for an upstream. Raises UnsupportedContent, naming the client's field.
        decode_answer: a complete plain answer (status 2xx) -> its events. Raises ProtocolViolation if it cannot be read.
        stream_decoder, encode_answer, stream_encoder: see the protocols above.
    """

    read: Callable[[Buffer, Mapping[str, str]], ChatRequest]
    edit: Callable[[ChatRequest, Edits], list[bytes | memoryview]]
    observe_answer: Callable[[bytes], Observed | None]
    observe_tail: Callable[[bytes], Usage | None]
    observer: Callable[[], Observer]
    decode_error: Callable[[bytes], Mapping[str, Any] | None]
    usage_filter: Callable[[], StreamFilter] | None = None
    limit_fields: tuple[str, ...] = ()
    done: re.Pattern[bytes] | None = None
    heartbeat: bytes = b": heartbeat\n\n"
    holds_foreign: Callable[[ChatRequest], bool] | None = None
    encode_count: Callable[[int], bytes] | None = None
    references: Callable[[ChatRequest], Sequence[str]] | None = None
    state: ChatState | None = None
    inlines: Callable[[Media], bool] | None = None
    decode_request: Callable[[ChatRequest], Chat] | None = None
    encode_request: Callable[[Chat, Target], Encoded] | None = None
    decode_answer: Callable[[bytes, Source], list[ChatEvent]] | None = None
    stream_decoder: Callable[[Source], StreamDecoder] | None = None
    encode_answer: Callable[[Answer, Reply], bytes] | None = None
    stream_encoder: Callable[[Reply], StreamEncoder] | None = None
