"""Usage, delivered text and errors of plain answers; no bytes of an upstream may make the observers raise."""

import base64
import gzip
import zlib
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.json_texts import JSON_VALUES

from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Observed
from anygate.protocols.decompress import MAX_DECODED_BYTES, Decompressor
from anygate.protocols.openai_chat.answer import decode_error, observe_answer, observe_tail
from anygate.protocols.openai_chat.stream_observer import StreamObserver
from anygate.protocols.openai_chat.usage_chunk import UsageChunkFilter

USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
DEEP = b'{"choices":[{"message":{"content":' + b"[" * 900 + b'"abc"' + b"]" * 900 + b"}}]}"
ODD = [
    pytest.param(b'{"x":' + b"[" * 3000 + b"]" * 3000 + b"}", id="deeper than any parser goes"),
    pytest.param(DEEP, id="deeper than Python's stack"),
    pytest.param(b'{"usage":5,"choices":' + b"[" * 600 + b"]" * 600 + b"}", id="deep, and usage of a wrong type"),
    pytest.param(b'{"choices":[{"message":{"content":"\xff"}}]}', id="invalid UTF-8 in a string"),
    pytest.param(b'{"choices":[{"message":{"content":"\\x"}}]}', id="an unknown escape"),
    pytest.param(b'{"choices":[{"message":{"content":"\\ud800"}}]}', id="a lone surrogate"),
    pytest.param(b'{"choices":nonsense}', id="no JSON"),
    pytest.param(b'{"usage":{"prompt_tokens":' + b"9" * 5000 + b"}}", id="a number without end"),
]


def answer(message: Any, **fields: Any) -> bytes:
    return orjson.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]} | fields)


def test_reported_usage_is_taken_and_text_is_not_counted():
    assert observe_answer(answer({"content": "Hello"}, usage=USAGE)) == Observed(Usage(input=10, output=4), 0)


@pytest.mark.parametrize(
    ("message", "size"),
    [
        ({"role": "assistant", "content": "Hello"}, 5),
        ({"content": "模型"}, 6),
        ({"content": "Hi", "reasoning_content": "think", "refusal": None}, 7),
        ({"content": "Hi", "reasoning": "think"}, 7),
        ({"content": None, "refusal": "No."}, 3),
        ({"content": [{"type": "text", "text": "abc"}, {"type": "thinking", "thinking": [{"text": "de"}]}]}, 5),
        ({"content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}, 3),
        ({"function_call": {"name": "f", "arguments": '{"a":1}'}}, 8),
        ({"content": None, "audio": {"data": "AAAA", "transcript": "spoken"}}, 6),
        ({"content": 5, "tool_calls": ["x", None, {"function": 1}], "audio": "x"}, 0),
        (None, 0),
        ("text", 0),
    ],
)
def test_without_usage_all_generated_text_is_counted(message: Any, size: int):
    assert observe_answer(answer(message)) == Observed(None, size)


def test_every_choice_is_counted():
    body = orjson.dumps({"choices": [{"message": {"content": "ab"}}, 5, {"message": {"content": "c"}}, {"text": "d"}]})
    assert observe_answer(body) == Observed(None, 4)


def test_an_error_inside_an_answer_is_seen_and_an_empty_one_is_none():
    assert observe_answer(b'{"error":{"code":502}}') == Observed(None, 0, {"code": 502})
    assert observe_answer(b'{"error":"down"}') == Observed(None, 0, {"message": "down"})
    nothings: list[Any] = [None, "", {}, False]
    for nothing in nothings:
        assert observe_answer(answer({"content": "Hi"}, error=nothing)) == Observed(None, 2)


def test_groqs_own_place_for_usage_is_read():
    body = answer({"content": "Hi"}, usage=None, x_groq={"id": "req_1", "usage": USAGE})
    assert observe_answer(body) == Observed(Usage(input=10, output=4), 0)


def test_usage_of_a_wrong_type_is_no_usage():
    assert observe_answer(answer({"content": "Hi"}, usage="much")) == Observed(None, 2)
    assert observe_answer(answer({"content": "Hi"}, usage={})) == Observed(None, 2)


def test_an_answer_wrapped_in_base64_is_unwrapped():
    wrapped = base64.b64encode(answer({"content": "Hello"}, usage=USAGE))
    assert observe_answer(wrapped) == Observed(Usage(input=10, output=4), 0)


def test_a_wrapped_answer_that_was_cut_off_passes_without_usage():
    wrapped = base64.b64encode(b'\n {"choices":[{"message":{"content":"Hello, I wa')
    assert observe_answer(wrapped) == Observed(None, 0)


def test_not_a_number_does_not_hide_the_usage():
    body = b'{"choices":[{"message":{"content":"x"},"logprobs":{"content":[{"logprob":NaN}]}}],"usage":{"prompt_tokens":1}}'
    assert observe_answer(body) == Observed(Usage(input=1), 0)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"5", b'"x"', b"null", b'{"choices":[', base64.b64encode(b"hello")]
)
def test_what_is_no_json_object_is_no_answer(body: bytes):
    assert observe_answer(body) is None


@pytest.mark.parametrize("body", ODD)
def test_odd_bytes_never_break_an_observer(body: bytes):
    observe_answer(body)
    observe_tail(body)
    decode_error(body)
    observer, strip = StreamObserver(), UsageChunkFilter()
    observer.feed(b"data: " + body + b'\n\ndata: {"usage":{"prompt_tokens":3}}\n\n')
    observer.finish()
    assert observer.usage == Usage(input=3)
    assert strip.feed(b"data: " + body + b"\n\n") + strip.finish() == b"data: " + body + b"\n\n"


def test_text_nested_deeper_than_pythons_stack_is_counted():
    assert observe_answer(DEEP) == Observed(None, 3)


@given(st.binary(max_size=200))
@example(b"\x00\x00{}")
@example(b"e30=")
@example(b'"usage":{' * 20)
def test_arbitrary_bytes_never_break_an_observer(body: bytes):
    observe_answer(body)
    observe_tail(body)
    decode_error(body)


@given(
    st.dictionaries(st.sampled_from(["choices", "usage", "error", "x_groq"]), JSON_VALUES)
    | st.fixed_dictionaries(
        {"choices": st.lists(st.dictionaries(st.sampled_from(["message", "delta", "text"]), JSON_VALUES))},
    )
)
def test_answers_and_events_of_any_shape_never_break_an_observer(document: dict[str, Any]):
    body = orjson.dumps(document)
    observed = observe_answer(body)
    assert observed is not None
    assert observed.text_bytes >= 0
    observer = StreamObserver()
    observer.feed(b"data: " + body)
    observer.finish()
    assert (observer.usage, observer.error) == (observed.usage, observed.error)


@pytest.mark.parametrize("spaces", ["", " ", "\n  "])
def test_usage_near_the_end_of_a_large_answer_is_found(spaces: str):
    tail = f'AAAA"}},"finish_reason":"stop"}}],"usage"{spaces}:{spaces}{{"prompt_tokens":10,"completion_tokens":4}},"x":1}}'
    assert observe_tail(tail.encode()) == Usage(input=10, output=4)


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b'"usage":null,"x":{"prompt_tokens":5}}',
        b'"content":"\\"usage\\":{\\"prompt_tokens\\":5}"}',
        b'"usage":{"prompt_tokens":5',
        b'"usage":[{"prompt_tokens":5}]',
        b'"usage":' + b'{"a":' * 9000,
        b'\xff"usage":{"prompt_tokens":\xff}',
    ],
)
def test_a_tail_without_a_whole_usage_object_has_none(tail: bytes):
    assert observe_tail(tail) is None


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error":{"message":"no","code":"x"}}', {"message": "no", "code": "x"}),
        (b'{"error":"no"}', {"message": "no"}),
        (b'[{"error":{"code":400}}]', {"code": 400}),
        (b'{"detail":"Invalid API Key"}', {"detail": "Invalid API Key"}),
        (b'{"code":20012,"message":"no"}', {"code": 20012, "message": "no"}),
        (b'{"error":null}', None),
        (b'{"error":5}', None),
        (b"<html>404</html>", None),
        (b"", None),
        (b"[]", None),
    ],
)
def test_a_refusal_is_read_in_the_shapes_that_upstreams_use(body: bytes, error: Any):
    assert decode_error(body) == error


@pytest.mark.parametrize(
    ("coding", "encode"), [(b"gzip", gzip.compress), (b"x-gzip", gzip.compress), (b"deflate", zlib.compress)]
)
def test_encoded_answers_are_decoded_piece_by_piece_to_be_observed(coding: bytes, encode: Any):
    encoded = encode(answer({"content": "Hello"}))
    decoder = Decompressor(coding)
    assert decoder is not None
    assert b"".join(decoder.decompress(encoded[at : at + 1]) for at in range(len(encoded))) == answer(
        {"content": "Hello"}
    )


def test_a_coding_that_is_not_known_is_broken_from_the_start():
    assert Decompressor(b"br").broken
    assert Decompressor(b"br").decompress(b"x") == b""


def test_unsound_bytes_and_endless_ones_end_the_watching():
    unsound = Decompressor(b"gzip")
    assert unsound.decompress(b"no gzip at all") == b""
    assert unsound.broken
    endless = Decompressor(b"deflate")
    assert len(endless.decompress(zlib.compress(bytes(MAX_DECODED_BYTES + 1)))) == MAX_DECODED_BYTES
    assert endless.broken
