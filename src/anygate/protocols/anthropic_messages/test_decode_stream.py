"""Streams and whole messages of an upstream -> events."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.specs.anthropic import event_problems, stream_events

from anygate.canonical.blocks import Signature, Text, Thinking, ToolCall
from anygate.canonical.chat import Chat
from anygate.canonical.chat_events import ChatEvent, Choice, Failed, Finished, Signed
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.anthropic_messages.decode_answer import decode_answer
from anygate.protocols.anthropic_messages.decode_stream import StreamDecoder
from anygate.protocols.anthropic_messages.encode_answer import encode_answer
from anygate.protocols.anthropic_messages.encode_stream import StreamEncoder
from anygate.protocols.anthropic_messages.words import AS_CUSTOM, AS_TEXT
from anygate.protocols.chat_codec import Reply, Source
from anygate.protocols.fold import fold

OWN = Source("anthropic")


def reply(maker: str = "openai") -> Reply:
    return Reply("abc", "claude-x", 0, Chat("anthropic.messages", "claude-x", ()), maker, estimate=77)


def written(events: Sequence[ChatEvent], maker: str = "openai") -> bytes:
    encoder = StreamEncoder(reply(maker))
    return encoder.feed(events) + encoder.finish()


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))


def opened(index: int, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def piece(index: int, kind: str, **fields: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


def closed(index: int) -> bytes:
    return event("content_block_stop", index=index)


START = event("message_start", message={"id": "msg_1", "model": "claude-x", "usage": {"input_tokens": 10}})
END = event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 5}) + event("message_stop")
CALL = opened(0, type="tool_use", id="t", name="f", input={}) + piece(0, "input_json_delta", partial_json='{"a":1}')


def read(*blocks: bytes, source: Source = OWN) -> list[ChatEvent]:
    decoder = StreamDecoder(source)
    found = [item for block in blocks for item in decoder.feed(block)]
    return found + decoder.finish()


def test_usage_of_the_beginning_and_of_the_end_is_one():
    assert fold(read(START, CALL, closed(0), END)).usage == Usage(input=10, output=5)


@pytest.mark.parametrize("given", [{}, {"a": 1}])
def test_a_call_whose_input_comes_with_its_beginning(given: dict[str, Any]):
    events = read(START, opened(0, type="tool_use", id="t", name="f", input=given), closed(0), END)
    assert fold(events).choices[0].blocks == (ToolCall("t", "f", orjson.dumps(given).decode()),)


def test_names_that_were_changed_are_changed_back():
    source = Source("anthropic", {"f": "my.f"})
    assert fold(read(START, CALL, closed(0), END, source=source)).choices[0].blocks == (
        ToolCall("t", "my.f", '{"a":1}'),
    )


def test_free_text_is_unwrapped():
    source = Source("anthropic", {"f": AS_CUSTOM + "patch"})
    parts = [opened(0, type="tool_use", id="t", name="f", input={})]
    parts += [piece(0, "input_json_delta", partial_json=text) for text in ('{"inp', 'ut":"*** \\"x\\""}')]
    expected = (ToolCall("t", "patch", '*** "x"', custom=True),)
    assert fold(read(START, *parts, closed(0), END, source=source)).choices[0].blocks == expected
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"input": '*** "x"'}}
    body = orjson.dumps({"content": [call], "stop_reason": "tool_use"})
    assert fold(decode_answer(body, source)).choices[0].blocks == expected


def test_a_forced_call_is_the_answers_text():
    source = Source("anthropic", {"f": AS_TEXT})
    streamed = fold(read(START, CALL, closed(0), END, source=source)).choices[0]
    assert streamed == Choice((Text('{"a":1}'),), Finished("end"))
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    body = orjson.dumps({"content": [call], "stop_reason": "tool_use"})
    assert fold(decode_answer(body, source)).choices[0] == streamed


def test_a_stream_without_its_end_has_failed():
    assert isinstance(read(START, CALL)[-1], Failed)
    assert not [item for item in read(START, CALL, closed(0), END) if isinstance(item, Failed)]


def test_an_error_event_is_a_failure_and_the_last_event():
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    assert read(START, error, END)[-1] == Failed("Overloaded", "overloaded_error", 529)


def test_an_error_in_a_plain_answer_is_a_failure():
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}'
    assert decode_answer(body, OWN) == [Failed("slow", "rate_limit_error", 429)]


def test_a_signed_thought_is_its_makers():
    parts = (
        opened(0, type="thinking", thinking="", signature=""),
        piece(0, "thinking_delta", thinking="hm"),
        piece(0, "signature_delta", signature="Eq"),
        closed(0),
        opened(1, type="redacted_thinking", data="Em"),
        closed(1),
    )
    assert fold(read(START, *parts, END)).choices[0].blocks == (
        Thinking("hm", Signature("Eq", "anthropic")),
        Thinking("", Signature("Em", "anthropic"), redacted=True),
    )
    assert Signed(0, Signature("Eq", "anthropic")) in read(START, *parts, END)


def test_unknown_events_and_deltas_are_skipped():
    odd = event("weather", index=0) + piece(0, "colour_delta", colour="red") + b"data: [DONE]\n\ndata: {broken\n\n"
    text = opened(0, type="text", text="") + odd + piece(0, "text_delta", text="x") + closed(0)
    assert fold(read(START, text, END)).choices[0].blocks == (Text("x"),)


def test_halves_of_a_character_do_not_break_what_is_written():
    text = opened(0, type="text", text="") + (
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\\ud83d"}}\n\n'
    )
    events = read(START, text, closed(0), END)
    told = list(stream_events(written(events)))
    assert [event_problems(sent) for sent in told if event_problems(sent)] == []
    assert "".join(sent["delta"]["text"] for sent in told if sent["type"] == "content_block_delta") == "a\ufffd"


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=4)
TYPES = st.sampled_from(["text", "thinking", "tool_use", "server_tool_use", "redacted_thinking", "text_delta", "x"])
INNER = st.dictionaries(
    st.sampled_from(["type", "text", "thinking", "id", "name", "input", "data", "partial_json", "signature", "usage"]),
    SCALARS | TYPES | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2) | st.lists(SCALARS, max_size=2),
)
KINDS = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "error",
]
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(KINDS) | SCALARS,
        "index": st.integers(0, 2) | SCALARS,
        "content_block": INNER | SCALARS,
        "delta": INNER | SCALARS,
        "message": INNER | SCALARS,
        "usage": INNER | SCALARS,
        "error": INNER | SCALARS,
    },
)
PAYLOADS = st.lists(EVENTS.map(orjson.dumps) | st.binary(max_size=12), max_size=8)


@given(PAYLOADS, st.lists(st.integers(0, 900), max_size=5))
def test_nonsense_gives_events_that_can_be_written_and_any_slicing_the_same(payloads: list[bytes], cuts: list[int]):
    wire = b"".join(b"data: %b\n\n" % payload for payload in payloads)
    events = read(wire)
    places = [0, *sorted(cut for cut in cuts if cut < len(wire)), len(wire)]
    assert read(*(wire[start:end] for start, end in pairwise(places))) == events
    list(stream_events(written(events)))


@given(
    st.dictionaries(
        st.sampled_from(["type", "content", "usage", "id", "stop_reason", "stop_details"]), SCALARS | st.lists(INNER)
    )
)
def test_nonsense_in_a_plain_answer_is_a_violation_and_nothing_else(body: dict[str, Any]):
    with suppress(ProtocolViolation):
        events = decode_answer(orjson.dumps(body), OWN)
        assert isinstance(events[0], Failed) or encode_answer(fold(events), reply())
