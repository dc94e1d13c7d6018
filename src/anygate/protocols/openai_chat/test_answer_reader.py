"""What upstreams answer, read as canonical words: plain answers and streams."""

import base64
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.blocks import Citation, Media, Signature, Text, Thinking, TokenLogprob, ToolCall
from anygate.canonical.chat_events import Answer, ChatEvent, Choice, Failed, Finished
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Source
from anygate.protocols.fold import fold
from anygate.protocols.openai_chat.answer_reader import StreamDecoder, decode_answer

SOURCE = Source("up", {"a_b": "a.b"})
PNG = "iVBORw0KGgoAAAANSUhEUgAA"
USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}


def plain(message: Any, finish: Any = "stop", **fields: Any) -> Answer:
    choice = {"index": 0, "message": message, "finish_reason": finish} | fields.pop("choice", {})
    body = {"id": "c1", "model": "m1", "created": 5, "choices": [choice]} | fields
    return fold(decode_answer(orjson.dumps(body), SOURCE))


def blocks(message: Any, **fields: Any) -> Any:
    return plain(message, **fields).choices[0].blocks


def frames(*chunks: Any) -> bytes:
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks)


def deltas(*given: Any, finish: str = "stop", **fields: Any) -> bytes:
    """A stream of pieces of the first choice, with its end."""
    pieces = [{"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in given]
    end: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": finish}
    last = {"id": "c1", "choices": [end]} | fields
    return frames(*pieces, last) + b"data: [DONE]\n\n"


def streamed(wire: bytes) -> list[ChatEvent]:
    decoder = StreamDecoder(SOURCE)
    return decoder.feed(wire) + decoder.finish()


def stream_blocks(*given: Any, **fields: Any) -> Any:
    return fold(streamed(deltas(*given, **fields))).choices[0].blocks


def failure(wire: bytes) -> Failed:
    last = streamed(wire)[-1]
    assert isinstance(last, Failed)
    return last


def test_a_plain_answer():
    call = {"id": "c", "type": "function", "function": {"name": "a_b", "arguments": '{"x": 1}'}}
    message = {"role": "assistant", "content": "Hi", "reasoning_content": "hm", "refusal": None, "tool_calls": [call]}
    answer = plain(message, "tool_calls", usage=USAGE)
    assert answer == Answer(
        "c1",
        "m1",
        5,
        (Choice((Thinking("hm"), Text("Hi"), ToolCall("c", "a.b", '{"x": 1}')), Finished("tool_call")),),
        Usage(input=10, output=4),
    )


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", Finished("end")),
        (None, Finished("end")),
        ("eos", Finished("end")),
        ("length", Finished("length")),
        ("model_length", Finished("window")),
        ("content_filter", Finished("filtered")),
        ("galaxy", Finished("other", detail="galaxy")),
    ],
)
def test_finish_reasons_known_and_unknown(reason: Any, expected: Finished):
    assert plain({"content": "x"}, reason).choices[0].finish == expected


def test_a_stop_that_was_a_call_or_a_refusal_or_a_sequence():
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    assert plain({"tool_calls": [call]}).choices[0].finish == Finished("tool_call")
    assert plain({"refusal": "No."}).choices[0].finish == Finished("refusal")
    assert plain({"content": "x"}, choice={"stop_reason": "END"}).choices[0].finish == Finished(
        "stop_sequence", stop_sequence="END"
    )


def test_parts_thoughts_and_objects_in_place_of_texts():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"type": "text", "text": "m"}]},
        {"type": "text", "text": "a"},
        {"type": "reference", "reference_ids": [1]},
    ]
    assert blocks({"content": parts}) == (Thinking("hm"), Text("a"))
    assert blocks({"content": None, "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}) == (
        ToolCall("call_c1_0_0", "f", '{"a":1}'),
    )
    assert blocks({"function_call": {"name": "f", "arguments": "{}"}})[0].name == "f"
    assert blocks({"reasoning": "hm", "content": "a"}) == (Thinking("hm"), Text("a"))


def test_reasoning_details_keep_all_but_their_text_as_the_makers_signature():
    details = [
        {"type": "reasoning.summary", "summary": "hm", "format": "openai-responses-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "format": "openai-responses-v1", "index": 0},
    ]
    summary, secret, text = blocks({"content": "a", "reasoning": "hm", "reasoning_details": details})
    assert (summary.text, summary.redacted, summary.signature.maker) == ("hm", False, "up")
    assert (secret.text, secret.redacted, text) == ("", True, Text("a"))
    assert orjson.loads(secret.signature.value) == details[1]


def test_a_streams_details_are_joined_by_their_index():
    pieces = [
        {"reasoning": "h", "reasoning_details": [{"type": "reasoning.text", "text": "h", "format": "f", "index": 0}]},
        {"reasoning": "m", "reasoning_details": [{"type": "reasoning.text", "text": "m", "format": "f", "index": 0}]},
        {"reasoning_details": [{"type": "reasoning.text", "signature": "s", "format": "f", "index": 0}]},
        {"content": "a"},
    ]
    thinking, text = stream_blocks(*pieces)
    assert (thinking.text, text) == ("hm", Text("a"))
    assert orjson.loads(thinking.signature.value) == {
        "type": "reasoning.text",
        "signature": "s",
        "format": "f",
        "index": 0,
    }


def test_googles_signatures_of_calls_and_messages():
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    extra = {"extra_content": {"google": {"thought_signature": "s"}}}
    signed = (ToolCall("c", "f", "{}", signature=Signature("s", "up")),)
    assert blocks({"tool_calls": [call | extra]}) == signed
    assert blocks({"tool_calls": [call]} | extra) == signed
    assert blocks({"content": "a"} | extra) == (Text("a", signature=Signature("s", "up")),)


def test_citations_count_characters_and_sources_belong_to_the_whole_text():
    place = {"url": "https://x.y", "title": "X", "start_index": 1, "end_index": 3}
    cited = blocks({"content": "abcd", "annotations": [{"type": "url_citation", "url_citation": place}]})
    assert cited == (Text("abcd", (Citation("https://x.y", "X", "", 1, 3),)),)
    assert blocks({"content": "a"}, citations=["https://x.y"]) == (Text("a", (Citation("https://x.y"),)),)
    found = fold(streamed(deltas({"content": "a"}, search_results=[{"url": "https://x.y", "title": "X"}])))
    assert found.choices[0].blocks == (Text("a", (Citation("https://x.y", "X"),)),)


def test_log_probabilities():
    entry = {
        "token": "a",
        "logprob": -0.5,
        "bytes": [97],
        "top_logprobs": [{"token": "b", "logprob": -2, "bytes": None}],
    }
    (text,) = blocks({"content": "a"}, choice={"logprobs": {"content": [entry], "refusal": None}})
    assert text.logprobs == (TokenLogprob("a", -0.5, (97,), (TokenLogprob("b", -2.0),)),)


def test_images_and_sound():
    images = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]
    assert blocks({"content": "look", "images": images}) == (Text("look"), Media("image", "image/png", PNG))
    audio = {"id": "audio_1", "data": "UklGRgAAAABXQVZF", "transcript": "Hello", "expires_at": 9}
    assert blocks({"content": None, "audio": audio}) == (
        Media("audio", "audio/wav", "UklGRgAAAABXQVZF", transcript="Hello", id="audio_1", expires_at=9),
    )


@given(st.binary(max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_pieces_of_sound_can_be_appended_whatever_their_padding(sound: bytes, cuts: list[int]):
    edges = [0, *sorted(cut for cut in cuts if cut < len(sound)), len(sound)]
    pieces = [base64.b64encode(sound[first:last]).decode() for first, last in pairwise(edges)]
    (media,) = stream_blocks({"audio": {"id": "a"}}, *({"audio": {"data": piece}} for piece in pieces))
    assert base64.b64decode(media.data, validate=True) == sound


def call_piece(text: str = "", **fields: Any) -> Any:
    function = {"arguments": text} | ({"name": fields.pop("name")} if "name" in fields else {})
    return {"tool_calls": [{"function": function} | fields]}


@pytest.mark.parametrize(
    "pieces",
    [
        [
            call_piece(index=0, id="1", name="f"),
            call_piece('{"a"', index=0),
            call_piece(index=1, id="2", name="g"),
            call_piece(":1}", index=0),
            call_piece("{}", index=1),
        ],
        [call_piece('{"a":1}', id="1", name="f"), call_piece("{}", id="2", name="g")],
        [call_piece('{"a":1}', index=0, id="1", name="f"), call_piece("{}", index=0, id="2", name="g")],
        [call_piece(id="1", name="f"), call_piece('{"a":1}'), call_piece(id="2", name="g"), call_piece("{}")],
        [
            call_piece(index=0, id="1", name="f"),
            call_piece('{"a":1}', index=0, id="1", name="f"),
            call_piece("{}", index=1, id="2", name="g"),
        ],
    ],
    ids=["by index and interleaved", "whole without index", "all of index 0", "by order", "id and name repeated"],
)
def test_pieces_of_calls_find_their_call(pieces: list[Any]):
    assert stream_blocks(*pieces, finish="tool_calls") == (ToolCall("1", "f", '{"a":1}'), ToolCall("2", "g", "{}"))


def test_a_name_may_come_in_pieces():
    assert stream_blocks(call_piece(index=0, id="1", name="ge"), call_piece(index=0, name="t")) == (
        ToolCall("1", "get", ""),
    )


def test_usage_may_stand_anywhere_and_the_last_one_counts():
    wire = frames({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}) + deltas(
        {"content": "a"}, usage=USAGE
    )
    assert fold(streamed(wire)).usage == Usage(input=10, output=4)
    groq = deltas({"content": "a"}, x_groq={"usage": USAGE})
    assert fold(streamed(groq)).usage == Usage(input=10, output=4)
    before = frames({"choices": [], "prompt_filter_results": []})
    assert fold(streamed(before + deltas({"content": "a"}))).id == "c1"


def test_a_stream_may_end_with_its_body_but_not_without_a_finish_reason():
    wire = deltas({"content": "a"}).removesuffix(b"data: [DONE]\n\n")
    assert fold(streamed(wire)).choices[0].finish == Finished("end")
    assert "broke off" in failure(frames({"choices": [{"delta": {"content": "a"}}]})).message
    assert failure(b"").message
    assert failure(b"data: [DONE]\n\n").message
    assert fold(streamed(frames({"choices": [{"delta": {"content": "a"}}]}) + b"data: [DONE]\n\n"))


def test_errors_in_a_stream_end_it():
    error = {"message": "Overloaded", "type": "overloaded_error", "code": 529}
    found = failure(frames({"choices": [{"delta": {"content": "a"}}]}, {"error": error}) + deltas({"content": "b"}))
    assert found == Failed("Overloaded", "overloaded_error", 529)
    assert failure(b'event: error\ndata: {"error":"bad"}\n\n') == Failed("bad")
    assert failure(deltas({"content": "a"}, finish="network_error")).kind == "network_error"


def test_a_stream_in_base64_is_unwrapped():
    wire = base64.b64encode(deltas({"content": "Hi"}))
    decoder = StreamDecoder(SOURCE)
    events = [event for byte in wire for event in decoder.feed(bytes([byte]))] + decoder.finish()
    assert fold(events).choices[0].blocks == (Text("Hi"),)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"{}", b'{"choices":[]}', b'{"error":{"message":"no"}}'])
def test_a_plain_answer_that_is_none_is_a_violation(body: bytes):
    with pytest.raises(ProtocolViolation):
        decode_answer(body, SOURCE)
