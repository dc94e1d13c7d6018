"""Laws of all chat codecs, tried with random conversations, answers, cuts and broken bytes."""

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anygate.canonical.blocks import Thinking
from anygate.canonical.chat import Chat
from anygate.canonical.chat_events import Answer
from anygate.canonical.errors import InvalidRequest, ProtocolViolation, UnsupportedContent
from anygate.protocols.chat_codec import Source
from anygate.protocols.fold import unfold
from anygate.protocols.registry import chat_codecs
from tests.matrix.answered import ANSWERS
from tests.matrix.asked import FEATURES
from tests.matrix.cells import (
    CELLS,
    MODELS,
    PROTOCOLS,
    THINKERS,
    codec,
    decode_request,
    decode_stream,
    encode_request,
    encode_stream,
    maker,
    reply_to,
    target,
    told,
    with_media,
)
from tests.matrix.content import all_blocks, lost_answer, lost_content, lost_parameters
from tests.matrix.probes import ASKING, BROKEN, REFUSALS
from tests.properties.conversations import answers, chats, values

EXAMPLES = int(os.environ.get("ANYGATE_EXAMPLES", "15"))
"""Of each law in each cell. There are many cells; the variable asks for a longer search."""
CLIENTS = list(PROTOCOLS)
TRANSLATING = [name for name, found in chat_codecs().items() if found.encode_request is not None]
PLACES = st.lists(st.integers(0, 4000), max_size=12)


@contextmanager
def refusals() -> Generator[None]:
    """What may be refused is refused as the client's fault, and content by the field that holds it."""
    try:
        yield
    except (InvalidRequest, UnsupportedContent) as refused:
        if isinstance(refused, UnsupportedContent) and not refused.param:
            raise


def said_by(client: str, chat: Chat) -> Chat | None:
    """The part of a conversation that a client of the protocol can say, as it says it; None: it has no words for it."""
    try:
        encoded = encode_request(client, chat, target(client, THINKERS[client], chat.output_limit))
    except UnsupportedContent:
        return None
    body: dict[str, Any] = orjson.loads(orjson.dumps(encoded.document))
    return decode_request(client, body, THINKERS[client])


def read_again(upstream: str, asked: Chat, models: Any) -> tuple[Chat, list[str]]:
    """What an upstream reads of a request, and what it lost in silence.

    Raises:
        UnsupportedContent: it cannot be carried.
    """
    encoded = encode_request(upstream, asked, target(upstream, models[upstream], asked.output_limit))
    written: dict[str, Any] = orjson.loads(orjson.dumps(encoded.document))
    chat = decode_request(upstream, written, models[upstream])
    inlines = codec(upstream).inlines
    fetched = with_media(asked, inlines) if inlines is not None else asked
    return chat, lost_content(fetched, encoded, chat) + lost_parameters(asked, encoded, chat)


@pytest.mark.parametrize("models", [MODELS, THINKERS], ids=["plain", "thinking"])
@pytest.mark.parametrize(("client", "upstream"), CELLS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_no_request_loses_anything_in_silence(client: str, upstream: str, models: Any, data: st.DataObject):
    asked = said_by(client, data.draw(chats(client)))
    if asked is None:
        return
    with refusals():
        _, lost = read_again(upstream, asked, models)
        assert lost == []


@pytest.mark.parametrize("upstream", ["openai.responses", "anthropic.messages", "google.gemini"])
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_thoughts_go_back_to_their_maker_with_their_proof(upstream: str, data: st.DataObject):
    asked = data.draw(chats("openai.chat", maker(upstream)))
    with refusals():
        chat, _ = read_again(upstream, asked, THINKERS)
        assert proofs(chat) == proofs(asked)


@pytest.mark.parametrize("upstream", CLIENTS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_foreign_proofs_never_leave(upstream: str, data: st.DataObject):
    asked = data.draw(chats("openai.chat", "stranger"))
    with refusals():
        encoded = encode_request(upstream, asked, target(upstream, THINKERS[upstream], asked.output_limit))
        sent = orjson.dumps(encoded.document).decode()
        assert not [proof for proof in proofs(asked) if proof in sent]


def proofs(chat: Chat) -> list[str]:
    found = [block.signature for block in all_blocks(chat) if isinstance(block, Thinking)]
    return [signature.value for signature in found if signature is not None]


# Answers


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(("client", "upstream"), CELLS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_every_answer_is_told_whole(client: str, upstream: str, stream: bool, data: st.DataObject):
    answer = data.draw(answers(maker(upstream)))
    reply = reply_to(client, upstream, ASKING[client])
    assert lost_answer(answer, told(client, unfold(answer), reply, stream=stream)) == []


@pytest.mark.parametrize("protocol", CLIENTS)
@settings(max_examples=EXAMPLES)
@given(data=st.data(), places=PLACES)
def test_any_slicing_of_a_stream_gives_the_same_events(protocol: str, data: st.DataObject, places: list[int]):
    answer: Answer = data.draw(answers(maker(protocol)))
    wire = encode_stream(protocol, unfold(answer), reply_to(protocol, protocol, ASKING[protocol]))
    found = codec(protocol)
    assert found.stream_decoder is not None
    decoder = found.stream_decoder(Source(maker(protocol)))
    events = [event for piece in cut(wire, places) for event in decoder.feed(piece)]
    assert [*events, *decoder.finish()] == decode_stream(protocol, wire, Source(maker(protocol)))


def cut(wire: bytes, places: Iterable[int]) -> list[bytes]:
    ends = sorted({0, len(wire), *(place for place in places if place < len(wire))})
    return [wire[start:end] for start, end in pairwise(ends)]


# Whatever comes


@pytest.mark.parametrize("protocol", TRANSLATING)
@settings(max_examples=EXAMPLES)
@given(body=st.binary(max_size=200), places=PLACES)
def test_arbitrary_bytes_raise_nothing_but_what_is_promised(protocol: str, body: bytes, places: list[int]):
    _answer_is_read_or_refused(protocol, body)
    found = codec(protocol)
    assert found.stream_decoder is not None
    decoder, observer = found.stream_decoder(Source()), found.observer()
    for piece in cut(body, places):
        decoder.feed(piece)
        observer.feed(piece)
    decoder.finish()
    observer.finish()
    found.decode_error(body)
    found.observe_answer(body)
    found.observe_tail(body)


def _answer_is_read_or_refused(protocol: str, body: bytes) -> None:
    found = codec(protocol)
    assert found.decode_answer is not None
    try:
        found.decode_answer(body, Source())
    except ProtocolViolation:
        return


ODD: list[Any] = ["", [], {}, -1, 1e400, True]


def replaced(draw: st.DrawFn, body: Any) -> Any:
    """The value with one of its inner values replaced by anything."""
    if isinstance(body, dict) and body and draw(st.integers(0, 5)):
        members = cast("dict[str, Any]", body)
        name = draw(st.sampled_from(sorted(members)))
        return {**members, name: replaced(draw, members[name])}
    if isinstance(body, list) and body and draw(st.integers(0, 5)):
        items = cast("list[Any]", body)
        place = draw(st.integers(0, len(items) - 1))
        return [*items[:place], replaced(draw, items[place]), *items[place + 1 :]]
    return draw(values | st.sampled_from(ODD))


@st.composite
def _broken(draw: st.DrawFn, wholes: list[Any]) -> bytes:
    body: dict[str, Any] = draw(st.sampled_from(wholes))
    name = draw(st.sampled_from(sorted(body)))
    return orjson.dumps({**body, name: replaced(draw, body[name])})


REQUESTS = {name: [feature.said[name] for feature in FEATURES if name in feature.said] for name in CLIENTS}
BODIES = {
    name: [*(feature.said[name] for feature in ANSWERS if name in feature.said), REFUSALS[name]] for name in CLIENTS
}


@pytest.mark.parametrize("protocol", CLIENTS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_request_with_anything_in_it_is_carried_or_refused(protocol: str, data: st.DataObject):
    body = data.draw(_broken(REQUESTS[protocol]))
    with refusals():
        asked = decode_request(protocol, orjson.loads(body), "m")
        for upstream in TRANSLATING:
            found = codec(upstream)
            assert found.encode_request is not None
            where = target(upstream, THINKERS[upstream], asked.output_limit) if upstream in PROTOCOLS else COHERE
            with refusals():
                orjson.dumps(found.encode_request(asked, where).document)


COHERE = target("openai.chat", "command-a-03-2025")._replace(maker="cohere", traits=frozenset())


@pytest.mark.parametrize("protocol", CLIENTS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_an_answer_with_anything_in_it_is_told_or_refused(protocol: str, data: st.DataObject):
    body = data.draw(_broken(BODIES[protocol]))
    _answer_is_read_or_refused(protocol, body)
    frames = b"event: x\ndata: " + body + b"\n\n"
    for client in CLIENTS:
        events = decode_stream(protocol, BROKEN[protocol][: len(body)] + b"\n\n" + frames, Source("maker"))
        assert encode_stream(client, events, reply_to(client, protocol, ASKING[client]))
