"""What is read of a native request, and the edits to its bytes."""

import json
import mmap
import tempfile
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.json_texts import JSON_VALUES

from anygate.canonical.errors import InvalidRequest
from anygate.protocols import json_spans
from anygate.protocols.chat_codec import Edits
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.google_gemini.request import edit_request, holds_foreign_history, read_request
from anygate.protocols.google_gemini.wire import camel

TURN: dict[str, Any] = {"role": "user", "parts": [{"text": "Hi"}]}


def read(body: object, method: str = "generateContent", **parameters: str) -> ChatRequest:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_request(raw, {"model": "gemini-2.5-flash", "method": method, **parameters})


def edited(request: ChatRequest, edits: Edits) -> bytes:
    return b"".join(edit_request(request, edits))


def test_model_and_stream_come_from_the_path():
    plain = read({"contents": [TURN]})
    assert (plain.model, plain.stream, plain.stream_form) == ("gemini-2.5-flash", False, "")
    events = read({"contents": [TURN]}, "streamGenerateContent", alt="sse")
    assert (events.stream, events.stream_form) == (True, "")
    assert read({"contents": [TURN]}, "streamGenerateContent").stream_form == "array"
    assert read({"contents": [TURN]}, "streamGenerateContent", alt="json").stream_form == "array"


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"maxOutputTokens": 9, "candidateCount": 3, "responseModalities": ["AUDIO"]}, "generationConfig"),
        ({"max_output_tokens": "9", "candidate_count": 3.0, "response_modalities": ["audio"]}, "generation_config"),
    ],
)
def test_both_spellings_and_numbers_in_strings_are_read(config: dict[str, Any], name: str):
    request = read({"contents": [TURN], name: config})
    assert (request.limit, request.choices, request.audio_output) == (9, 3, True)
    assert request.limit_fields == ("generationConfig.maxOutputTokens",)


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b'{"contents":[],"contents":[]}', "contents"),
        (b'{"contents":[{"parts":[]}],"generationConfig":{},"generation_config":{}}', "generationConfig"),
        (
            b'{"contents":[{"parts":[]}],"generationConfig":{"maxOutputTokens":1,"maxOutputTokens":999}}',
            "generationConfig.maxOutputTokens",
        ),
        (
            b'{"contents":[{"parts":[]}],"generationConfig":{"maxOutputTokens":1,"max_output_tokens":999}}',
            "generationConfig.maxOutputTokens",
        ),
        (
            b'{"contents":[{"parts":[]}],"generationConfig":{"maxOutputTokens":1,"maxOutputT\\u006fkens":999}}',
            "generationConfig.maxOutputTokens",
        ),
        (
            b'{"contents":[{"parts":[]}],"generationConfig":{"candidateCount":1,"candidateCount":8}}',
            "generationConfig.candidateCount",
        ),
    ],
)
def test_a_field_given_twice_or_in_both_spellings_is_refused(raw: bytes, param: str):
    with pytest.raises(InvalidRequest) as caught:
        read(raw)
    assert caught.value.param == param


def test_of_very_many_fields_the_one_that_is_there_twice_is_found_at_once():
    many = b"".join(b'"k%d":1,' % number for number in range(4_000))
    with pytest.raises(InvalidRequest, match=r"k7. is given twice"):
        read(b'{"contents":[{"parts":[]}],"generationConfig":{%b"k7":1}}' % many)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": "Hi"}, "contents"),
        ({"contents": ["Hi"]}, "contents[0]"),
        ({"contents": [{"parts": ["Hi"]}]}, "contents[0].parts[0]"),
        ({"contents": [{"parts": 5}]}, "contents[0].parts"),
        ({"contents": [TURN], "generationConfig": 5}, "generationConfig"),
        ({"contents": [TURN], "generationConfig": {"maxOutputTokens": -1}}, "generationConfig.maxOutputTokens"),
        ({"contents": [TURN], "generationConfig": {"maxOutputTokens": "x"}}, "generationConfig.maxOutputTokens"),
        ({"contents": [TURN], "generationConfig": {"maxOutputTokens": True}}, "generationConfig.maxOutputTokens"),
        ({"contents": [TURN], "generationConfig": {"maxOutputTokens": 1 << 40}}, "generationConfig.maxOutputTokens"),
        ({"contents": [TURN], "generationConfig": {"candidateCount": 0}}, "generationConfig.candidateCount"),
        ({"contents": [TURN], "systemInstruction": "Be kind"}, "systemInstruction"),
    ],
)
def test_a_field_of_a_wrong_type_is_refused_by_name(body: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as caught:
        read(body)
    assert caught.value.param == param


def test_text_is_counted_and_media_are_not_text():
    blob = {"mimeType": "image/png", "data": "A" * 10_000}
    body: dict[str, Any] = {
        "systemInstruction": {"parts": [{"text": "ä"}]},
        "contents": [
            {
                "role": "user",
                "parts": [{"text": "Hello"}, {"inlineData": blob}, {"file_data": {"mime_type": "video/mp4"}}],
            },
            {"role": "model", "parts": [{"text": "ok", "thoughtSignature": "S" * 5000}]},
            {"role": "user", "parts": [{"functionResponse": {"response": {}, "parts": [{"inlineData": blob}]}}]},
        ],
    }
    request = read(body)
    assert request.media == {"image": 2, "video": 1}
    assert 9 <= request.text_bytes < 100
    assert request.continued
    assert request.opening == body["contents"]


def test_tools_and_schemas_count_as_text():
    schema = {"type": "object", "description": "d" * 500}
    body = {
        "contents": TURN,
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}],
        "generationConfig": {"responseSchema": schema},
    }
    assert read(body).text_bytes > 1000


@given(JSON_VALUES, st.sampled_from(["contents", "generationConfig", "tools", "systemInstruction", "x"]))
def test_any_value_anywhere_is_read_or_refused(value: Any, name: str):
    body = {"contents": [TURN], name: value}
    try:
        request = read(body)
    except InvalidRequest:
        return
    assert request.document == orjson.loads(orjson.dumps(body))


CONFIGS = st.sampled_from(
    [
        None,
        {},
        {"temperature": 1},
        {"maxOutputTokens": 5},
        {"max_output_tokens": "5", "topK": 3},
        {"responseSchema": {"properties": {"maxOutputTokens": {"type": "STRING"}}}, "maxOutputTokens": None},
        {"stopSequences": ['"maxOutputTokens":1'], "seed": 1},
    ]
)


@given(
    CONFIGS,
    st.sampled_from(["generationConfig", "generation_config"]),
    st.booleans(),
    st.sampled_from([None, 2]),
    st.sampled_from([None, 1, 4096]),
    st.sampled_from([{}, {"safety_settings": []}, {"labels": {"a": "b"}}]),
    st.sampled_from([(), ("safetySettings",), ("tools", "x")]),
)
def test_edits_give_the_expected_object_and_touch_nothing_else(
    config: Any,
    name: str,
    first: bool,
    indent: int | None,
    limit: int | None,
    sets: dict[str, Any],
    drop: tuple[str, ...],
):
    members: dict[str, Any] = {"contents": [TURN], "safetySettings": [{"category": "x"}], "ü\n": {"b": [1.50]}}
    members = {name: config, **members} if first else {**members, name: config}
    raw = json.dumps(members, indent=indent).encode()
    request = read(raw)
    result = edited(request, Edits("other", limit=limit, set_body=sets, drop_body=drop))
    expected = {camel(key): value for key, value in members.items() if camel(key) not in drop}
    expected |= {camel(key): value for key, value in sets.items()}
    if limit is not None:
        held: dict[str, Any] = config or {}
        inner = {camel(key): value for key, value in held.items()}
        expected["generationConfig"] = inner | {"maxOutputTokens": limit}
    made = orjson.loads(result)
    assert _camel_config({camel(key): value for key, value in made.items()}) == _camel_config(expected)
    assert len(made) == len({camel(key) for key in made})
    before = {span.name: raw[span.name_start : span.value_end] for span in json_spans.members(raw)}
    after = {span.name: result[span.name_start : span.value_end] for span in json_spans.members(result)}
    for untouched in ("contents", "ü\n"):
        assert after[untouched] == before[untouched]
    assert edited(request, Edits("other", limit=limit, set_body=sets, drop_body=drop)) == result


def _camel_config(body: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] | None = body.get("generationConfig")
    if config is not None:
        body = {**body, "generationConfig": {camel(key): value for key, value in config.items()}}
    return body


def test_without_an_edit_the_clients_own_bytes_travel():
    raw = b' { "contents" : [{"parts":[]}] , "generation_config":{ "maxOutputTokens" : 5 } } '
    assert edit_request(read(raw), Edits("other")) == [raw]


def test_only_the_number_changes_inside_the_configuration():
    raw = b'{"generation_config":{ "topK":1.0, "max_output_tokens" : 5 , "x":[ ] },"contents":[{"parts":[]}]}'
    assert edited(read(raw), Edits("m", limit=3)) == raw.replace(b": 5 ", b": 3 ")


def test_a_model_in_the_body_leaves_when_the_upstream_calls_it_otherwise():
    body = {"model": "models/gemini-2.5-flash", "contents": [TURN]}
    assert orjson.loads(edited(read(body), Edits("gemini-x"))) == {"contents": [TURN]}
    assert orjson.loads(edited(read(body), Edits("gemini-2.5-flash"))) == body


def test_requests_inside_the_request_are_renamed_too():
    batch = {"requests": [{"model": "models/gemini-2.5-flash", "content": TURN}, 5]}
    renamed = orjson.loads(edited(read(batch, "batchEmbedContents"), Edits("embedder")))
    assert renamed == {"requests": [{"model": "models/embedder", "content": TURN}, 5]}
    count = {"generateContentRequest": {"model": "models/gemini-2.5-flash", "contents": [TURN]}}
    renamed = orjson.loads(edited(read(count, "countTokens"), Edits("m2")))
    assert renamed["generateContentRequest"]["model"] == "models/m2"


def test_a_mapped_body_is_sliced_and_not_copied():
    raw = b'{"contents":[{"parts":[{"text":"%b"}]}],"generationConfig":{"topK":1}}' % (b"u" * 200_000)
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        request = read_request(mapped, {"model": "m", "method": "generateContent"})
        pieces = edit_request(request, Edits("m", limit=7))
        assert b"".join(pieces) == raw.replace(b'{"topK"', b'{"maxOutputTokens":7,"topK"')
        assert sum(len(piece) for piece in pieces if isinstance(piece, bytes)) < 100


def test_a_history_with_a_tagged_signature_is_told_from_one_with_googles():
    turn: dict[str, Any] = {
        "role": "model",
        "parts": [{"text": "x", "thought_signature": "YW55Z2F0ZTphbnRocm9waWM6YWJj"}],
    }
    assert holds_foreign_history(read({"contents": [TURN, turn]}))
    turn["parts"][0]["thought_signature"] = "CqcOAcu98PDUiUq32HLxu6y5"
    assert not holds_foreign_history(read({"contents": [TURN, turn]}))
