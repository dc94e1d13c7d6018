"""The closed list of edits to a request's bytes: what changes, and that nothing else does."""

import json
import mmap
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.json_texts import JSON_VALUES, Pair, object_texts, pairs

from anygate.protocols import json_spans
from anygate.protocols.chat_codec import Edits
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.openai_chat.request import LIMIT_FIELDS, edit_request, read_request


def edits(
    *,
    model: str = "m",
    include_usage: bool = False,
    limit: int | None = None,
    limit_field: str = "max_tokens",
    set_body: Mapping[str, Any] | None = None,
    drop_body: Sequence[str] = (),
) -> Edits:
    """By default none of them changes anything."""
    return Edits(model, limit, limit_field, include_usage, set_body or {}, drop_body)


def edited(request: ChatRequest, wanted: Edits) -> bytes:
    return b"".join(edit_request(request, wanted))


def changes_of(document: Mapping[str, Any], wanted: Edits) -> dict[str, Any]:
    """The members that the edits write."""
    changes: dict[str, Any] = {}
    if wanted.model != document["model"] and "model" not in wanted.drop_body:  # where the path names it
        changes["model"] = wanted.model
    options: dict[str, Any] = document.get("stream_options") or {}
    if wanted.include_usage and not options.get("include_usage"):
        changes["stream_options"] = options | {"include_usage": True}
    if wanted.limit is not None:
        used = [name for name in LIMIT_FIELDS if document.get(name) is not None]
        changes |= dict.fromkeys(used or [wanted.limit_field], wanted.limit)
    return changes | dict(wanted.set_body)


def check(raw: bytes, wanted: Edits) -> None:
    """The result is what was asked for, and every member that was not touched keeps its bytes and its place."""
    request = read_request(raw)
    result = edited(request, wanted)
    changes = changes_of(request.document, wanted)
    dropped = set(wanted.drop_body) - set(changes)
    expected = {name: value for name, value in request.document.items() if name not in dropped} | changes
    assert orjson.loads(result) == expected
    before = {found.name: raw[found.name_start : found.value_end] for found in json_spans.members(raw)}
    after = {found.name: result[found.name_start : found.value_end] for found in json_spans.members(result)}
    kept = [name for name in before if name not in changes and name not in dropped]
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert [name for name in after if name in kept] == kept
    assert edited(request, wanted) == result  # failover edits the same request again


MESSAGES = '[{"role":"user","content":"a \\"model\\" {x} "}]'
OPTIONS: list[dict[str, Any] | None] = [
    None,
    {},
    {"include_usage": None},
    {"include_usage": False},
    {"include_usage": True},
    {"x": 1},
    {"include_usage": False, "x": [1]},
    {"x": "}", "include_usage": None, "y": {}},
]


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request that decodes: fields that we edit and fields that we do not, in any order and spacing."""
    members: dict[str, Any] = {
        "model": draw(st.sampled_from(["m", "é模", 'a"b\\'])),
        "messages": orjson.loads(MESSAGES),
    }
    if draw(st.booleans()):
        members["stream_options"] = draw(st.sampled_from(OPTIONS))
    for name in draw(st.sets(st.sampled_from(LIMIT_FIELDS))):
        members[name] = draw(st.sampled_from([None, 0, 1, 4096]))
    for pair in draw(st.lists(pairs(st.sampled_from(["temperature", "user", "x/y", "é", "", "metadata"])), max_size=4)):
        members[pair.name] = pair.value
    names = draw(st.permutations(list(members)))
    escaped = draw(st.booleans())

    def _text(value: Any) -> str:
        return json.dumps(value, ensure_ascii=escaped)

    sent = [Pair(name, members[name], _text(name), _text(members[name])) for name in names]
    return draw(object_texts(sent)).encode()


_NAMES = st.sampled_from(
    ["temperature", "user", "x/y", "é", "", "metadata", "new", "model", "messages", "stream_options"]
)


@given(
    requests(),
    st.builds(
        edits,
        model=st.sampled_from(["m", "gpt-4o-2024-11-20", 'q"\\é']),
        include_usage=st.booleans(),
        limit=st.none() | st.integers(1, 9999),
        limit_field=st.sampled_from(LIMIT_FIELDS),
        set_body=st.dictionaries(st.sampled_from(["temperature", "x/y", "é", "new", "other"]), JSON_VALUES, max_size=3),
        drop_body=st.lists(_NAMES, max_size=6),
    ),
)
@example(b'{"messages":[],"model":"m"}', edits(drop_body=["messages", "model"], set_body={"a": 1}))
@example(b'{"messages":[],"model":"m"}', edits(drop_body=["messages", "model"]))
def test_any_combination_of_edits_gives_the_expected_object_and_touches_nothing_else(raw: bytes, wanted: Edits):
    check(raw, wanted)


def test_without_an_edit_the_clients_own_bytes_travel():
    raw = b' { "model" : "m" ,\n"messages":[] , "stream_options":{"include_usage":true}} '
    request = read_request(raw)
    assert edit_request(request, edits(include_usage=True, limit_field="x", drop_body=["absent"])) == [raw]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"m","messages":[]}',
        b'{"messages":[],"model" : "m"}',
        b'{ "messages":[{"model":"m","content":"\\"model\\":\\"x\\""}],"model"\n:\t"m" }',
        b'{"mod\\u0065l":"m","messages":[]}',
        b'{"messages":[],"model":"\\u006d"}',
    ],
)
def test_only_the_value_of_model_changes(raw: bytes):
    check(raw, edits(model="gpt-4o-2024-11-20"))


@pytest.mark.parametrize("options", ["", *(orjson.dumps(options).decode() for options in OPTIONS)])
def test_the_usage_chunk_is_asked_for_whatever_the_client_wrote(options: str):
    member = f',"stream_options" : {options}' if options else ""
    raw = f'{{"model":"m","messages":[]{member},"user":"x"}}'.encode()
    check(raw, edits(include_usage=True))
    check(raw, edits(include_usage=True, model="other", limit=7))


def test_options_beside_include_usage_stay():
    request = read_request(b'{"model":"m","messages":[],"stream_options":{ "include_obfuscation":false }}')
    sent = orjson.loads(edited(request, edits(include_usage=True)))
    assert sent["stream_options"] == {"include_obfuscation": False, "include_usage": True}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ('"max_tokens":9', {"max_tokens": 5}),
        ('"max_completion_tokens":9', {"max_completion_tokens": 5}),
        ('"max_tokens":9,"max_completion_tokens":8', {"max_tokens": 5, "max_completion_tokens": 5}),
        ('"max_tokens":null,"max_completion_tokens":8', {"max_tokens": None, "max_completion_tokens": 5}),
        ('"max_tokens":null', {"max_tokens": 5}),
        ('"user":"x"', {"max_tokens": 5, "user": "x"}),
    ],
)
def test_the_limit_goes_into_the_field_that_the_client_used(fields: str, expected: dict[str, Any]):
    raw = f'{{"model":"m","messages":[],{fields}}}'.encode()
    check(raw, edits(limit=5))
    assert orjson.loads(edited(read_request(raw), edits(limit=5))) == {"model": "m", "messages": []} | expected


@pytest.mark.parametrize(
    "dropped",
    [["a"], ["b"], ["c"], ["d"], ["a", "b"], ["b", "c"], ["c", "d"], ["a", "d"], ["b", "d"], ["a", "c", "d"], ["e"]],
)
@pytest.mark.parametrize("order", ["abmcxd", "mabcdx", "mxabcd", "cdabmx"])
def test_dropped_members_leave_with_their_commas(dropped: list[str], order: str):
    texts = {name: f' "{name}" : "{name}," ' for name in "abcd"} | {"m": '"model":"m"', "x": ' "messages" : [ ] '}
    raw = ("{" + ",".join(texts[name] for name in order) + "}").encode()
    check(raw, edits(drop_body=dropped))
    check(raw, edits(drop_body=dropped, model="other", limit=3, set_body={"a": 1, "new": {"b": 2}}))


def test_what_the_gateway_writes_is_not_dropped():
    raw = b'{"model":"m","messages":[],"max_tokens":9}'
    check(raw, edits(limit=5, drop_body=["max_tokens", "stream_options"], include_usage=True))


def test_the_operators_own_value_wins():
    raw = b'{"model":"m","messages":[],"max_tokens":9,"temperature":1}'
    check(raw, edits(limit=5, set_body={"max_tokens": 3, "temperature": 0}, drop_body=["temperature"]))


@pytest.mark.parametrize("model_first", [True, False])
def test_twenty_megabytes_of_base64_are_not_copied(model_first: bool):
    image = b'"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"%b"}}]}]' % (
        b"A" * 20_000_000
    )
    raw = b'{"model":"m",' + image + b"}" if model_first else b"{" + image + b',"model":"m"}'
    request = read_request(raw)
    pieces = edit_request(request, edits(model="other", include_usage=True, limit=5))
    views = [piece for piece in pieces if isinstance(piece, memoryview)]
    assert all(view.obj is raw for view in views)
    assert sum(len(piece) for piece in pieces if isinstance(piece, bytes)) < 200
    assert orjson.loads(b"".join(pieces)) == request.document | {
        "model": "other",
        "stream_options": {"include_usage": True},
        "max_tokens": 5,
    }


def test_a_mapped_body_is_sliced_and_not_read_into_memory():
    raw = b'{"messages":[],"model":"m","user":"%b"}' % (b"u" * 200_000)
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        request = read_request(mapped)
        whole = edit_request(request, edits())
        pieces = edit_request(request, edits(model="b"))
        assert [type(piece) for piece in whole] == [memoryview]
        assert b"".join(whole) == raw
        assert b"".join(pieces) == raw.replace(b'"m"', b'"b"')
        assert all(piece.obj is mapped for piece in pieces if isinstance(piece, memoryview))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a\\"model":"m","messages":[{"role":"user","content":"x"}],"model":"m"}',
        b'{"messages":[{"role":"user","content":"x"}],"a\\"model":"m","model":"m"}',
        b'{"messages":[{"role":"user","content":"x"}],"a\\"model":"m","mod\\u0065l":"m"}',
        b'{"messages":[{"role":"user","content":"x","model":"m"}],"model":"m"}',
        b'{"model": "m", "messages":[{"role":"user","content":"x","model":"m"}],"tools":[{"model":"m"}]}',
        b'{"tools":[{"model":"m"}],"model":"m","messages":[]}',
        b'{"model":"m\\\\","messages":[{"role":"user","content":"x"}]}',
        b'{"model"\t:"m","messages":[{"role":"user","content":"x"}]}',
    ],
)
def test_no_other_member_is_taken_for_the_model(raw: bytes):
    check(raw, edits(model="another"))


def test_usage_is_asked_for_beside_a_limit_and_another_model():
    raw = b' {"messages": [{"role": "user", "content": "x"}], "model": "m", "stream": true}'
    check(raw, edits(model="n", limit=7, include_usage=True))
    check(raw, edits(limit=7, include_usage=True))
