"""Observing answers that travel untouched: either form of a stream, any cuts between its blocks."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.json_texts import JSON_VALUES

from anygate.canonical.usage import Usage
from anygate.protocols.google_gemini import frames
from anygate.protocols.google_gemini.frames import ArrayDecoder, load_frame
from anygate.protocols.google_gemini.observe import StreamObserver, decode_error, observe_answer, observe_tail
from anygate.protocols.google_gemini.usage import decode_usage, encode_usage
from anygate.protocols.observing import FLUSH_BYTES

USAGE: dict[str, Any] = {
    "promptTokenCount": 10,
    "candidatesTokenCount": 4,
    "thoughtsTokenCount": 3,
    "totalTokenCount": 17,
}


def frame(text: str, **fields: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}], **fields}


FRAMES = [
    frame("Hello"),
    frame('a "quoted" {brace] \\ 模型'),
    frame("x", usageMetadata=USAGE),
    frame("", usageMetadata={"trafficType": "ON_DEMAND"}),
    {"usageMetadata": {"promptTokenCount": 7}},
    {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]}}]},
    {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}},
    {"promptFeedback": {"blockReason": "SAFETY"}},
]


def wire_of(values: list[Any], form: str, indent: bool) -> bytes:
    option = orjson.OPT_INDENT_2 if indent and form == "array" else None
    texts = [orjson.dumps(value, option=option) for value in values]
    if form == "array":
        return b"[" + b"\n,\r\n".join(texts) + b"]\n"
    return b": x\n\n" + b"".join(b"data: " + text + b"\r\n\r\n" for text in texts)


def cut(wire: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(wire) + 1) for place in cuts), len(wire)]
    return [wire[start:end] for start, end in pairwise(edges)]


def watch(blocks: list[bytes]) -> StreamObserver:
    observer = StreamObserver()
    for block in blocks:
        observer.feed(block)
        observer.flush()
    observer.finish()
    return observer


def seen(observer: StreamObserver) -> tuple[Any, ...]:
    return observer.usage, observer.text_bytes, observer.error, observer.tokens_seen, observer.chunks_seen


@given(
    st.lists(st.sampled_from(FRAMES), max_size=6),
    st.sampled_from(["sse", "array"]),
    st.booleans(),
    st.lists(st.integers(0, 3000)),
)
def test_any_slicing_of_either_form_gives_the_same(sent: list[Any], form: str, indent: bool, cuts: list[int]):
    wire = wire_of(sent, form, indent)
    whole = watch([wire])
    assert seen(watch(cut(wire, cuts))) == seen(whole)
    reported = [value["usageMetadata"] for value in sent if "promptTokenCount" in value.get("usageMetadata", ())]
    last = reported[-1] if reported else None
    assert (whole.usage.input_tokens if whole.usage else None) == (last["promptTokenCount"] if last else None)
    texts = [part.get("text", "") for value in sent for part in parts(value)]
    calls = sum("functionCall" in part for value in sent for part in parts(value))
    assert whole.text_bytes == sum(len(text.encode()) for text in texts) + calls * len(b'{"name":"f","args":{"a":1}}')
    assert bool(whole.error) == any("error" in value for value in sent)
    assert whole.tokens_seen == bool(whole.text_bytes or any("promptFeedback" in value for value in sent))


def parts(value: dict[str, Any]) -> list[Any]:
    return [part for c in value.get("candidates", ()) for part in c["content"]["parts"]]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)), st.sampled_from([b"", b"[", b"data: ", b"[{", b"{"]))
def test_arbitrary_bytes_never_break_an_observer(wire: bytes, cuts: list[int], start: bytes):
    wire = start + wire
    assert seen(watch(cut(wire, cuts))) == seen(watch([wire]))
    observe_answer(wire)
    observe_tail(wire)
    decode_error(wire)


@given(JSON_VALUES, st.sampled_from(["candidates", "usageMetadata", "promptFeedback", "error", "x"]))
def test_any_value_anywhere_is_observed(value: Any, name: str):
    for body in (
        {name: value},
        [{name: value}],
        {"candidates": [{name: value, "content": {"parts": [{name: value}]}}]},
    ):
        wire = orjson.dumps(body)
        observe_answer(wire)
        decode_error(wire)
        watch([b"data: " + wire + b"\n\n"])


@given(st.dictionaries(st.sampled_from([*USAGE, "cachedContentTokenCount", "promptTokensDetails"]), JSON_VALUES))
def test_nonsense_in_usage_counts_nothing_and_nothing_is_negative(body: dict[str, Any]):
    usage = decode_usage(body)
    assert min(usage.input, usage.cached_input, usage.output, usage.audio_input, usage.reasoning) >= 0


@pytest.mark.parametrize("nonsense", [True, -5, 1.5e300, "7", None, [1], float("nan")])
def test_what_is_no_count_counts_nothing(nonsense: Any):
    assert decode_usage({"promptTokenCount": nonsense, "candidatesTokenCount": 2}) == Usage(output=2)


def test_usage_classes_do_not_overlap():
    body = {
        "promptTokenCount": 100,
        "toolUsePromptTokenCount": 20,
        "cachedContentTokenCount": 30,
        "candidatesTokenCount": 50,
        "thoughtsTokenCount": 7,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 60}, {"modality": "AUDIO", "tokenCount": 40}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 10}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 20}, {"modality": "AUDIO", "tokenCount": 5}],
    }
    usage = decode_usage(body)
    assert usage == Usage(
        input=60, cached_input=30, output=32, reasoning=7, audio_input=30, audio_output=5, image_output=20
    )
    assert usage.total_tokens == 177
    assert decode_usage(encode_usage(usage)) == usage


def test_what_was_cached_is_never_more_than_the_prompt():
    assert decode_usage({"promptTokenCount": 5, "cachedContentTokenCount": 50}) == Usage(cached_input=5)


def test_memory_is_bounded_for_an_object_without_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(frames, "MAX_EVENT_BYTES", 4 * FLUSH_BYTES)
    decoder = ArrayDecoder()
    decoder.feed(b"[{")
    for _ in range(1000):
        assert decoder.feed(b'"x"' * 1000) == []
        assert len(decoder._rest) <= 5 * FLUSH_BYTES  # pyright: ignore[reportPrivateUsage] - the bound is the point
    assert decoder.broken


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"\\ud800"}',
        b'{"a":NaN}',
        b'{"a":"\xff"}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 400 + b"}",
        b'{"a":"\\\\ud800"}',
    ],
)
def test_what_is_no_strict_json_is_mended_so_that_it_can_be_sent_on(text: bytes):
    value = load_frame(text)
    assert value is not None
    assert orjson.loads(orjson.dumps(value)).keys() == {"a"}


def test_a_frame_nested_too_deep_is_none():
    assert load_frame(b'{"a":' + b"[" * 300 + b"]" * 300 + b"}") is None


def test_the_usage_of_an_answer_too_large_to_keep_is_found_in_its_tail():
    assert observe_tail(b'AAAA"}}]}}],"usageMetadata" : ' + orjson.dumps(USAGE) + b',"modelVersion":"m"}') == Usage(
        input=10, output=7, reasoning=3
    )
    assert observe_tail(b"no usage") is None


def test_a_refusal_names_status_and_reason():
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    error = {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": details}
    expected = {"message": "API key not valid.", "type": "INVALID_ARGUMENT", "code": "API_KEY_INVALID", "status": 400}
    assert decode_error(orjson.dumps({"error": error})) == expected
    assert decode_error(orjson.dumps([{"error": error}])) == expected
    assert decode_error(b"<html>") is None
    assert decode_error(b'{"error":"no"}') == {"message": "no"}
