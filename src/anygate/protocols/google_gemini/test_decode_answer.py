"""Gemini's answers -> events."""

import base64
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.json_texts import JSON_VALUES

from anygate.canonical.blocks import (
    Media,
    NativeBlock,
    Signature,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
    WebSearchCall,
)
from anygate.canonical.chat_events import BlockEnded, BlockStarted, ChatEvent, Cited, Failed, Finished, TextDelta, Used
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Source
from anygate.protocols.fold import fold
from anygate.protocols.google_gemini.decode_answer import AnswerStreamDecoder, decode_answer
from anygate.protocols.google_gemini.partial_args import PartialArgs

GOOGLE = Source("google", {"get_weather": "get weather"})


def answer(*parts: Any, reason: str | None = "STOP", **fields: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **fields}
    if reason is not None:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r1"}


def plain(body: dict[str, Any]) -> list[ChatEvent]:
    return decode_answer(orjson.dumps(body), GOOGLE)


def stream(*frames: Any) -> list[ChatEvent]:
    decoder = AnswerStreamDecoder(GOOGLE)
    wire = b"".join(b"data: " + orjson.dumps(frame) + b"\r\n\r\n" for frame in frames)
    return decoder.feed(wire) + decoder.finish()


def blocks(events: list[ChatEvent]) -> tuple[Any, ...]:
    return fold(events).choices[0].blocks


def test_pieces_of_a_stream_fold_to_the_plain_answer():
    pieces = stream(
        answer({"text": "I think", "thought": True}, reason=None),
        answer({"text": " so", "thought": True}, {"text": "Hel"}, reason=None),
        answer({"text": "lo"}, reason=None),
        answer({"text": "", "thoughtSignature": "c2ln"}),
    )
    whole = plain(
        answer({"text": "I think so", "thought": True}, {"text": "Hello"}, {"text": "", "thoughtSignature": "c2ln"})
    )
    assert fold(pieces) == fold(whole)
    assert blocks(whole) == (Thinking("I think so"), Text("Hello"), Text("", signature=Signature("c2ln", "google")))


def test_a_signed_text_is_a_block_of_its_own():
    assert blocks(plain(answer({"text": "a"}, {"text": "b", "thoughtSignature": "cw=="}, {"text": "c"}))) == (
        Text("a"),
        Text("b", signature=Signature("cw==", "google")),
        Text("c"),
    )


def test_calls_have_ids_and_the_clients_names():
    events = plain(
        answer(
            {"functionCall": {"name": "get_weather", "args": {"city": "Rom"}}, "thoughtSignature": "cw=="},
            {"functionCall": {"name": "now"}},
            {"functionCall": {"name": "now", "id": "given"}},
        )
    )
    assert blocks(events) == (
        ToolCall("noid_r1_0", "get weather", '{"city":"Rom"}', signature=Signature("cw==", "google")),
        ToolCall("noid_r1_1", "now", "{}"),
        ToolCall("given", "now", "{}"),
    )
    assert fold(events).choices[0].finish.reason == "tool_call"


def test_a_call_in_pieces_is_put_together():
    def call(**fields: Any) -> dict[str, Any]:
        return answer({"functionCall": fields}, reason=None)

    events = stream(
        call(name="f", willContinue=True),
        call(partialArgs=[{"jsonPath": "$.city", "stringValue": "New ", "willContinue": True}], willContinue=True),
        call(partialArgs=[{"jsonPath": "$.city", "stringValue": "Delhi"}], willContinue=True),
        call(partialArgs=[{"jsonPath": "$.list[1].x", "numberValue": 5}], willContinue=True),
        call(
            partialArgs=[{"jsonPath": "$['a b']", "boolValue": True}, {"jsonPath": "$.n", "nullValue": None}],
            willContinue=True,
        ),
        call(),
        call(name="g", willContinue=True),
        call(name="h"),
        answer({"text": ""}),
    )
    assert blocks(events) == (
        ToolCall("noid_r1_0", "f", '{"city":"New Delhi","list":[null,{"x":5}],"a b":true,"n":null}'),
        ToolCall("noid_r1_1", "g", "{}"),
        ToolCall("noid_r1_2", "h", "{}"),
    )


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["jsonPath", "stringValue", "numberValue"]),
            JSON_VALUES
            | st.sampled_from(["$", "$.a", "$.a[0]", "$.a.b", "$[0]", "$['x'].y", "$.a[99999999]", "$" + ".a" * 100]),
        )
    )
)
def test_any_pieces_of_arguments_are_put_together_or_passed_over(pieces: list[dict[str, Any]]):
    args = PartialArgs()
    for piece in pieces:
        args.take(piece)
    orjson.dumps(args.value)


def test_sound_in_padded_pieces_becomes_base64_that_can_be_appended():
    sound = bytes(range(100))
    pieces = [sound[start:end] for start, end in pairwise([0, 1, 20, 41, 99, 100])]
    frames = [
        answer(
            {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": base64.b64encode(piece).decode()}}, reason=None
        )
        for piece in pieces
    ]
    (media,) = blocks(stream(*frames, answer()))
    assert (media.kind, media.mime) == ("audio", "audio/L16;rate=24000")
    assert base64.b64decode(media.data, validate=True) == sound
    whole = answer({"inlineData": {"mimeType": "audio/L16;rate=24000", "data": base64.b64encode(sound).decode()}})
    assert blocks(plain(whole)) == (media,)


def test_images_stand_one_by_one_and_sketches_are_no_output():
    image = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    assert blocks(plain(answer(image, image, {**image, "thought": True}))) == (
        Media("image", "image/png", "iVBORw0KGgo="),
        Media("image", "image/png", "iVBORw0KGgo="),
        NativeBlock("google.gemini", {**image, "thought": True}),
    )


def test_code_is_shown_to_readers_of_other_protocols():
    code = {"executableCode": {"language": "PYTHON", "code": "print(1)"}}
    result = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}
    first, second = blocks(plain(answer(code, result)))
    assert first == NativeBlock("google.gemini", code, "\n```python\nprint(1)\n```\n")
    assert second == NativeBlock("google.gemini", result, "\n```\n1\n```\n")


def test_segments_in_bytes_become_characters_of_the_block():
    text = "Rätsel 😀: Spanien gewann. Ende"
    start, end = len("Rätsel 😀: ".encode()), len("Rätsel 😀: Spanien gewann.".encode())
    grounding = {
        "webSearchQueries": ["euro 2024", "", "euro 2024"],
        "searchEntryPoint": {"renderedContent": "<div/>"},
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"web": {"uri": "https://b", "title": "B"}}],
        "groundingSupports": [
            {
                "segment": {"startIndex": start, "endIndex": end, "text": "Spanien gewann."},
                "groundingChunkIndices": [0, 1, 9],
            },
            {"segment": {"startIndex": 3, "endIndex": 5, "text": "Ende"}, "groundingChunkIndices": [1]},
            {"segment": {"startIndex": 0, "endIndex": 5, "text": "nowhere"}, "groundingChunkIndices": [0]},
        ],
    }
    thought = {"text": "hm", "thought": True}
    whole = plain(answer(thought, {"text": text}, groundingMetadata=grounding))
    pieces = stream(
        answer(thought, {"text": text[:9]}, reason=None),
        answer({"text": text[9:]}, reason=None, groundingMetadata={}),
        answer({"text": "", "thoughtSignature": "cw=="}, groundingMetadata=grounding),
    )
    for events in (whole, pieces):
        _, found, *_, search = blocks(events)
        places = [(c.url, text[c.start : c.end] if c.start >= 0 else None, c.quote) for c in found.citations]
        assert places == [
            ("https://a", "Spanien gewann.", "Spanien gewann."),
            ("https://b", "Spanien gewann.", "Spanien gewann."),
            ("https://b", "Ende", "Ende"),
            ("https://a", None, "nowhere"),
        ]
        assert isinstance(search, WebSearchCall)
        assert search.query == "euro 2024"
        cited = max(index for index, event in enumerate(events) if isinstance(event, Cited))
        ended = next(i for i, event in enumerate(events) if isinstance(event, BlockEnded) and event.block == 1)
        assert cited < ended


def test_a_repeated_source_is_a_citation():
    sources = {"citationSources": [{"startIndex": 0, "endIndex": 2, "uri": "https://a"}, {}, {"startIndex": 5}]}
    (text,) = blocks(plain(answer({"text": "éa"}, citationMetadata=sources)))
    assert [(c.url, c.start, c.end) for c in text.citations] == [("https://a", 0, 1)]


def test_log_probabilities_stand_with_their_text():
    result = {
        "chosenCandidates": [{"token": "Hi", "logProbability": -0.5}, {"tokenId": 5}],
        "topCandidates": [
            {"candidates": [{"token": "Hi", "logProbability": -0.5}, {"token": "Yo", "logProbability": -1}]}
        ],
    }
    (text,) = blocks(plain(answer({"text": "Hi"}, logprobsResult=result)))
    likely = (TokenLogprob("Hi", -0.5), TokenLogprob("Yo", -1.0))
    assert text.logprobs == (TokenLogprob("Hi", -0.5, None, likely),)


def test_several_candidates_are_several_choices():
    body = answer({"text": "a"})
    body["candidates"] += [answer({"text": "b"}, index=1, reason="MAX_TOKENS")["candidates"][0]]
    choices = fold(plain(body)).choices
    assert [(choice.finish.choice, choice.finish.reason, choice.blocks) for choice in choices] == [
        (0, "end", (Text("a"),)),
        (1, "length", (Text("b"),)),
    ]


@pytest.mark.parametrize(
    ("given_reason", "expected", "detail"),
    [
        ("STOP", "end", ""),
        ("MAX_TOKENS", "length", ""),
        *(
            (name, "filtered", name)
            for name in ("SAFETY", "RECITATION", "SPII", "BLOCKLIST", "IMAGE_SAFETY", "LANGUAGE")
        ),
        ("OTHER", "other", "OTHER"),
        ("NO_IMAGE", "other", "NO_IMAGE"),
        ("SOMETHING_NEW", "other", "SOMETHING_NEW"),
    ],
)
def test_every_reason_has_a_word(given_reason: str, expected: str, detail: str):
    finish = fold(plain(answer({"text": "a"}, reason=given_reason))).choices[0].finish
    assert (finish.reason, finish.detail) == (expected, detail)


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"])
def test_a_botched_call_is_a_failure_and_its_tokens_are_told(reason: str):
    body = answer(reason=reason, finishMessage="bad call") | {"usageMetadata": {"promptTokenCount": 3}}
    for events in (plain(body), stream(body)):
        *_, used, failed = events
        assert used == Used(Usage(input=3))
        assert isinstance(failed, Failed)
        assert (failed.kind, failed.status) == (reason, 502)
        assert "bad call" in failed.message


def test_a_blocked_prompt_is_a_failure_of_its_own_kind():
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}
    for events in (plain(body), stream(body)):
        *_, failed = events
        assert failed == Failed("The prompt was blocked: SAFETY", "content_filter", 400)


def test_an_error_in_a_stream_ends_it():
    error = {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
    events = stream(answer({"text": "a"}, reason=None), error, answer({"text": "b"}))
    assert events[-1] == Failed("busy", "UNAVAILABLE", 503)
    assert not any(isinstance(event, TextDelta) and event.text == "b" for event in events)


@pytest.mark.parametrize("frames", [[], [answer({"text": "a"}, reason=None)], [{"modelVersion": "m"}]])
def test_a_stream_that_broke_off_fails(frames: list[Any]):
    assert isinstance(stream(*frames)[-1], Failed)


def test_a_finish_repeated_on_every_frame_ends_the_answer_once():
    events = stream(answer({"text": "a"}), answer({"text": "b"}), {"usageMetadata": {"promptTokenCount": 2}})
    assert [type(event) for event in events[-3:]] == [BlockEnded, Finished, Used]
    assert blocks(events) == (Text("ab"),)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"5", b'{"totalTokens":5}', b"<html>", b"\xff", b"[" * 2000])
def test_what_is_no_answer_is_a_violation(body: bytes):
    with pytest.raises(ProtocolViolation):
        decode_answer(body, GOOGLE)


KEYS = st.sampled_from(
    [
        "text",
        "thought",
        "thoughtSignature",
        "functionCall",
        "name",
        "args",
        "id",
        "willContinue",
        "partialArgs",
        "jsonPath",
        "inlineData",
        "mimeType",
        "data",
        "fileData",
        "fileUri",
        "toolCall",
        "executableCode",
        "code",
        "codeExecutionResult",
        "candidates",
        "content",
        "parts",
        "index",
        "finishReason",
        "groundingMetadata",
        "groundingChunks",
        "groundingSupports",
        "segment",
        "groundingChunkIndices",
        "web",
        "uri",
        "usageMetadata",
        "promptTokenCount",
        "logprobsResult",
        "chosenCandidates",
        "promptFeedback",
        "blockReason",
        "error",
        "citationMetadata",
        "citationSources",
        "responseId",
        "createTime",
    ]
)
SHAPES: st.SearchStrategy[Any] = st.recursive(
    JSON_VALUES | st.sampled_from(["STOP", "audio/wav", "image/png", "AAA", "AAAA", 0, 1, True, "$.a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


@given(st.lists(SHAPES, max_size=4), SHAPES, SHAPES)
def test_any_shape_is_read_without_an_unexpected_exception(parts: list[Any], more: Any, side: Any):
    candidate: Any = {"content": {"parts": parts}, **(more if isinstance(more, dict) else {"groundingMetadata": more})}
    body = {"candidates": [candidate, side], "usageMetadata": side}
    values: list[Any] = [body, more, {"candidates": more}]
    for value in values:
        stream(value, value)
        try:
            plain(value)
        except ProtocolViolation:
            continue


@given(st.binary(max_size=200), st.lists(st.integers(0, 400)))
def test_arbitrary_bytes_give_the_same_events_however_they_are_cut(tail: bytes, cuts: list[int]):
    wire = b"data: " + orjson.dumps(answer({"text": "a"}, reason=None)) + b"\n\n" + tail
    edges = [0, *sorted(place % (len(wire) + 1) for place in cuts), len(wire)]
    whole, pieces = AnswerStreamDecoder(GOOGLE), AnswerStreamDecoder(GOOGLE)
    expected = whole.feed(wire) + whole.finish()
    assert [e for a, b in pairwise(edges) for e in pieces.feed(wire[a:b])] + pieces.finish() == expected


def test_the_usual_frame_is_one_event():
    decoder = AnswerStreamDecoder(GOOGLE)
    decoder.feed(b"data: " + orjson.dumps(answer({"text": "a"}, reason=None)) + b"\n\n")
    events = decoder.feed(b"data: " + orjson.dumps(answer({"text": "b"}, reason=None)) + b"\n\n")
    assert events == [TextDelta(0, "b")]


def test_blocks_are_numbered_upwards():
    events = plain(answer({"text": "a"}, {"functionCall": {"name": "f"}}, {"text": "b"}))
    assert [event.block for event in events if isinstance(event, BlockStarted)] == [0, 1, 2]
