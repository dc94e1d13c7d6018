"""What is read of a chat request, and what is refused."""

import json
import mmap
import tempfile
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.json_texts import JSON_VALUES, Pair, object_texts, pairs

from anygate.canonical.errors import InvalidRequest, RequestTooLarge
from anygate.protocols.chat_codec import Edits
from anygate.protocols.chat_request import MOST_MARKS
from anygate.protocols.openai_chat.request import MAX_CHOICES, edit_request, read_request

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]


def body(**fields: Any) -> bytes:
    return orjson.dumps({"model": "gpt-4o", "messages": HELLO} | fields)


def refusal(raw: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_request(raw)
    return caught.value


def test_the_fields_that_routing_and_price_need_are_read():
    request = read_request(
        body(stream=True, n=3, max_tokens=100, stream_options={"include_usage": True}, modalities=["text", "audio"])
    )
    assert (request.model, request.stream, request.choices, request.limit) == ("gpt-4o", True, 3, 100)
    assert (request.include_usage, request.audio_output, request.limit_fields) == (True, True, ("max_tokens",))


def test_a_minimal_request_has_the_documented_defaults():
    request = read_request(body())
    assert (request.stream, request.choices, request.limit, request.limit_fields) == (False, 1, None, ())
    assert (request.include_usage, request.audio_output, request.continued, request.cache_key) == (
        False,
        False,
        False,
        "",
    )


def test_null_is_as_good_as_absent():
    nulls = dict.fromkeys(
        ("stream", "n", "max_tokens", "max_completion_tokens", "stream_options", "modalities", "tools")
    )
    request = read_request(body(**nulls))
    assert (request.stream, request.choices, request.limit, request.include_usage) == (False, 1, None, False)


def test_of_two_limits_the_larger_is_held():
    request = read_request(body(max_tokens=10, max_completion_tokens=20))
    assert (request.limit, request.limit_fields) == (20, ("max_completion_tokens", "max_tokens"))


def test_a_limit_of_zero_is_left_to_the_upstream_and_held_as_none():
    request = read_request(body(max_tokens=0))
    assert (request.limit, request.limit_fields) == (None, ("max_tokens",))


WRONG: dict[str, list[Any]] = {
    "model": [None, 5, "", [], {}, True, "x" * 513],
    "messages": [None, "hi", {}, 5, [1], ["hi"], [None], [[]]],
    "stream": ["true", 1, 0, [], {}],
    "n": [0, -1, MAX_CHOICES + 1, "2", 1.0, True, [], 2**70],
    "max_tokens": [-1, 1.5, "9", True, [], 2**31 + 1, 2**70],
    "max_completion_tokens": [-1, "9", {}, False],
    "stream_options": ["x", 1, [], True, {"include_usage": "yes"}],
}


@pytest.mark.parametrize(("param", "value"), [(param, value) for param, values in WRONG.items() for value in values])
def test_a_wrong_type_is_refused_by_the_name_of_its_field(param: str, value: Any):
    raw = json.dumps({"model": "gpt-4o", "messages": HELLO} | {param: value}).encode()
    assert refusal(raw).param == param


def test_a_limit_of_zero_is_none_and_the_upstreams_to_judge():
    request = read_request(body(max_tokens=0))
    assert (request.limit, request.limit_fields) == (None, ("max_tokens",))
    assert read_request(body(max_tokens=0, max_completion_tokens=7)).limit == 7


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_a_missing_field_is_refused_by_its_name(missing: str):
    document = {"model": "gpt-4o", "messages": HELLO}
    del document[missing]
    assert refusal(orjson.dumps(document)).param == missing


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"nonsense",
        b'{"model":"gpt-4o"',
        b'{"model":"gpt-4o","messages":[]}{}',
        b'{"model":"gpt-4o","messages":[],}',
        b'{"model":"gpt-4o","messages":[{"role":"user","content":"\xff"}]}',
        b'{"model":"gpt-4o","messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"model":"gpt-4o","messages":[],"temperature":NaN}',
        b'\xef\xbb\xbf{"model":"gpt-4o","messages":[]}',
        '{"model":"gpt-4o","messages":[]}'.encode("utf-16"),
    ],
)
def test_what_is_not_json_in_utf8_is_refused_with_the_place(raw: bytes):
    assert "not valid JSON" in refusal(raw).message
    assert "at character" in refusal(raw).message


@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"5", b"null", b"true", b"[{}]"])
def test_json_that_is_no_object_is_refused(raw: bytes):
    assert "must be a JSON object" in refusal(raw).message


@pytest.mark.parametrize("levels", [200, 1_000, 2_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":[', b"]}")])
def test_a_deep_body_is_refused_as_too_deep(levels: int, opening: bytes, closing: bytes):
    deep = opening * levels + closing * levels
    assert "nested deeper" in refusal(b'{"model":"m","messages":' + deep + b"}").message
    assert "nested deeper" in refusal(b'{"model":"m","messages":[],"metadata":' + deep + b"}").message


def test_brackets_inside_strings_do_not_hide_the_depth():
    deep = b'["]",' * 300 + b"1" + b',"["]' * 300
    assert "nested deeper" in refusal(b'{"model":"m","messages":[{"role":"user","content":' + deep + b"}]}").message


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("model", '"gpt-4o"', '"gpt-4o-mini"'),
        ("model", '"gpt-4o"', '"gpt-4o"'),
        ("messages", "[]", '[{"role":"user","content":"x"}]'),
        ("stream", "true", "false"),
        ("n", "1", "100"),
        ("max_tokens", "1", "100000"),
        ("max_completion_tokens", "1", "100000"),
        ("stream_options", "{}", '{"include_usage":true}'),
        ("prompt_cache_key", '"a"', '"b"'),
    ],
)
@pytest.mark.parametrize("spelled", ["plain", "escaped"])
@pytest.mark.parametrize("padding", [0, 1 << 17])
def test_a_key_that_is_given_twice_is_refused(name: str, first: str, second: str, spelled: str, padding: int):
    again = name if spelled == "plain" else f"{name[:-1]}\\u{ord(name[-1]):04x}"
    rest = {"model": '"m"', "messages": "[]", "user": f'"{"x" * padding}"'}
    rest.pop(name, None)
    others = ",".join(f'"{key}":{value}' for key, value in rest.items())
    raw = f'{{"{name}":{first},{others},"{again}":{second}}}'.encode()
    error = refusal(raw)
    assert (error.param, "twice" in error.message) == (name, True)


@pytest.mark.parametrize("again", ["include_usage", "include_us\\u0061ge"])
def test_include_usage_given_twice_is_refused(again: str):
    options = f'{{"include_usage":true,"{again}":false}}'
    raw = f'{{"model":"m","messages":[],"stream_options":{options}}}'.encode()
    assert refusal(raw).param == "stream_options.include_usage"


def test_the_names_of_our_keys_may_stand_anywhere_below_the_top():
    message = {"role": "user", "content": 'a "model" of "stream"', "model": "x", "n": 0, "stream": [{"model": 1}]}
    request = read_request(body(messages=[message], metadata={"model": "y", "stream_options": 5}))
    assert (request.model, request.stream, request.choices) == ("gpt-4o", False, 1)


def test_text_is_counted_in_utf8_bytes_whatever_holds_it():
    messages = [
        {"role": "system", "content": "模型"},
        {"role": "user", "content": [{"type": "text", "text": "abc"}, "de"], "name": "bob"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
    ]
    request = read_request(body(messages=messages))
    assert request.text_bytes == 6 + 5 + 3 + len(b'[{"id":"1"}]')


def test_tools_and_a_response_format_count_as_input():
    tools = [{"type": "function", "function": {"name": "f"}}]
    request = read_request(body(tools=tools, response_format={"type": "json_object"}))
    assert request.text_bytes == 5 + len(orjson.dumps(tools)) + len(b'{"type":"json_object"}')


def test_media_parts_are_counted_by_kind_and_not_by_their_bytes():
    parts: list[Any] = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "input_audio", "input_audio": {"data": "A" * 10_000, "format": "wav"}},
        {"type": "file", "file": {"file_data": "A" * 10_000}},
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
    ]
    request = read_request(body(messages=[{"role": "user", "content": parts}]))
    assert request.text_bytes == 4
    assert request.media == {"image": 2, "audio": 1, "file": 1, "video": 1}


def test_images_that_an_assistant_made_are_media_and_no_text():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}}
    request = read_request(body(messages=[{"role": "assistant", "content": "look", "images": [image, image]}]))
    assert (request.text_bytes, request.media) == (4, {"image": 2})


def test_parts_of_odd_shapes_are_the_upstreams_to_judge():
    parts: list[Any] = [None, 5, [], {}, {"type": None}, {"type": ["image_url"]}, {"type": "new", "data": {"a": [1]}}]
    request = read_request(body(messages=[{"role": "user", "content": parts}, {"role": 5, "content": {"a": "b"}}, {}]))
    assert request.media == {}
    assert request.text_bytes == len(b'["image_url"]') + len(b'{"a":[1]}') + len(b'{"a":"b"}')


def test_a_history_with_an_assistant_turn_is_continued():
    assert read_request(body(messages=[*HELLO, {"role": "assistant", "content": "Hi"}])).continued


def test_the_clients_name_for_the_conversation_is_read():
    assert read_request(body(prompt_cache_key="room-5")).cache_key == "room-5"
    assert read_request(body(prompt_cache_key=5)).cache_key == ""


def test_a_mapped_file_is_read_like_bytes():
    raw = body(stream=True, n=2)
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert read_request(mapped).document == read_request(raw).document


def test_a_mapped_file_that_is_no_json_is_refused():
    with tempfile.TemporaryFile() as file:
        file.write(b"nonsense")
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, pytest.raises(InvalidRequest):
            read_request(mapped)


@given(st.binary(max_size=200))
@example(b"\x00")
@example(b'{"model":"m","messages":[{"\\u0000":1}]}')
def test_arbitrary_bytes_are_read_or_refused_and_nothing_else(raw: bytes):
    with suppress(InvalidRequest):
        read_request(raw)


_FIELDS = ("model", "messages", "stream", "n", "max_tokens", "stream_options", "tools", "modalities")
_KNOWN = st.sampled_from(_FIELDS)


@given(st.data(), st.lists(pairs(_KNOWN), max_size=4))
def test_any_object_is_read_or_refused_by_the_first_thing_that_is_wrong(data: st.DataObject, sent: list[Pair]):
    raw = data.draw(object_texts(sent)).encode()
    names = [pair.name for pair in sent]
    if len(set(names)) != len(names):
        assert "twice" in refusal(raw).message
        return
    try:
        document = read_request(raw).document
    except InvalidRequest as error:
        refused_for = error.param
    else:
        refused_for = None
        assert document == {pair.name: pair.value for pair in sent}
    assert refused_for is None or refused_for in _FIELDS


@given(st.data(), JSON_VALUES)
def test_messages_of_any_shape_never_break_the_measure(data: st.DataObject, value: Any):
    messages = data.draw(st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls"]), JSON_VALUES)))
    request = read_request(body(messages=messages, tools=value))
    assert 0 <= request.text_bytes <= 2 * len(request.raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"user":"model","model":"m","messages":[{"role":"user","content":"model"}]}',
        b'{"messages":[{"role":"user","content":"say \\"model\\": \\"x\\""}],"model" : "m"}',
        b'{"messages":[{"role":"model","content":"model"}],"user":"model", "model": "m"}',
        b'{"stream_options":{"include_usage":false},"messages":[{"role":"a","content":"model"}],"model":"m"}',
        b'{"m\\u006fdel":"m","user":"model","messages":[]}',
        b'{"messages":[{"content":"\\u4f60\\u597d \\\\","role":"user"}],"user":"\\\\","model":"m"}',
    ],
)
def test_the_model_is_found_where_texts_are_called_model_too(raw: bytes):
    request = read_request(raw)
    sent = b"".join(edit_request(request, Edits("renamed")))
    assert json.loads(sent) == {**json.loads(raw), "model": "renamed"}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"model":"n"}',
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"m\\u006fdel":"n"}',
        b'{"model":"m","messages":[{"role":"user","content":"a \\" b"}],"user":"x","us\\u0065r":"y"}',
        b'{"model":"m","messages":[],"stream_options":{"include_usage":true,"include_usage":false}}',
        b'{"model":"m","n":1,"messages":[{"role":"user","content":"hi"}],"n":2}',
    ],
)
def test_a_key_that_is_there_twice_is_refused_beside_flat_turns_too(raw: bytes):
    with pytest.raises(InvalidRequest, match="given twice"):
        read_request(raw)


def test_deep_nesting_is_refused_wherever_it_is():
    for field in (b'"stop":', b'"stream_options":{"include_usage":true,"x":'):
        raw = b'{"model":"m","messages":[],' + field + b"[" * 200 + b"]" * 200 + b"}" * (1 + field.count(b"{"))
        with pytest.raises(InvalidRequest, match="nested deeper"):
            read_request(raw)


USUAL: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": 'Say "hi"\nor "模型"'}, {"role": "assistant", "content": "hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 5,
    "temperature": 1,
    "user": "bob",
}
FORMS: list[dict[str, Any]] = [
    {},
    {"ensure_ascii": False},
    {"separators": (",", ":")},
    {"ensure_ascii": False, "separators": (",", ":")},
    {"ensure_ascii": False, "indent": 2},
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "more", [{}, {"tools": [{"type": "function"}]}, {"stop": ["a"]}, {"top_p": None, "n": 1}, {"metadata": {"a": "b"}}]
)
def test_the_same_is_read_however_the_body_is_written(form: dict[str, Any], more: dict[str, Any]):
    request = read_request(json.dumps(USUAL | more, **form).encode())
    tools = len(orjson.dumps(more["tools"])) if "tools" in more else 0
    assert (request.document, request.model, request.opening) == (USUAL | more, "m", USUAL["messages"])
    assert (request.stream, request.include_usage, request.choices) == (True, True, 1)
    assert (request.limit, request.limit_fields, request.continued) == (5, ("max_tokens",), True)
    assert (request.text_bytes, request.media) == (len('Say "hi"\nor "模型"'.encode()) + 2 + tools, {})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [*USUAL, "us\\u0065r", "\\u0074emperature"])
@pytest.mark.parametrize("value", ["1", "null", '"x"', "{}", '[["\\n"]]'])
def test_a_key_too_many_is_seen_however_the_body_is_written(form: dict[str, Any], name: str, value: str):
    text = json.dumps(USUAL, **form)
    for raw in (f'{{"{name}":{value},{text[1:]}', f'{text[:-1]},"{name}":{value}}}'):
        assert "twice" in refusal(raw.encode()).message


@pytest.mark.parametrize("value", ["[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200, "[" * 300 + "]" * 300])
@pytest.mark.parametrize("name", ["temperature", "seed", "new"])
def test_a_deep_value_is_refused_in_whatever_field(name: str, value: str):
    raw = json.dumps({field: told for field, told in USUAL.items() if field != name})[:-1] + f', "{name}": {value}}}'
    assert "nested deeper" in refusal(raw.encode()).message


def test_of_very_many_keys_the_one_that_is_there_twice_is_found_at_once():
    many = b"".join(b'"k%d":1,' % number for number in range(4_000))
    assert refusal(body()[:-1] + b"," + many + b'"k7":1}').param == "k7"


@pytest.mark.parametrize("part", [b"[],", b"{},", b'"",', b"1,"])
def test_a_body_of_more_parts_than_any_model_reads_is_refused_unread(part: bytes):
    with pytest.raises(RequestTooLarge):
        read_request(body()[:-1] + b',"x":[' + part * MOST_MARKS + b"1]}")


def test_a_large_body_of_text_is_read():
    text = "a, b" * (MOST_MARKS // 2)
    assert read_request(body(messages=[{"role": "user", "content": text}])).text_bytes == len(text)
