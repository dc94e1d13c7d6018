"""Laws of answers: what is written is read again as it was, and nothing that an upstream sends raises."""

from contextlib import suppress
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st
from tests.json_texts import JSON_VALUES

from anygate.canonical.blocks import Block, Citation, Media, Refusal, Signature, Text, Thinking, TokenLogprob, ToolCall
from anygate.canonical.chat import Chat
from anygate.canonical.chat_events import Answer, ChatEvent, Choice, Failed, Finished, StopReason
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Reply, Source
from anygate.protocols.fold import fold, unfold
from anygate.protocols.openai_chat.answer_encode import encode_answer
from anygate.protocols.openai_chat.answer_reader import StreamDecoder, decode_answer
from anygate.protocols.openai_chat.stream_encode import StreamEncoder

SOURCE = Source("up", {"a_b": "a.b"})
REPLY = Reply("r1", "m", 1_700_000_000, Chat("openai.chat", "m", (), include_usage=True), "up")
PNG = "iVBORw0KGgoAAAANSUhEUgAA"
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_SIGNATURES = st.none() | st.builds(Signature, _TEXTS, st.just("other"))
_CALLS = st.builds(
    ToolCall,
    st.sampled_from(["c1", "c2", "c3"]),
    st.sampled_from(["f", "g"]),
    st.just("") | _TEXTS,
    signature=_SIGNATURES,
)
_PROBS = st.builds(
    TokenLogprob,
    _TEXTS,
    st.floats(-9, 0),
    st.none() | st.just((97,)),
    st.just(()) | st.just((TokenLogprob("b", -1.0),)),
)


def frames(*chunks: Any) -> bytes:
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks)


def streamed(wire: bytes) -> list[ChatEvent]:
    decoder = StreamDecoder(SOURCE)
    return decoder.feed(wire) + decoder.finish()


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Answers of the order that the protocol keeps: thoughts, words, refusal, images, calls."""
    given: list[Block] = []
    if draw(st.booleans()):
        given.append(Thinking(draw(_TEXTS), draw(_SIGNATURES)))
    if draw(st.booleans()):
        given.append(Thinking("", Signature(draw(_TEXTS), "other"), redacted=True))
    if draw(st.booleans()):
        text = draw(_TEXTS)
        given.append(
            Text(
                text,
                draw(st.just(()) | st.just((Citation("https://x.y", "X", "q", 0, 1),))),
                signature=draw(_SIGNATURES),
                logprobs=tuple(draw(st.lists(_PROBS, max_size=2))),
            )
        )
    if draw(st.booleans()):
        given.append(Refusal(draw(_TEXTS)))
    if draw(st.booleans()):
        given.append(Media("image", "image/png", PNG))
    given += draw(st.lists(_CALLS, max_size=3, unique_by=lambda call: call.id))
    called = any(isinstance(block, ToolCall) for block in given)
    refused = any(isinstance(block, Refusal) for block in given)
    ends: list[StopReason] = ["length", "filtered", "tool_call" if called else "refusal" if refused else "end"]
    finish = Finished(draw(st.sampled_from(ends)))
    counts = st.integers(0, 999)
    used = Usage(draw(counts), draw(counts), draw(counts), output=draw(counts), audio_input=draw(counts))
    return Answer("c1", "m1", 5, (Choice(tuple(given), finish),), draw(st.none() | st.just(used)))


@given(answers())
def test_an_answer_survives_being_told(answer: Answer):
    assert fold(decode_answer(encode_answer(answer, REPLY), SOURCE)) == answer


@given(answers(), st.lists(st.integers(0, 3000), max_size=6))
def test_an_answer_survives_being_streamed_in_any_slices(answer: Answer, cuts: list[int]):
    encoder = StreamEncoder(REPLY)
    wire = b"".join(encoder.feed([event]) for event in unfold(answer)) + encoder.finish()
    edges = [0, *sorted(cut for cut in cuts if cut < len(wire)), len(wire)]
    decoder = StreamDecoder(SOURCE)
    events = [event for first, last in pairwise(edges) for event in decoder.feed(wire[first:last])] + decoder.finish()
    assert events == streamed(wire)
    assert fold(events) == answer


_DELTAS = st.dictionaries(
    st.sampled_from(
        [
            "content",
            "reasoning",
            "reasoning_content",
            "reasoning_details",
            "tool_calls",
            "function_call",
            "refusal",
            "audio",
            "images",
            "annotations",
            "extra_content",
        ]
    ),
    JSON_VALUES
    | st.lists(
        st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "text",
                    "summary",
                    "data",
                    "signature",
                    "index",
                    "id",
                    "function",
                    "custom",
                    "image_url",
                    "url_citation",
                ]
            ),
            JSON_VALUES,
            max_size=4,
        ),
        max_size=2,
    ),
    max_size=4,
)
_CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(-1, 2) | JSON_VALUES,
        "delta": _DELTAS | JSON_VALUES,
        "message": _DELTAS | JSON_VALUES,
        "finish_reason": st.sampled_from(["stop", "length", "odd"]) | JSON_VALUES,
        "logprobs": st.fixed_dictionaries({"content": st.lists(JSON_VALUES, max_size=2)}) | JSON_VALUES,
    },
)
_CHUNKS = st.fixed_dictionaries(
    {"choices": st.lists(_CHOICES, max_size=2) | JSON_VALUES},
    optional={"id": JSON_VALUES, "usage": JSON_VALUES, "x_groq": JSON_VALUES, "citations": JSON_VALUES},
)


@given(st.lists(_CHUNKS, max_size=4))
def test_any_chunks_give_events_that_can_be_told_and_never_raise(chunks: list[Any]):
    events = streamed(frames(*chunks) + b"data: [DONE]\n\n")
    encoder = StreamEncoder(REPLY)
    assert encoder.feed(events) + encoder.finish()
    if not isinstance(events[-1], Failed):
        encode_answer(fold(events), REPLY)


@given(_CHUNKS)
@example({"choices": [{"message": {"content": "x"}, "logprobs": {"content": [{"logprob": 1e308}]}}]})
def test_any_object_is_an_answer_or_a_violation(body: Any):
    with suppress(ProtocolViolation):
        encode_answer(fold(decode_answer(orjson.dumps(body), SOURCE)), REPLY)


@given(st.binary(max_size=60))
@example(b'{"choices":[{"message":{"content":"\\ud800"},"finish_reason":"stop"}]}')
@example(b'{"choices":[{"message":{"content":"\xff"},"finish_reason":"stop"}]}')
@example(b'{"choices":[{"message":{"content":' + b"[" * 3000 + b"]" * 3000 + b'},"finish_reason":"stop"}]}')
@example(b'{"created":1%b,"choices":[{"index":1%b,"message":{"content":"a"}}]}' % (b"0" * 40, b"0" * 40))
@example(b'{"choices":[{"message":{"content":"a","annotations":[{"x":1%b}]}}]}' % (b"0" * 40))
@example(b'{"choices":[{"message":{"reasoning_details":[{"type":"x","index":1%b}]}}]}' % (b"0" * 40))
@example(b'{"choices":[{"message":{"tool_calls":[{"function":{"arguments":{"a":1%b}}}]}}]}' % (b"0" * 40))
@example(b'{"choices":[{"message":{"tool_calls":[{"function":{"arguments":' + b"[" * 400 + b"]" * 400 + b"}}]}}]}")
@example(b'{"choices":[{"message":{"content":"a","annotations":[' + b"[" * 400 + b"]" * 400 + b"]}}]}")
@example(b'{"created":NaN,"choices":[{"message":{"content":"a"},"logprobs":{"content":[{"logprob":NaN}]}}]}')
def test_any_bytes_are_an_answer_or_a_violation(raw: bytes):
    with suppress(ProtocolViolation):
        encode_answer(fold(decode_answer(raw, SOURCE)), REPLY)
    events = streamed(b"data: " + raw + b"\n\n")
    encoder = StreamEncoder(REPLY)
    encoder.feed(events)
    assert streamed(raw)
