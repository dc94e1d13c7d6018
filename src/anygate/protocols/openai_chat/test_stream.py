"""Observing and filtering a stream: the cuts between blocks never change anything."""

import base64
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.usage import Usage
from anygate.protocols.observing import FLUSH_BYTES
from anygate.protocols.openai_chat import stream_observer, usage_chunk
from anygate.protocols.openai_chat.stream_observer import KEPT_BYTES, StreamObserver
from anygate.protocols.openai_chat.usage_chunk import UsageChunkFilter

USAGE: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
USAGE_CHUNK: dict[str, Any] = {"id": "c", "choices": [], "usage": USAGE}
PROMPT_FILTER: dict[str, Any] = {"choices": [], "id": "", "prompt_filter_results": [{"prompt_index": 0}]}


def chunk(text: str, **fields: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} | fields


def event(value: object) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


@dataclass(frozen=True)
class Seen:
    """What the observer found, and what the filter let through."""

    usage: Usage | None
    text_bytes: int
    error: object
    tokens_seen: bool
    filtered: bytes


def watch(blocks: list[bytes], flush_each: bool = False) -> Seen:
    observer, strip = StreamObserver(), UsageChunkFilter()
    out = b""
    for block in blocks:
        if observer.feed(block) or flush_each:
            observer.flush()
        out += strip.feed(block)
    observer.finish()
    return Seen(observer.usage, observer.text_bytes, observer.error, observer.tokens_seen, out + strip.finish())


def cut(wire: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(wire) + 1) for place in cuts), len(wire)]
    return [wire[start:end] for start, end in pairwise(edges)]


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        chunk("Hello"),
        chunk("模型 \n\n"),
        chunk('"choices":[] "usage":{}', usage=None),
        {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": '{"a'}}]}}]},
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        chunk("x", usage=USAGE),
        USAGE_CHUNK,
        {"usage": {"prompt_tokens": 7, "completion_tokens": 1}, "choices": []},
        PROMPT_FILTER,
        {"choices": [], "usage": None},
        {"error": {"message": "overloaded"}},
        {"x_groq": {"usage": USAGE}, "choices": []},
    ]
)
EVENTS: st.SearchStrategy[tuple[Any, str]] = st.one_of(
    st.tuples(VALUES, st.sampled_from(["plain", "pretty"])),
    st.tuples(st.sampled_from([": heartbeat", "[DONE]", "event: x", "garbage {", '{"usage":', ""]), st.just("raw")),
)


def lines_of(value: Any, form: str) -> list[bytes]:
    match form:
        case "plain":
            return [b"data: " + orjson.dumps(value)]
        case "pretty":  # one event over several data lines, with another field between
            lines = [b"data:" + line for line in orjson.dumps(value, option=orjson.OPT_INDENT_2).splitlines()]
            return [b"id: 5", *lines, b"retry: 10"]
        case _:
            return [value.encode()] if value.startswith((":", "event")) else [b"data: " + value.encode()]


@given(
    st.lists(EVENTS, max_size=6),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.lists(st.integers(0, 2000)),
    st.booleans(),
)
def test_any_slicing_of_the_bytes_gives_the_same_usage_text_and_output(
    sent: list[tuple[Any, str]], end: bytes, cuts: list[int], flush_each: bool
):
    wire = b"".join(end.join(lines_of(value, form)) + end + end for value, form in sent)
    whole = watch([wire])
    assert watch(cut(wire, cuts), flush_each) == whole
    # Independently of the code: what each event says, and which events stay.
    values = [value for value, form in sent if form != "raw"]
    usages = [value.get("usage") or value.get("x_groq", {}).get("usage") for value in values]
    last = next((usage for usage in reversed(usages) if usage), None)
    assert whole.usage == (Usage(input=last["prompt_tokens"], output=last["completion_tokens"]) if last else None)
    kept = [
        end.join(lines_of(value, form)) + end + end
        for value, form in sent
        if form == "raw" or value.get("choices") != [] or not value.get("usage")
    ]
    assert whole.filtered == b"".join(kept)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_arbitrary_bytes_pass_and_never_break_an_observer(wire: bytes, cuts: list[int]):
    seen = watch(cut(wire, cuts), flush_each=True)
    assert seen == watch([wire])
    assert seen.filtered == wire


@pytest.mark.parametrize("place", range(0, 80, 7))
def test_a_usage_object_cut_in_two_is_found(place: int):
    wire = event(chunk("Hi")) + event(USAGE_CHUNK) + b"data: [DONE]\n\n"
    at = len(event(chunk("Hi"))) + place
    seen = watch([wire[:at], wire[at:]], flush_each=True)
    assert (seen.usage, seen.text_bytes) == (Usage(input=10, output=4), 2)
    assert seen.filtered == event(chunk("Hi")) + b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    "value",
    [
        PROMPT_FILTER,
        {"choices": [], "usage": None},
        chunk("x", usage=None),
        chunk("x", usage=USAGE),
        chunk('"choices":[],"usage":{}'),
        {"usage": USAGE},
        {"choices": None, "usage": USAGE},
        {"choices": [], "usage": "much"},
        {"choices": [], "x": {"usage": {}}},
    ],
)
def test_only_a_chunk_without_choices_and_with_a_usage_object_is_taken_out(value: dict[str, Any]):
    assert watch([event(value)]).filtered == event(value)


@pytest.mark.parametrize(
    "wire",
    [
        event(USAGE_CHUNK),
        b'data:{"choices":[],"usage":{}}\n\n',
        b'data: {"usage": {"a": {}} , "choices" : [ ] }\r\n\r\n',
        b': ping\nevent: message\nid: 5\ndata: {"choices":[],"usage":{}}\nretry: 5\n\n',
        b'data: {"choices":\ndata: [\ndata: ],"usage":{}}\n\n',
        b'data: {"choices":[],"usage":{}}\r\r',
        b'data: {"choices":[],"usage":{}}',
    ],
)
def test_the_usage_chunk_is_taken_out_in_every_spelling(wire: bytes):
    assert watch([wire]).filtered == b""
    assert watch([wire[at : at + 1] for at in range(len(wire))]).filtered == b""


def test_a_stream_without_the_usage_chunk_leaves_as_it_came_block_by_block():
    strip = UsageChunkFilter()
    blocks = [event(PROMPT_FILTER), event(chunk("a", usage=None)), b": ping\n\n", b"data: [DONE]\n\n"]
    assert [strip.feed(block) for block in blocks] == blocks
    assert strip.finish() == b""


def test_blocks_of_mixed_line_ends_are_parted_rightly():
    wire = b": ping\n\n" + event(USAGE_CHUNK).replace(b"\n", b"\r\n") + b"\n" + event(chunk("x")) + event(USAGE_CHUNK)
    assert watch([wire]).filtered == b": ping\n\n\n" + event(chunk("x"))


def test_an_event_too_long_to_hold_back_passes_as_it_comes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(usage_chunk, "LONGEST_BYTES", 100)
    strip = UsageChunkFilter()
    long = b"data: " + b"x" * 150
    assert strip.feed(long) == long
    assert strip.feed(b"y\r") == b"y"
    assert strip.feed(b"\n\r") == b""
    assert strip.feed(b"\n" + event(USAGE_CHUNK)[:30]) == b"\r\n\r\n"
    assert strip.feed(event(USAGE_CHUNK)[30:]) == b""
    assert strip.finish() == b""


@given(st.lists(st.sampled_from([b"a" * 70, b"\n", b"\r", b"\n\n", event(USAGE_CHUNK), event(chunk("x"))]), max_size=9))
def test_the_filter_gives_the_same_around_its_longest_event(parts: list[bytes]):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usage_chunk, "LONGEST_BYTES", 100)
        wire = b"".join(parts)
        assert (
            watch(parts).filtered
            == watch([wire]).filtered
            == watch([wire[i : i + 1] for i in range(len(wire))]).filtered
        )


def test_memory_is_bounded_for_a_line_without_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream_observer, "MAX_EVENT_BYTES", 4 * FLUSH_BYTES)
    observer, strip = StreamObserver(), UsageChunkFilter()
    block = b"x" * 1000
    passed = 0
    for _ in range(1000):
        if observer.feed(block):
            observer.flush()
        passed += len(strip.feed(block))
        assert _held_bytes(observer) <= 5 * FLUSH_BYTES + 1000
    assert passed == 1_000_000
    tail = b"\n" + event(chunk("Hi")) + event(USAGE_CHUNK)
    observer.feed(tail)
    observer.finish()
    assert (observer.usage, observer.text_bytes) == (Usage(input=10, output=4), 2)


def test_memory_is_bounded_for_an_event_without_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream_observer, "MAX_EVENT_BYTES", 4 * FLUSH_BYTES)
    observer = StreamObserver()
    for _ in range(1000):
        if observer.feed(b"data: {" + b"x" * 1000 + b"\n"):
            observer.flush()
        assert _held_bytes(observer) <= 6 * FLUSH_BYTES
    observer.feed(event(USAGE_CHUNK))
    observer.finish()
    assert observer.usage == Usage(input=10, output=4)


def _held_bytes(observer: StreamObserver) -> int:
    lists: list[list[bytes]] = [getattr(observer, name) for name in ("_pending", "_line", "_event_lines", "_unread")]
    return sum(len(part) for parts in lists for part in parts)


@given(st.lists(st.integers(0, 400)))
def test_a_line_too_long_is_left_out_however_it_is_cut(cuts: list[int]):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_observer, "MAX_EVENT_BYTES", 120)
        wire = event(chunk("a")) + event(chunk("b" * 100)) + event(chunk("cc"))
        assert watch(cut(wire, cuts), flush_each=True).text_bytes == 3


def test_events_that_no_empty_line_parts_are_read_around_garbage():
    wire = b'data: {"broken":\n' + b"".join(event(value)[:-1] for value in (chunk("ab"), USAGE_CHUNK))
    seen = watch([wire])
    assert (seen.usage, seen.text_bytes) == (Usage(input=10, output=4), 2)


def test_the_last_line_counts_without_an_end():
    assert watch([event(USAGE_CHUNK).rstrip()]).usage == Usage(input=10, output=4)


def test_the_last_usage_counts_and_null_does_not_undo_it():
    early: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 1}}
    assert watch([event(early), event(USAGE_CHUNK), event(chunk("x", usage=None))]).usage == Usage(input=10, output=4)


@pytest.mark.parametrize(
    ("delta", "seen"),
    [
        ({"role": "assistant"}, False),
        ({"role": "assistant", "content": "", "refusal": None}, False),
        ({"content": "x"}, True),
        ({"reasoning_content": "x"}, True),
        ({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]}, True),
        ({"audio": {"id": "a"}}, False),
        ({"audio": {"data": "AAAA"}}, True),
        ({"images": [{"type": "image_url", "image_url": {"url": "data:"}}]}, True),
    ],
)
def test_a_first_token_is_something_that_was_generated(delta: dict[str, Any], seen: bool):
    assert watch([event({"choices": [{"delta": delta}]})]).tokens_seen is seen


def test_an_error_event_is_kept():
    assert watch([event(chunk("x")), event({"error": {"code": 529}})]).error == {"code": 529}
    assert watch([event(chunk("x")), event({"error": None})]).error is None


@pytest.mark.parametrize("start", [b"", b": OPENROUTER PROCESSING\n\n"])
def test_a_stream_wrapped_in_base64_is_unwrapped_to_be_observed_and_passes_as_it_is(start: bytes):
    wire = base64.b64encode(start + event(chunk("Hi")) + event(USAGE_CHUNK)) + b"\n\n"
    seen = watch([wire[:50], wire[50:]])
    assert (seen.usage, seen.text_bytes, seen.filtered) == (Usage(input=10, output=4), 2, wire)


def test_feed_asks_for_a_flush_when_enough_has_come():
    observer = StreamObserver()
    assert not observer.feed(b"x" * (FLUSH_BYTES - 1))
    assert observer.feed(b"x")
    observer.flush()
    assert not observer.feed(b"x")


DELTAS: list[tuple[dict[str, Any], int]] = [
    ({"content": "plain"}, 5),
    ({"role": "assistant", "content": "模型", "tool_calls": None}, 6),
    ({"content": 'a "usage": {} \n\n data: [DONE]'}, 29),
    ({"content": None, "reasoning_content": "why"}, 3),
    ({"reasoning": "so", "content": "x"}, 3),
    ({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]}, 3),
    ({"content": [{"type": "text", "text": "part"}]}, 4),
    ({}, 0),
]


@pytest.mark.parametrize(
    "odd", [b"", b": comment\n\n", b"event: x\r\ndata: {}\r\n\r\n", b'data: {"a":\ndata: 1}\n\n', b"\n"]
)
@pytest.mark.parametrize("fields", [{}, {"usage": None}])
def test_text_is_counted_in_full_where_no_usage_comes(odd: bytes, fields: dict[str, Any]):
    events = [event({"choices": [{"index": 0, "delta": delta}], **fields}) for delta, _ in DELTAS]
    times = 4 * FLUSH_BYTES // sum(map(len, events))
    wire = (b"".join(events) + odd) * times
    expected = times * sum(size for _, size in DELTAS)
    for size in (1000, FLUSH_BYTES + 7, len(wire)):
        blocks = [wire[start : start + size] for start in range(0, len(wire), size)]
        assert watch(blocks).text_bytes == expected
        assert watch([*blocks, event(USAGE_CHUNK)]).usage == Usage(input=10, output=4)
        assert watch([*blocks, event({"error": {"code": 1}})]).error == {"code": 1}


def test_usage_behind_text_that_waits_is_found_whatever_comes_after_it():
    wire = event(chunk("x")) * 400 + event(chunk("y", usage=USAGE)) + event(chunk("z")) * 400
    for size in (500, len(wire)):
        seen = watch([wire[start : start + size] for start in range(0, len(wire), size)])
        assert (seen.usage, seen.text_bytes) == (Usage(input=10, output=4), 801)


def test_memory_is_bounded_for_text_that_waits():
    observer = StreamObserver()
    block = event(chunk("word"))
    count = 4 * KEPT_BYTES // len(block)
    for _ in range(count):
        if observer.feed(block):
            observer.flush()
        assert _held_bytes(observer) <= KEPT_BYTES + FLUSH_BYTES + len(block)
    observer.finish()
    assert observer.text_bytes == 4 * count


@pytest.mark.parametrize("early", [{}, {"usage": None}, {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}])
@pytest.mark.parametrize(
    "behind", [b"data: [DONE]\n\n", b"", b'data: {"usage":\ndata: null}\n\n', event({"usage": None})]
)
def test_the_last_usage_is_found_behind_text_that_nobody_read(early: dict[str, Any], behind: bytes):
    observer = StreamObserver()
    for block in [*[event(chunk("x", **early))] * 300, event(USAGE_CHUNK), behind]:
        observer.feed(block)
        observer.flush()
    for _ in range(2):
        observer.finish()
        assert observer.usage == Usage(input=10, output=4)
    assert observer.text_bytes == 300
    assert observer.usage == Usage(input=10, output=4)
