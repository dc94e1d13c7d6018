"""Answers and streams, both ways: the oddities of upstreams, the shape for clients, and the laws of the codec."""

import base64
from contextlib import suppress
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.json_texts import JSON_VALUES

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
from anygate.canonical.chat import Chat, CustomTool, Speech
from anygate.canonical.chat_events import (
    Answer,
    BlockEnded,
    BlockStarted,
    ChatEvent,
    Choice,
    Failed,
    Finished,
    Signed,
    Started,
    StopReason,
)
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Reply, Source
from anygate.protocols.fold import fold, unfold
from anygate.protocols.openai_chat.answer_encode import encode_answer
from anygate.protocols.openai_chat.answer_reader import StreamDecoder, decode_answer
from anygate.protocols.openai_chat.stream_encode import StreamEncoder
from anygate.protocols.signature_tag import tag

SOURCE = Source("up", {"a_b": "a.b"})
ASKED = Chat("openai.chat", "m", (), include_usage=True)
REPLY = Reply("r1", "m", 1_700_000_000, ASKED, "up")
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


def streamed(wire: bytes, source: Source = SOURCE) -> list[ChatEvent]:
    decoder = StreamDecoder(source)
    return decoder.feed(wire) + decoder.finish()


def stream_blocks(*given: Any, **fields: Any) -> Any:
    return fold(streamed(deltas(*given, **fields))).choices[0].blocks


def failure(wire: bytes) -> Failed:
    last = streamed(wire)[-1]
    assert isinstance(last, Failed)
    return last


# What upstreams say


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


# What clients are told


def told(*given: Block, reply: Reply = REPLY, reason: Any = "end", usage: Usage | None = None) -> Any:
    answer = Answer("c1", "m1", 5, (Choice(given, Finished(reason)),), usage)
    return orjson.loads(encode_answer(answer, reply))


def told_streamed(*given: Block, reply: Reply = REPLY, reason: Any = "end", usage: Usage | None = None) -> list[Any]:
    encoder = StreamEncoder(reply)
    answer = Answer("c1", "m1", 5, (Choice(given, Finished(reason)),), usage)
    wire = encoder.feed(unfold(answer)) + encoder.finish()
    assert wire.endswith(b"data: [DONE]\n\n")
    return [orjson.loads(line[6:]) for line in wire.split(b"\n") if line.startswith(b"data: {")]


def test_an_answer_in_full():
    signed = Thinking("hm", Signature("s", "anthropic"), id="t1")
    body = told(signed, Text("Hi"), ToolCall("c", "f", "{}"), reason="tool_call", usage=Usage(3, 2, 1, 1, 5, 4, 1))
    assert body == {
        "id": "c1",
        "object": "chat.completion",
        "created": 5,
        "model": "m1",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hi",
                    "refusal": None,
                    "reasoning_content": "hm",
                    "reasoning_details": [
                        {
                            "type": "reasoning.text",
                            "text": "hm",
                            "signature": tag(Signature("s", "anthropic")),
                            "id": "t1",
                            "provider": "anthropic",
                            "index": 0,
                        }
                    ],
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 8,
            "completion_tokens": 5,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 2, "audio_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 0},
        },
    }


def test_what_the_upstream_did_not_name_is_named_by_the_gateway():
    body = orjson.loads(encode_answer(Answer("", "", 0, (), None), REPLY))
    assert (body["id"], body["model"], body["created"]) == ("chatcmpl-r1", "m", 1_700_000_000)


@pytest.mark.parametrize(
    ("reason", "given", "expected"),
    [
        ("stop_sequence", (Text("x"),), "stop"),
        ("window", (Text("x"),), "length"),
        ("filtered", (), "content_filter"),
        ("refusal", (Refusal("No."),), "stop"),
        ("refusal", (), "content_filter"),
        ("paused", (), "stop"),
        ("other", (), "stop"),
    ],
)
def test_every_end_has_a_word_of_the_protocol(reason: Any, given: tuple[Block, ...], expected: str):
    assert told(*given, reason=reason)["choices"][0]["finish_reason"] == expected
    assert told_streamed(*given, reason=reason)[-1]["choices"][0]["finish_reason"] == expected


def test_images_stand_in_the_text_and_beside_it():
    image = Media("image", "image/png", PNG)
    message = told(Text("Look: "), image)["choices"][0]["message"]
    url = f"data:image/png;base64,{PNG}"
    assert message["content"] == f"Look: ![image]({url})"
    assert message["images"] == [{"type": "image_url", "image_url": {"url": url}}]
    delta = told_streamed(image)[1]["choices"][0]["delta"]
    assert delta == {"content": f"![image]({url})", "images": message["images"]}


def test_bare_samples_become_the_wav_file_that_was_asked_for():
    samples = base64.b64encode(b"\1\0\2\0").decode()
    spoken = Media("audio", "audio/L16;codec=pcm;rate=16000", samples, transcript="Hi")
    audio = told(spoken)["choices"][0]["message"]["audio"]
    file = base64.b64decode(audio["data"])
    assert (file[:4], file[8:16], file[24:28], file[-4:]) == (
        b"RIFF",
        b"WAVEfmt ",
        (16000).to_bytes(4, "little"),
        b"\1\0\2\0",
    )
    assert (audio["transcript"], audio["id"]) == ("Hi", "audio_r1")
    raw = REPLY._replace(chat=replace(ASKED, speech=Speech("alloy", "pcm16")))
    assert told(spoken, reply=raw)["choices"][0]["message"]["audio"]["data"] == samples


def test_native_blocks_are_shown_by_their_text_and_searches_leave_no_trace():
    found = told(NativeBlock("x", {}, "```py\n1\n```"), WebSearchCall("w"), Text("a"))
    assert found["choices"][0]["message"]["content"] == "```py\n1\n```a"


def test_citations_are_placed_in_the_whole_message():
    cited = Text("cd", (Citation("https://x.y", "X", "", 1, 2), Citation("https://x.y")))
    places = [entry["url_citation"] for entry in told(Text("ab"), cited)["choices"][0]["message"]["annotations"]]
    assert [(place["start_index"], place["end_index"]) for place in places] == [(3, 4), (2, 4)]
    last = [
        delta
        for chunk in told_streamed(Text("ab"), cited)
        for delta in [chunk["choices"][0]["delta"]]
        if "annotations" in delta
    ]
    assert [entry["url_citation"] for delta in last for entry in delta["annotations"]] == places


def test_only_addresses_can_be_cited():
    pages = Text("ab", (Citation(title="A book", protocol="anthropic.messages", raw={"type": "page_location"}),))
    assert "annotations" not in told(pages)["choices"][0]["message"]
    assert not any("annotations" in chunk["choices"][0]["delta"] for chunk in told_streamed(pages))


def test_a_client_of_functions_is_answered_with_a_function_call():
    reply = REPLY._replace(chat=replace(ASKED, extras={"functions": None}))
    call = ToolCall("c", "f", "{}")
    choice = told(call, reply=reply, reason="tool_call")["choices"][0]
    assert (choice["message"]["function_call"], choice["finish_reason"]) == (
        {"name": "f", "arguments": "{}"},
        "function_call",
    )
    pieces = [
        chunk["choices"][0]["delta"].get("function_call")
        for chunk in told_streamed(call, reply=reply, reason="tool_call")
    ]
    assert [piece for piece in pieces if piece] == [{"name": "f", "arguments": ""}, {"arguments": "{}"}]


def test_a_tool_of_free_text_that_travelled_as_a_function_is_unwrapped():
    reply = REPLY._replace(chat=replace(ASKED, tools=(CustomTool("free"),)))
    call = ToolCall("c", "free", '{"input":"te\\nxt"}')
    (sent,) = told(call, reply=reply)["choices"][0]["message"]["tool_calls"]
    assert sent == {"id": "c", "type": "custom", "custom": {"name": "free", "input": "te\nxt"}}
    pieces = [
        piece
        for chunk in told_streamed(call, reply=reply)
        for piece in chunk["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert [piece["custom"] for piece in pieces] == [{"name": "free", "input": ""}, {"input": "te\nxt"}]


def test_a_stream_begins_with_its_role_and_ends_with_usage_only_if_asked():
    used = Usage(1, output=2)
    first, text, end, usage = told_streamed(Text("Hi"), usage=used)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert (text["choices"][0]["delta"], text["usage"]) == ({"content": "Hi"}, None)
    assert (end["choices"][0]["delta"], end["choices"][0]["finish_reason"]) == ({}, "stop")
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 3)
    silent = REPLY._replace(chat=replace(ASKED, include_usage=False))
    chunks = told_streamed(Text("Hi"), reply=silent, usage=used)
    assert len(chunks) == 3
    assert not any("usage" in chunk for chunk in chunks)


def test_after_a_failure_there_is_an_error_frame_and_nothing_more():
    encoder = StreamEncoder(REPLY)
    wire = encoder.feed([Failed("Overloaded", "x", 529), Finished("end")])
    assert orjson.loads(wire.removeprefix(b"data: "))["error"]["message"] == "Overloaded"
    assert (encoder.feed([Finished("end")]), encoder.finish()) == (b"", b"")


# Laws

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


@pytest.mark.parametrize(
    ("custom", "empty"), [(False, {"function": {"arguments": ""}}), (True, {"custom": {"input": ""}})]
)
def test_the_piece_that_signs_a_streamed_call_has_the_call_s_kind(custom: bool, empty: dict[str, Any]):
    """The helper of OpenAI's SDK breaks off on a piece of a call without it."""
    encoder = StreamEncoder(REPLY)
    encoder.feed([Started(), BlockStarted(0, "tool", id="c1", name="f", custom=custom)])
    wire = encoder.feed([Signed(0, Signature("s", "google")), BlockEnded(0)])
    (call,) = orjson.loads(wire.removeprefix(b"data: "))["choices"][0]["delta"]["tool_calls"]
    extra = {"google": {"thought_signature": tag(Signature("s", "google"))}}
    assert call == {"index": 0, **empty, "extra_content": extra}
