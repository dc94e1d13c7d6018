"""The native half of a request: what is read, and what is edited in its bytes."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.errors import InvalidRequest
from anygate.protocols.anthropic_messages.request import edit_request, holds_foreign_history, read_request
from anygate.protocols.chat_codec import Edits

USER = {"role": "user", "content": "Hello"}


def read(**fields: Any):
    return read_request(orjson.dumps({"model": "claude-x", "max_tokens": 50, "messages": [USER], **fields}))


def edited(raw: bytes, edits: Edits) -> bytes:
    return b"".join(edit_request(read_request(raw), edits))


def test_what_routing_and_price_need_is_read():
    request = read(stream=True, messages=[USER, {"role": "assistant", "content": "Hi"}, USER])
    assert (request.model, request.stream, request.limit, request.limit_fields) == (
        "claude-x",
        True,
        50,
        ("max_tokens",),
    )
    assert (request.choices, request.continued, request.opening[0]) == (1, True, USER)


def test_a_missing_limit_is_the_upstreams_to_judge():
    request = read(max_tokens=None)
    assert (request.limit, request.limit_fields) == (None, ())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 3}, "model"),
        ({"model": ""}, "model"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": ["Hello"]}, "messages"),
        ({"max_tokens": "50"}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_a_field_of_a_wrong_type_is_refused_by_name(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        read(**fields)
    assert refusal.value.param == param


def test_a_key_given_twice_is_refused():
    with pytest.raises(InvalidRequest) as refusal:
        read_request(b'{"model":"a","model":"b","messages":[]}')
    assert refusal.value.param == "model"


def test_model_and_limit_are_edited_and_all_else_travels_as_it_came():
    raw = b'{ "model" : "mine", "max_tokens": 900,\n "messages": [], "unheard_of": {"a": 1.50} }'
    assert edited(raw, Edits("claude-x", 256)) == (
        b'{ "model" : "claude-x", "max_tokens": 256,\n "messages": [], "unheard_of": {"a": 1.50} }'
    )


def test_a_limit_is_added_where_there_is_none():
    assert orjson.loads(edited(b'{"model":"m","messages":[]}', Edits("m", 256)))["max_tokens"] == 256


def test_a_request_that_only_warms_the_cache_keeps_its_limit_of_nothing():
    raw = b'{"model":"m","max_tokens":0,"messages":[]}'
    assert edited(raw, Edits("m", 4096)) == raw
    assert read_request(raw).limit is None


def test_a_cloud_endpoint_drops_the_model_and_sets_its_version():
    raw = b'{"model":"m","stream":true,"max_tokens":5,"messages":[]}'
    edits = Edits("m@1", set_body={"anthropic_version": "bedrock-2023-05-31"}, drop_body=("model", "stream"))
    assert orjson.loads(edited(raw, edits)) == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 5,
        "messages": [],
    }


@pytest.mark.parametrize("kind", [None, 5, [], {}, [{}]])
def test_a_source_of_no_kind_counts_as_media(kind: Any):
    source = {"type": kind, "data": "x" * 100}
    request = read(messages=[{"role": "user", "content": [{"type": "image", "source": source}]}])
    assert (request.text_bytes, request.media) == (0, {"image": 1})


def test_text_is_measured_and_the_bytes_of_media_are_not():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 9000}}
    words = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "word" * 10}}
    pages = {"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image, {"type": "text", "text": "é"}]}
    plain = read(messages=[], system="").text_bytes
    request = read(
        messages=[{"role": "user", "content": [image, words, pages, result]}],
        system=[{"type": "text", "text": "Be brief."}],
    )
    assert request.media == {"image": 2, "file": 2 - 1}
    assert request.text_bytes - plain == 40 + 2 + len("Be brief.")


def test_tools_count_as_text():
    tool = {"name": "f", "description": "x" * 100, "input_schema": {"type": "object"}}
    prompt = read(tools=[{}]).text_bytes - len("[{}]")  # what the provider adds once for all tools
    assert read(tools=[tool]).text_bytes - prompt == len(orjson.dumps([tool]))
    assert read(tools=[]).text_bytes < prompt


@pytest.mark.parametrize(
    ("block", "foreign"),
    [
        ({"type": "thinking", "thinking": "x", "signature": "EqQBCg"}, False),
        ({"type": "thinking", "thinking": "x", "signature": ""}, True),
        ({"type": "thinking", "thinking": "x", "signature": "YW55Z2F0ZTpvcGVuYWk6YWJj"}, True),
        ({"type": "text", "text": 'YW55Z2F0ZTpvcGVuYWk6YWJj is "signature": "" in words'}, False),
    ],
)
def test_history_that_another_provider_made_is_noticed(block: dict[str, Any], foreign: bool):
    assert holds_foreign_history(read(messages=[{"role": "assistant", "content": [block]}])) is foreign


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["model", "messages", "max_tokens", "system", "tools", "stream"]), JSON))
def test_nonsense_is_refused_and_never_breaks_the_reader(body: dict[str, Any]):
    raw = orjson.dumps({"model": "m", "messages": [], **body})
    with suppress(InvalidRequest):
        request = read_request(raw)
        assert request.text_bytes >= 0
        assert b"".join(edit_request(request, Edits(request.model))) == raw


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_refused(raw: bytes):
    with pytest.raises(InvalidRequest):
        read_request(raw)
