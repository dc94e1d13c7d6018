import base64
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.blocks import Citation, Text, Thinking, TokenLogprob, ToolCall
from anygate.canonical.chat_events import (
    ArgumentsDelta,
    BlockEnded,
    BlockStarted,
    ChatEvent,
    Cited,
    Failed,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    Used,
)
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Source
from anygate.protocols.cohere_chat.answer import StreamObserver, observe_answer, observe_tail
from anygate.protocols.cohere_chat.decode_answer import StreamDecoder, decode_answer
from anygate.protocols.cohere_chat.usage import decode_usage
from anygate.protocols.fold import fold
from anygate.protocols.sse import frame

USAGE = {
    "billed_units": {"input_tokens": 5.0, "output_tokens": 7.0},
    "tokens": {"input_tokens": 500, "output_tokens": 9, "reasoning_tokens": 3},
    "cached_tokens": 480,
}
SOURCE: dict[str, Any] = {
    "type": "document",
    "id": "doc-1",
    "document": {"title": "T", "url": "https://e.example", "snippet": "said"},
}
CITED: dict[str, Any] = {"start": 0, "end": 2, "text": "Hi", "sources": [SOURCE], "type": "TEXT_CONTENT"}
CITATION = Citation("https://e.example", "T", "said", 0, 2, "cohere.chat", CITED)


def event(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    return {"type": kind, "delta": {"message": message}} | ({} if index is None else {"index": index})


def call(**fields: Any) -> dict[str, Any]:
    return {"tool_calls": {"function": fields} | ({"id": "c1"} if "name" in fields else {})}


END: dict[str, Any] = {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": USAGE}}
EVENTS: list[dict[str, Any]] = [
    {"id": "a1", **event("message-start", role="assistant")},
    event("content-start", 0, content={"type": "thinking", "thinking": "Hm"}),
    event("content-delta", 0, content={"thinking": "m"}),
    event("content-end", 0),
    event("content-start", 1, content={"type": "text", "text": ""}),
    event("content-delta", 1, content={"text": "Hi"}),
    event("content-end", 1),
    event("citation-start", 0, citations=CITED),
    event("citation-end", 0),
    event("tool-plan-delta", tool_plan="I will"),
    event("tool-call-start", 0, **call(name="f_1", arguments="")),
    event("tool-call-delta", 0, **call(arguments='{"a"')),
    event("tool-call-delta", 0, **call(arguments=":1}")),
    event("tool-call-end", 0),
    {"type": "from-the-future"},
    END,
]
DECODED: list[ChatEvent] = [
    Started("a1"),
    BlockStarted(0, "thinking"),
    ThinkingDelta(0, "Hm"),
    ThinkingDelta(0, "m"),
    BlockEnded(0),
    BlockStarted(1, "text"),
    TextDelta(1, "Hi"),
    Cited(1, CITATION),
    BlockEnded(1),
    BlockStarted(2, "text"),
    TextDelta(2, "I will"),
    BlockEnded(2),
    BlockStarted(3, "tool", id="c1", name="f-1"),
    ArgumentsDelta(3, '{"a"'),
    ArgumentsDelta(3, ":1}"),
    BlockEnded(3),
    Finished("tool_call"),
    Used(Usage(input=5, output=7, reasoning=3)),
]
NAMES = Source("cohere", {"f_1": "f-1"})


def wire(events: list[dict[str, Any]]) -> bytes:
    return b"".join(frame(orjson.dumps(entry), entry.get("type", "")) for entry in events) + b"data: [DONE]\n\n"


def streamed(data: bytes, cuts: tuple[int, ...] = ()) -> list[ChatEvent]:
    decoder = StreamDecoder(NAMES)
    edges = [0, *sorted(cuts), len(data)]
    found = [event for start, end in pairwise(edges) for event in decoder.feed(data[start:end])]
    return found + decoder.finish() + decoder.finish()


WIRE = wire(EVENTS)


def test_a_stream_becomes_events_one_block_after_the_other():
    assert streamed(WIRE) == DECODED


@given(st.lists(st.integers(0, len(WIRE)), max_size=6))
def test_any_slicing_of_the_bytes_gives_the_same_events(cuts: list[int]):
    assert streamed(WIRE, tuple(cuts)) == DECODED


def test_a_stream_wrapped_in_base64_is_unwrapped():
    assert streamed(base64.b64encode(WIRE)) == DECODED
    observer = StreamObserver()
    observer.feed(base64.b64encode(WIRE))
    observer.finish()
    assert observer.usage == Usage(input=5, output=7, reasoning=3)


def test_the_plain_answer_is_the_fold_of_the_stream():
    body = {
        "id": "a1",
        "message": {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "Hmm"}, {"type": "text", "text": "Hi"}],
            "tool_plan": "I will",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f_1", "arguments": '{"a":1}'}}],
            "citations": [CITED],
        },
        "finish_reason": "TOOL_CALL",
        "usage": USAGE,
    }
    answer = fold(decode_answer(orjson.dumps(body), NAMES))
    assert answer == fold(DECODED)
    assert answer.choices[0].blocks == (
        Thinking("Hmm"),
        Text("Hi", (CITATION,)),
        Text("I will"),
        ToolCall("c1", "f-1", '{"a":1}'),
    )


@pytest.mark.parametrize("arguments", [None, "", "null"])
def test_a_call_without_arguments_has_an_empty_object(arguments: str | None):
    events = [event("tool-call-start", 0, **call(name="f", arguments=arguments)), event("tool-call-end", 0), END]
    assert ArgumentsDelta(0, "{}") in streamed(wire(events))
    assert [found for found in streamed(wire(events)) if isinstance(found, ArgumentsDelta)] == [ArgumentsDelta(0, "{}")]


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("COMPLETE", Finished("end")),
        ("STOP_SEQUENCE", Finished("stop_sequence")),
        ("MAX_TOKENS", Finished("length")),
        ("TOOL_CALL", Finished("tool_call")),
        ("ERROR_TOXIC", Finished("filtered")),
        ("ERROR_LIMIT", Finished("window")),
        ("NEW", Finished("other", detail="NEW")),
        (None, Finished("other")),
    ],
)
def test_why_it_ended_is_told(word: str | None, finish: Finished):
    assert finish in streamed(wire([{"type": "message-end", "delta": {"finish_reason": word}}]))
    body = {"id": "a", "message": {"role": "assistant"}, "finish_reason": word}
    assert finish in decode_answer(orjson.dumps(body), Source())


@pytest.mark.parametrize(("word", "status"), [("ERROR", 502), ("TIMEOUT", 504)])
def test_a_generation_that_failed_is_a_failure_and_its_tokens_are_told(word: str, status: int):
    end = {"type": "message-end", "delta": {"finish_reason": word, "error": "Oh", "usage": USAGE}}
    *_, used, failed = streamed(wire([*EVENTS[:-1], end]))
    assert used == DECODED[-1]
    assert failed == Failed("Oh", word, status)
    with pytest.raises(ProtocolViolation, match="could not finish"):
        decode_answer(orjson.dumps({"message": {"role": "assistant"}, "finish_reason": word}), Source())


def test_a_stream_without_its_end_broke_off():
    assert streamed(WIRE[:200])[-1] == Failed("The provider's stream broke off")
    assert streamed(b"") == [Failed("The provider's stream broke off")]
    assert streamed(b'data: {"message":"no","error_type":"X"}\n\n') == [Failed("no", "X")]
    observer = StreamObserver()
    observer.feed(b'data: {"message":"no"}\n\n')
    observer.finish()
    assert observer.error == {"message": "no"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"message":"no"}', b'{"message":[]}', b"<html>"])
def test_an_answer_that_cannot_be_read_is_a_violation(body: bytes):
    with pytest.raises(ProtocolViolation):
        decode_answer(body, Source())


def test_every_source_is_a_citation_and_those_without_a_place_are_left_out():
    tool = {"type": "tool", "id": "c:0", "tool_output": {"content": "Ruby"}}
    message = {
        "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}],
        "tool_plan": "Plan",
        "citations": [
            {**CITED, "content_index": 0, "sources": [SOURCE, tool]},
            {**CITED, "start": 1},
            {**CITED, "type": "PLAN"},
            {**CITED, "type": "THINKING_CONTENT"},
            {"sources": "?", "content_index": 1},
        ],
    }
    answer = fold(decode_answer(orjson.dumps({"message": message, "finish_reason": "COMPLETE"}), Source()))
    first, second, plan = answer.choices[0].blocks
    assert isinstance(first, Text)
    assert isinstance(second, Text)
    assert isinstance(plan, Text)
    assert [(cited.title, cited.quote) for cited in first.citations] == [("T", "said"), ("c:0", "Ruby")]
    assert [cited.start for cited in second.citations] == [1, -1]
    assert [cited.quote for cited in plan.citations] == ["said"]


def test_log_probabilities_stand_on_the_text():
    told = [
        {"text": "Hi", "token_ids": [1], "logprobs": [-0.5]},
        {"text": "!", "token_ids": [2, 3], "logprobs": [-1, -2]},
    ]
    expected = (TokenLogprob("Hi", -0.5), TokenLogprob("!", -3.0))
    message = {"content": [{"type": "text", "text": "Hi!"}]}
    answer = fold(decode_answer(orjson.dumps({"message": message, "logprobs": [*told, {}]}), Source()))
    assert answer.choices[0].blocks == (Text("Hi!", logprobs=expected),)
    pieces = [{**event("content-delta", 0, content={"text": entry["text"]}), "logprobs": entry} for entry in told]
    assert fold(streamed(wire([*pieces, END]))).choices[0].blocks == (Text("Hi!", logprobs=expected),)


def test_billed_units_count_and_all_tokens_only_where_none_are_billed():
    assert decode_usage(USAGE) == Usage(input=5, output=7, reasoning=3)
    assert decode_usage({"tokens": {"input_tokens": 4, "output_tokens": 2}}) == Usage(input=4, output=2)
    assert decode_usage({"billed_units": {"search_units": 1}, "tokens": {"input_tokens": 4}}) == Usage(input=4)
    assert decode_usage({"billed_units": {"input_tokens": -1, "output_tokens": "x"}}) == Usage()
    for nothing in (None, "usage", 5, {"billed_units": 5}):
        assert decode_usage(nothing) is None


def test_an_answer_without_usage_is_measured_by_its_text():
    message = {
        "content": [{"type": "text", "text": "ü"}, {"type": "thinking", "thinking": "ab"}],
        "tool_plan": "c",
        "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
    }
    observed = observe_answer(orjson.dumps({"message": message}))
    assert observed is not None
    assert (observed.usage, observed.text_bytes, observed.error) == (None, 2 + 2 + 1 + 3, None)
    refused = observe_answer(b'{"message":"no"}')
    assert refused is not None
    assert refused.error == {"message": "no"}
    assert observe_answer(b"<html>") is None
    assert observe_tail(b'..."usage": {"billed_units":{"input_tokens":1,"output_tokens":2}}}') == Usage(
        input=1, output=2
    )
    assert observe_tail(b'"usage": {') is None
    assert observe_tail(b"") is None


def test_a_broken_stream_is_measured_by_its_text():
    observer = StreamObserver()
    assert not observer.feed(wire(EVENTS[:6]))
    observer.flush()
    assert (observer.usage, observer.text_bytes, observer.tokens_seen) == (None, 5, True)
    early = StreamObserver()
    early.feed(wire(EVENTS[:1]))
    early.flush()
    assert (early.chunks_seen, early.tokens_seen) == (True, False)
    assert early.feed(b" " * 20_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "index", "delta", "message", "content", "text", "tool_calls", "function", "usage"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
KINDS = st.sampled_from([entry["type"] for entry in EVENTS])


@given(st.lists(st.tuples(KINDS, st.dictionaries(st.sampled_from(["index", "delta", "logprobs"]), JSON)), max_size=6))
def test_no_events_raise(entries: list[tuple[str, dict[str, Any]]]):
    data = wire([{**fields, "type": kind} for kind, fields in entries])
    found = streamed(data)
    assert isinstance(found[-1], Failed | Finished | Used)
    observer = StreamObserver()
    observer.feed(data)
    observer.finish()


@given(JSON, JSON)
def test_no_answer_raises_anything_else(message: Any, usage: Any):
    body = orjson.dumps({"message": message, "usage": usage, "finish_reason": "COMPLETE"})
    observe_answer(body)
    if isinstance(message, dict) and message:
        assert decode_answer(body, Source())
    else:
        with pytest.raises(ProtocolViolation):
            decode_answer(body, Source())
