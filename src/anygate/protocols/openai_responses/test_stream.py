"""Streams and plain answers: events to bytes and back, in any slices, from any bytes."""

from itertools import pairwise
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.blocks import (
    Block,
    Citation,
    Media,
    NativeBlock,
    Refusal,
    Signature,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
    WebSearchCall,
)
from anygate.canonical.chat import Chat
from anygate.canonical.chat_events import Answer as ChatAnswer
from anygate.canonical.chat_events import (
    ArgumentsDelta,
    BlockEnded,
    BlockStarted,
    ChatEvent,
    Choice,
    Cited,
    Failed,
    Finished,
    Signed,
    Started,
    TextDelta,
    ThinkingDelta,
    Used,
)
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Reply, Source
from anygate.protocols.fold import fold, unfold
from anygate.protocols.openai_responses.answer_decode import decode_answer
from anygate.protocols.openai_responses.answer_encode import encode_answer
from anygate.protocols.openai_responses.stream_decode import ResponsesStreamDecoder
from anygate.protocols.openai_responses.stream_encode import ResponsesStreamEncoder
from anygate.protocols.openai_responses.test_request import JSON
from anygate.protocols.sse import SseDecoder, frame

NAME = "openai.responses"
CHAT = Chat(protocol=NAME, model="m", turns=())
REPLY = Reply("abc", "m", 1_700_000_000, CHAT)
USAGE = Usage(input=15, cached_input=10, cache_write_5m=5, output=8, reasoning=3)


def encode(events: list[ChatEvent], reply: Reply = REPLY) -> bytes:
    encoder = ResponsesStreamEncoder(reply)
    return encoder.feed(events) + encoder.finish()


def decode(wire: bytes, cuts: list[int] | None = None, source: Source | None = None) -> list[ChatEvent]:
    decoder = ResponsesStreamDecoder(source or Source())
    edges = [0, *sorted(place % (len(wire) + 1) for place in cuts or ()), len(wire)]
    events = [event for start, end in pairwise(edges) for event in decoder.feed(wire[start:end])]
    return events + decoder.finish()


def events_of(wire: bytes) -> list[dict[str, Any]]:
    decoder = SseDecoder()
    return [orjson.loads(data) for _, data in decoder.feed(wire) + decoder.finish()]


def answer(*blocks: Block, finish: Finished | None = None) -> ChatAnswer:
    usage = msgspec.structs.replace(USAGE, searches=sum(isinstance(block, WebSearchCall) for block in blocks))
    return ChatAnswer("resp_abc", "up", 1_700_000_000, (Choice(blocks, finish or Finished("end")),), usage)


TEXTS = st.text(min_size=1, max_size=8)
LOGPROBS = st.builds(
    TokenLogprob, TEXTS, st.just(-0.5), st.none(), st.tuples(st.builds(TokenLogprob, TEXTS, st.just(-1.0)))
)
CITATIONS = st.builds(Citation, st.just("https://a.b"), TEXTS, st.just(""), st.just(0), st.integers(1, 5))
BLOCKS = st.one_of(
    st.builds(Text, TEXTS, st.lists(CITATIONS, max_size=2).map(tuple)),
    st.builds(Thinking, TEXTS, st.sampled_from([None, Signature("E")]), st.just(False), st.just("rs_1")),
    st.builds(ToolCall, st.uuids().map(str), st.just("f"), st.just('{"a":"\\u00e9"}'), st.booleans()),
    st.builds(Refusal, TEXTS),
    st.just(Media("image", "image/png", "AAAA", id="ig_1")),
    st.just(NativeBlock(NAME, {"type": "mcp_call", "id": "mcp_1"})),
    st.just(WebSearchCall("ws_1", "q", NAME, {"type": "web_search_call", "id": "ws_1", "action": {"query": "q"}})),
)


def ended(blocks: list[Block]) -> Finished:
    """The reason that a complete response tells by its items."""
    if any(isinstance(block, ToolCall) for block in blocks):
        return Finished("tool_call")
    return Finished("refusal" if any(isinstance(block, Refusal) for block in blocks) else "end")


@given(st.lists(BLOCKS, max_size=5), st.lists(st.integers(0, 20_000), max_size=6))
def test_an_answer_survives_the_stream_and_the_plain_form(blocks: list[Block], cuts: list[int]):
    sent = answer(*blocks, finish=ended(blocks))
    assert fold(decode(encode(unfold(sent)), cuts)) == sent
    assert fold(decode_answer(encode_answer(sent, REPLY), Source())) == sent


@given(st.lists(BLOCKS, max_size=5))
def test_the_stream_ends_with_the_plain_answer(blocks: list[Block]):
    sent = answer(*blocks)
    events = events_of(encode(unfold(sent)))
    assert events[-1]["response"] == orjson.loads(encode_answer(sent, REPLY))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    added = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    assert events[-1]["response"]["output"] == done
    assert added == list(range(len(done)))


@given(st.lists(LOGPROBS, min_size=1, max_size=3))
def test_log_probabilities_travel_with_their_text(logprobs: list[TokenLogprob]):
    events: list[ChatEvent] = [Started("r", "m"), BlockStarted(0, "text"), TextDelta(0, "x", 0, tuple(logprobs))]
    text = fold(decode(encode([*events, BlockEnded(0), Finished("end")]))).choices[0].blocks[0]
    assert isinstance(text, Text)
    assert [(entry.token, entry.logprob, [other.token for other in entry.top]) for entry in text.logprobs] == [
        (entry.token, entry.logprob, [other.token for other in entry.top]) for entry in logprobs
    ]


KINDS = st.sampled_from(
    [
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.output_text.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.refusal.delta",
        "response.output_text.annotation.added",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
        "response.new_kind.delta",
    ]
)
ITEM = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call", "image_generation_call"])},
    optional={
        "id": JSON,
        "name": JSON,
        "call_id": JSON,
        "arguments": JSON | st.just("{}"),
        "content": JSON | st.just([{"type": "output_text", "text": "t", "annotations": [{"type": "url_citation"}]}]),
        "summary": JSON | st.just([{"type": "summary_text", "text": "s"}]),
        "encrypted_content": JSON,
        "result": JSON,
    },
)
MEMBERS = st.fixed_dictionaries(
    {"type": KINDS},
    optional={
        "output_index": st.integers(0, 2) | JSON,
        "content_index": st.integers(0, 1) | JSON,
        "summary_index": st.integers(0, 1) | JSON,
        "delta": st.just("d") | JSON,
        "item": ITEM | JSON,
        "response": st.fixed_dictionaries(
            {},
            optional={"status": JSON, "output": st.lists(ITEM | JSON, max_size=2) | JSON, "usage": JSON, "error": JSON},
        )
        | JSON,
        "annotation": JSON,
        "logprobs": JSON,
        "error": JSON,
        "message": JSON,
    },
)


@given(st.lists(MEMBERS, max_size=8), st.lists(st.integers(0, 3000), max_size=4))
def test_any_events_in_any_slices_give_sound_events(members: list[dict[str, Any]], cuts: list[int]):
    wire = b"".join(frame(orjson.dumps(event), event["type"]) for event in members)
    events = decode(wire, cuts)
    assert events == decode(wire)
    started = [event.block for event in events if isinstance(event, BlockStarted)]
    assert started == list(range(len(started)))
    if isinstance(events[-1], Failed):
        with pytest.raises(ProtocolViolation):
            fold(events)
    else:
        encode_answer(fold(events), REPLY)
    encode(events)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_arbitrary_bytes_end_in_a_failure(wire: bytes, cuts: list[int]):
    events = decode(wire, cuts)
    assert isinstance(events[-1], Failed)


@given(st.binary(max_size=100) | MEMBERS.map(orjson.dumps) | JSON.map(orjson.dumps))
def test_an_answer_that_is_none_is_a_violation(body: bytes):
    try:
        events = decode_answer(body, Source())
    except ProtocolViolation:
        return
    assert isinstance(events[0], Started)


# One by one


def test_a_stream_without_its_end_has_failed():
    wire = frame(orjson.dumps({"type": "response.created", "response": {"id": "r"}}))
    assert decode(wire)[-1] == Failed("The upstream's stream ended before the answer was complete", "incomplete_stream")


@pytest.mark.parametrize(
    ("response", "finish"),
    [
        ({"status": "completed"}, Finished("end")),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, Finished("length")),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, Finished("filtered")),
        ({"status": "incomplete", "incomplete_details": {"reason": "new"}}, Finished("other", detail="new")),
        ({"status": "failed", "error": {"code": "server_error", "message": "m"}}, Failed("m", "server_error")),
    ],
)
def test_ends_are_told(response: dict[str, Any], finish: ChatEvent):
    assert decode_answer(orjson.dumps({"output": [], **response}), Source())[-1] == finish


@pytest.mark.parametrize(
    ("finish", "kind", "details"),
    [
        (Finished("end"), "response.completed", None),
        (Finished("stop_sequence"), "response.completed", None),
        (Finished("length"), "response.incomplete", {"reason": "max_output_tokens"}),
        (Finished("window"), "response.incomplete", {"reason": "max_output_tokens"}),
        (Finished("filtered"), "response.incomplete", {"reason": "content_filter"}),
        (Finished("refusal"), "response.incomplete", {"reason": "content_filter"}),
    ],
)
def test_ends_are_written(finish: Finished, kind: str, details: object):
    last = events_of(encode([Started("r", "m"), finish, Used(USAGE)]))[-1]
    assert last["type"] == kind
    assert last["response"]["incomplete_details"] == details
    assert last["response"]["usage"]["total_tokens"] == USAGE.total_tokens


def test_a_failure_is_the_last_event():
    encoder = ResponsesStreamEncoder(REPLY)
    wire = encoder.feed([Started("r", "m"), Failed("slow down", "rate_limit_error"), BlockStarted(0, "text")])
    events = events_of(wire + encoder.feed([Finished("end")]) + encoder.finish())
    assert [event["type"] for event in events] == ["response.created", "response.in_progress", "response.failed"]
    assert events[-1]["response"]["error"] == {"code": "rate_limit_exceeded", "message": "slow down"}


def test_two_calls_may_grow_at_once():
    events: list[ChatEvent] = [
        Started("r", "m"),
        BlockStarted(0, "tool", 0, "c0", "f"),
        BlockStarted(1, "tool", 0, "c1", "g"),
        ArgumentsDelta(1, "{}"),
        ArgumentsDelta(0, '{"a":1}'),
        BlockEnded(1),
        BlockEnded(0),
        Finished("tool_call"),
    ]
    output = events_of(encode(events))[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("c0", '{"a":1}'), ("c1", "{}")]


def test_adjacent_texts_share_a_message():
    output = events_of(encode(unfold(answer(Text("a"), Refusal("b"), Thinking("t"), Text("c")))))[-1]["response"][
        "output"
    ]
    assert [item["type"] for item in output] == ["message", "reasoning", "message"]
    assert [part["type"] for part in output[0]["content"]] == ["output_text", "refusal"]


def test_empty_blocks_leave_no_item():
    events: list[ChatEvent] = [Started("r", "m"), BlockStarted(0, "text"), BlockStarted(1, "thinking"), Finished("end")]
    assert events_of(encode(events))[-1]["response"]["output"] == []


def test_a_citation_of_the_whole_text_covers_it():
    events: list[ChatEvent] = [
        Started("r", "m"),
        BlockStarted(0, "text"),
        TextDelta(0, "abc"),
        Cited(0, Citation("https://a.b", "T")),
        TextDelta(0, "def"),
        BlockEnded(0),
        Finished("end"),
    ]
    wire = events_of(encode(events))
    expected = {"type": "url_citation", "start_index": 0, "end_index": 6, "url": "https://a.b", "title": "T"}
    assert [event["annotation"] for event in wire if "annotation" in event] == [expected]
    assert wire[-1]["response"]["output"][0]["content"][0]["annotations"] == [expected]


def test_sounds_and_links_are_told_as_text():
    sound, image = Media("audio", "audio/wav", "AAAA", transcript="Hi"), Media("image", url="https://a.b/c.png")
    output = events_of(encode(unfold(answer(sound, image))))[-1]["response"]["output"]
    assert [part["text"] for part in output[0]["content"]] == ["Hi", "![image](https://a.b/c.png)"]


def test_what_no_delta_told_comes_with_the_end_of_its_item():
    item: dict[str, Any] = {
        "type": "message",
        "id": "m",
        "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
    }
    events: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hel"},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {
            "type": "response.output_item.done",
            "output_index": 1,
            "item": {"type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"},
        },
        {"type": "response.completed", "response": {"status": "completed", "output": []}},
    ]
    wire = b"".join(frame(orjson.dumps(event)) for event in events)
    blocks = fold(decode(wire)).choices[0].blocks
    assert blocks == (Text("Hello"), ToolCall("c", "f", "{}"))


def test_an_upstream_that_only_sends_the_end_is_heard():
    output = [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]
    wire = frame(orjson.dumps({"type": "response.completed", "response": {"output": output}}))
    assert fold(decode(wire)).choices[0].blocks == (Text("Hi"),)


def test_summaries_are_parted():
    deltas = [
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": index, "delta": text}
        for index, text in ((0, "a"), (0, "b"), (1, "c"))
    ]
    wire = b"".join(frame(orjson.dumps(event)) for event in deltas)
    told = [event.text for event in decode(wire) if isinstance(event, ThinkingDelta)]
    assert "".join(told) == "ab\n\nc"


def test_names_and_signatures_get_their_origin():
    body: dict[str, Any] = {
        "status": "completed",
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "E"},
            {"type": "function_call", "call_id": "c", "name": "a_b", "arguments": "{}"},
        ],
    }
    source = Source("openai", {"a_b": "a.b"})
    events = decode_answer(orjson.dumps(body), source)
    assert Signed(0, Signature("E", "openai")) in events
    assert fold(events).choices[0].blocks[1] == ToolCall("c", "a.b", "{}")


def test_lone_surrogates_stay_spelled_out():
    wire = encode([Started("r", "m"), BlockStarted(0, "text"), TextDelta(0, "\ud800"), Finished("end")])
    assert b'"delta":"\\ud800"' in wire
