"""Positions of members in JSON text, and edits that change nothing else."""

import mmap
import tempfile
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.json_texts import JSON_VALUES, Pair, object_texts, pairs, value_texts

from anygate.canonical.errors import InvalidRequest
from anygate.protocols import json_spans
from anygate.protocols.json_spans import (
    MAX_DEPTH,
    MOST_MEMBERS,
    Edit,
    Member,
    TooDeep,
    apply,
    members,
    shallow,
    surely_shallow,
)

OBJECTS = st.lists(pairs(), max_size=5)


def joined(pieces: list[bytes | memoryview]) -> bytes:
    return b"".join(pieces)


def nested(levels: int) -> bytes:
    """An object nested `levels` deep in all."""
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


@given(st.data(), OBJECTS)
def test_each_member_is_found_in_order_and_its_spans_hold_its_name_and_its_value(data: st.DataObject, sent: list[Pair]):
    raw = data.draw(st.sampled_from(["", " ", "\r\n\t"])).encode() + data.draw(object_texts(sent)).encode()
    found = members(raw)
    assert [member.name for member in found] == [pair.name for pair in sent]
    for member, pair in zip(found, sent, strict=True):
        assert raw[member.value_start : member.value_end] == pair.value_text.encode()
        assert raw[member.name_start :].startswith(pair.name_text.encode())
        assert orjson.loads(raw[member.value_start : member.value_end]) == pair.value


@given(st.data(), st.lists(pairs(), min_size=1, max_size=5), JSON_VALUES)
def test_an_edit_of_one_value_leaves_every_other_byte_as_it_was(data: st.DataObject, sent: list[Pair], new: Any):
    raw = data.draw(object_texts(sent)).encode()
    found = members(raw)
    chosen = data.draw(st.sampled_from(found))
    text = data.draw(value_texts(new)).encode()
    edited = joined(apply(raw, [Edit(chosen.value_start, chosen.value_end, text)]))
    assert edited == raw[: chosen.value_start] + text + raw[chosen.value_end :]
    values = [orjson.loads(edited[member.value_start : member.value_end]) for member in members(edited)]
    expected = [new if member is chosen else pair.value for member, pair in zip(found, sent, strict=True)]
    assert values == expected


@given(st.data(), OBJECTS)
def test_a_mapped_file_gives_the_same_spans_as_bytes(data: st.DataObject, sent: list[Pair]):
    raw = data.draw(object_texts(sent)).encode()
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert members(mapped) == members(raw)


def test_a_nested_object_has_members_of_its_own():
    raw = b'{"a": {"b" : [1, {"c": "}"}] , "d":2} }'
    outer = members(raw)[0]
    assert members(raw, outer.value_start) == [Member("b", 7, 13, 28), Member("d", 31, 35, 36)]


@pytest.mark.parametrize(
    "text", [rb'"\\"', rb'"\""', rb'"\\\""', rb'"a\\\\"', rb'"\\\\\\\"x"', rb'""', b'"%b\\""' % (b"\\\\" * 99)]
)
def test_backslashes_before_a_quote_are_counted(text: bytes):
    raw = b'{"a":' + text + b',"b":1}'
    assert [raw[found.value_start : found.value_end] for found in members(raw)] == [text, b"1"]


def test_the_deepest_text_that_is_allowed_has_its_members_found():
    assert [member.name for member in members(nested(MAX_DEPTH))] == ["a"]


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 1_000, 100_000])
def test_one_level_more_is_too_deep(levels: int):
    with pytest.raises(TooDeep):
        members(nested(levels))


def test_an_array_counts_as_a_level_like_an_object():
    inner = MAX_DEPTH - 1
    assert members(b'{"a":' + b"[" * inner + b"]" * inner + b"}")
    with pytest.raises(TooDeep):
        members(b'{"a":' + b"[" * (inner + 1) + b"]" * (inner + 1) + b"}")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(nested(MAX_DEPTH + 1), id="plain"),
        pytest.param(b'["]",' * 300 + b"1" + b',"["]' * 300, id="brackets inside strings that cancel the real ones"),
        pytest.param(b'["\\"]",' * 300 + b"1" + b',"\\"["]' * 300, id="and escaped quotes before them"),
        pytest.param(b'[[],{"a":' * 100 + b"1" + b"}]" * 100, id="two kinds of brackets in turn"),
        pytest.param(b"[" + b"[]," * 400 + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"]", id="a deep one among flat ones"),
    ],
)
def test_neither_look_says_yes_to_a_deep_text(raw: bytes):
    assert not surely_shallow(raw)
    assert not shallow(orjson.loads(raw))


def test_the_quick_look_says_yes_to_what_has_few_brackets_and_the_close_look_to_many():
    inner = MAX_DEPTH - 1
    deepest = b"[" + b"[]," * 400 + b"[" * inner + b"]" * inner + b"]"
    assert surely_shallow(nested(MAX_DEPTH))
    assert not surely_shallow(deepest)
    assert shallow(orjson.loads(deepest))
    assert shallow(orjson.loads(nested(MAX_DEPTH)))


@given(st.lists(st.sampled_from(['["]",', '{"}":', "[", '["\\"[",', '["\\\\",']), max_size=300))
def test_both_looks_agree_with_the_real_depth(openings: list[str]):
    closings = {"[": "]", "{": "}"}
    text = "".join(openings) + '"["' + "".join(closings[opening[0]] for opening in reversed(openings))
    assert shallow(orjson.loads(text)) == (len(openings) <= MAX_DEPTH)
    assert not surely_shallow(text.encode()) or len(openings) <= MAX_DEPTH


def test_edits_are_applied_in_order_of_place_and_insertions_at_one_place_keep_their_order():
    raw = b"0123456789"
    edits = [Edit(8, 9, b"B"), Edit(2, 2, b"x"), Edit(2, 2, b"y"), Edit(2, 4, b""), Edit(9, 10, b"")]
    assert joined(apply(raw, edits)) == b"01xy4567B"


def test_a_small_text_comes_in_one_piece_and_a_large_one_in_slices_that_copy_nothing():
    raw = b'{"model":"' + b"a" * 100 + b'"}'
    assert apply(raw, [Edit(1, 1, b'"n":1,')]) == [b'{"n":1,' + raw[1:]]
    pieces = apply(raw, [Edit(1, 1, b'"n":1,')], join_below=10)
    assert [type(piece) for piece in pieces] == [memoryview, bytes, memoryview]
    assert [piece.obj is raw for piece in pieces if isinstance(piece, memoryview)] == [True, True]


def test_text_that_was_never_parsed_is_refused_rather_than_searched_without_end():
    with pytest.raises(ValueError, match="not the JSON"):
        json_spans.members(b'{"a":[1,2')


def test_an_object_of_very_many_members_is_refused():
    raw = b"{" + b",".join([b'"a":1'] * (MOST_MEMBERS + 1)) + b"}"
    assert len(members(raw.replace(b'"a":1,', b"", 1))) == MOST_MEMBERS
    with pytest.raises(InvalidRequest):
        members(raw)
