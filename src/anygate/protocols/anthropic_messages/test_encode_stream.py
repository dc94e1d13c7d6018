"""Events of an answer -> the stream, or the whole message, for a client."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.specs.anthropic import event_problems, stream_events, validate_message

from anygate.canonical.blocks import (
    Citation,
    Media,
    NativeBlock,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    WebSearchCall,
)
from anygate.canonical.chat import Chat
from anygate.canonical.chat_events import (
    Answer,
    ArgumentsDelta,
    BlockEnded,
    BlockStarted,
    ChatEvent,
    Choice,
    Failed,
    Finished,
    MediaDelta,
    Started,
    StopReason,
    TextDelta,
    Used,
)
from anygate.canonical.usage import Usage
from anygate.protocols.anthropic_messages.decode_request import decode_request
from anygate.protocols.anthropic_messages.encode_answer import encode_answer
from anygate.protocols.anthropic_messages.encode_stream import StreamEncoder
from anygate.protocols.anthropic_messages.request import holds_foreign_history, read_request
from anygate.protocols.chat_codec import Reply
from anygate.protocols.fold import unfold
from anygate.protocols.signature_tag import tag

USED = Usage(input=10, cached_input=5, cache_write_1h=3, output=20, reasoning=4)


def reply(maker: str = "openai") -> Reply:
    return Reply("abc", "claude-x", 0, Chat("anthropic.messages", "claude-x", ()), maker, estimate=77)


def written(events: Sequence[ChatEvent], maker: str = "openai") -> bytes:
    encoder = StreamEncoder(reply(maker))
    return encoder.feed(events) + encoder.finish()


def checked(events: Sequence[ChatEvent], maker: str = "openai") -> list[dict[str, Any]]:
    found = list(stream_events(written(events, maker)))
    assert [event_problems(event) for event in found if event_problems(event)] == []
    return found


def answer(*blocks: Any, finish: Finished | None = None, usage: Usage | None = USED) -> Answer:
    return Answer("chatcmpl-1", "gpt", 0, (Choice(blocks, finish or Finished("end")),), usage)


def content_of(stream: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The content of a stream's message, put together as the documentation says."""
    content: list[dict[str, Any]] = []
    for sent in stream:
        kind: str = sent["type"]
        if kind == "content_block_start":
            content.append({**sent["content_block"], "input_json": ""})
        elif kind == "content_block_delta":
            _grow(content[-1], sent["delta"])
        elif kind == "content_block_stop":
            _close(content[-1])
    return content


def _close(block: dict[str, Any]) -> None:
    text = block.pop("input_json")
    if text:
        block["input"] = orjson.loads(text)


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            block["input_json"] += delta["partial_json"]
        case "citations_delta":
            block.setdefault("citations", []).append(delta["citation"])
        case other:
            raise AssertionError(other)


THEIRS = Signature("sig", "openai")
FOREIGN = answer(
    Thinking("Let me see.", THEIRS),
    Thinking("", Signature("secret", "openai"), redacted=True),
    Text("Paris.", (Citation("https://a.example", "A", "Paris is"), Citation(quote="no page"))),
    WebSearchCall("ws_1", "capital of France", "openai.responses", {}),
    Refusal("I will not."),
    Media("image", "image/png", data="AAAA"),
    NativeBlock("google.gemini", {"executableCode": {}}, "`1+1`"),
    NativeBlock("google.gemini", {"other": {}}),
    Text("", signature=Signature("late", "google")),
    ToolCall("call_1", "f", '{"a": 1}', signature=Signature("gsig", "google")),
    ToolCall("call_2", "patch", 'free "text"', custom=True),
    finish=Finished("tool_call"),
)


def test_an_answer_of_another_provider_is_written_alike_whole_and_as_a_stream():
    body = orjson.loads(encode_answer(FOREIGN, reply()))
    validate_message(body)
    assert body["stop_reason"] == "tool_use"
    stream = checked(unfold(FOREIGN))
    whole = body["content"]
    assert content_of(stream) == whole
    kinds = [block["type"] for block in whole]
    assert kinds == [
        "thinking",
        "redacted_thinking",
        "text",
        "server_tool_use",
        "web_search_tool_result",
        "text",
        "text",
        "text",
        "redacted_thinking",
        "redacted_thinking",
        "tool_use",
        "tool_use",
    ]
    assert whole[0]["signature"] == tag(THEIRS)
    assert whole[11]["input"] == {"input": 'free "text"'}
    assert stream[-2]["usage"]["input_tokens"] == 10
    assert body["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] == 3
    assert body["id"] == "msg_abc"


def test_what_was_shown_of_another_provider_comes_back_as_it_was():
    content = orjson.loads(encode_answer(FOREIGN, reply()))["content"]
    body = {"model": "m", "max_tokens": 1, "messages": [{"role": "assistant", "content": content}]}
    request = read_request(orjson.dumps(body))
    assert holds_foreign_history(request)
    blocks = decode_request(request).turns[0].blocks
    assert blocks[0] == Thinking("Let me see.", THEIRS)
    assert blocks[1] == Thinking("", Signature("secret", "openai"), redacted=True)
    assert ToolCall("call_1", "f", '{"a":1}', signature=Signature("gsig", "google")) in blocks
    assert Text("", signature=Signature("late", "google")) in blocks


def test_no_answer_ends_with_a_signature():
    ending = answer(Text("Done."), Text("", signature=Signature("late", "google")))
    assert [block["type"] for block in orjson.loads(encode_answer(ending, reply()))["content"]] == ["text"]
    assert [block["type"] for block in content_of(checked(unfold(ending)))] == ["text"]
    signed = answer(Text("Done.", signature=Signature("late", "google")))
    assert [block["type"] for block in content_of(checked(unfold(signed)))] == ["text"]


def test_calls_that_come_interleaved_are_written_one_after_another():
    events: list[ChatEvent] = [
        Started("", "gpt"),
        BlockStarted(0, "tool", id="a", name="f"),
        ArgumentsDelta(0, '{"x":'),
        BlockStarted(1, "tool", id="b", name="g"),
        ArgumentsDelta(1, '{"y"'),
        ArgumentsDelta(0, "1}"),
        BlockStarted(2, "text"),
        TextDelta(2, "hm"),
        ArgumentsDelta(1, ":2}"),
        BlockEnded(1),
        BlockEnded(0),
        TextDelta(2, "m"),
        Finished("tool_call"),
        Used(USED),
    ]
    assert content_of(checked(events)) == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {"y": 2}},
        {"type": "text", "text": "hmm"},
    ]


@given(st.permutations([0, 1, 2, 0, 1, 2, 0, 1, 2]))
def test_no_order_of_pieces_loses_any(order: list[int]):
    pieces = [["{", '"a":', "1}"] for _ in range(3)]
    starts: list[ChatEvent] = [BlockStarted(number, "tool", id=f"c{number}", name="f") for number in range(3)]
    events = [*starts, *(ArgumentsDelta(number, pieces[number].pop(0)) for number in order)]
    ends: list[ChatEvent] = [*(BlockEnded(number) for number in range(3)), Finished("tool_call")]
    assert [block["input"] for block in content_of(checked([Started(), *events, *ends]))] == [{"a": 1}] * 3


def test_a_stream_opens_with_the_estimate_and_ends_with_the_truth():
    stream = checked([Started("msg_9", ""), Finished("end"), Used(USED)])
    assert stream[0]["message"]["usage"]["input_tokens"] == 77
    assert (stream[0]["message"]["id"], stream[0]["message"]["model"]) == ("msg_9", "claude-x")
    assert stream[-2]["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 5,
        "output_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 4},
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 3},
    }


def test_the_end_is_written_as_soon_as_reason_and_usage_are_known():
    encoder = StreamEncoder(reply())
    encoder.feed([Started()])
    assert encoder.feed([Finished("end")]) == b""
    assert encoder.feed([Used(USED)]).endswith(b'data: {"type":"message_stop"}\n\n')
    assert encoder.finish() == b""
    assert encoder.feed([TextDelta(0, "late")]) == b""


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("end", "end_turn"),
        ("stop_sequence", "stop_sequence"),
        ("length", "max_tokens"),
        ("window", "model_context_window_exceeded"),
        ("tool_call", "tool_use"),
        ("filtered", "refusal"),
        ("refusal", "refusal"),
        ("paused", "pause_turn"),
        ("other", "end_turn"),
    ],
)
def test_every_reason_to_stop_has_a_word(reason: StopReason, word: str):
    body = orjson.loads(encode_answer(answer(Text("x"), finish=Finished(reason, stop_sequence="S")), reply()))
    assert (body["stop_reason"], body["stop_sequence"]) == (word, "S")


def test_calls_are_a_reason_to_stop_whatever_the_upstream_said():
    assert orjson.loads(encode_answer(answer(ToolCall("c", "f", "")), reply()))["stop_reason"] == "tool_use"
    stream = checked([Started(), BlockStarted(0, "tool", id="c", name="f"), Finished("end")])
    assert stream[-2]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("detail", "details"),
    [
        ("cyber", {"type": "refusal", "category": "cyber", "explanation": None}),
        ("Not this.", {"type": "refusal", "category": None, "explanation": "Not this."}),
        ("", None),
    ],
)
def test_a_refusal_says_why(detail: str, details: dict[str, Any] | None):
    stream = checked([Started(), Finished("refusal", detail=detail), Used(USED)])
    assert stream[-2]["delta"]["stop_details"] == details


def test_a_failure_ends_the_stream_with_an_error_event():
    encoder = StreamEncoder(reply())
    wire = encoder.feed(
        [Started(), BlockStarted(0, "text"), TextDelta(0, "x"), Failed("gone", "overloaded_error", 529)]
    )
    assert orjson.loads(wire.split(b"data: ")[-1])["error"] == {"type": "overloaded_error", "message": "gone"}
    assert (encoder.feed([TextDelta(0, "y"), Finished("end")]), encoder.finish()) == (b"", b"")


def test_thinking_without_a_proof_is_signed_with_nothing():
    stream = checked(unfold(answer(Thinking("hm"))))
    assert [event["delta"] for event in stream if event["type"] == "content_block_delta"] == [
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": ""},
    ]


def test_a_signature_in_its_makers_own_protocol_stays_raw():
    stream = checked(unfold(answer(Thinking("hm", Signature("Eq+/=", "anthropic")))), "anthropic")
    assert content_of(stream) == [{"type": "thinking", "thinking": "hm", "signature": "Eq+/="}]


def test_sound_is_shown_by_its_words():
    events: list[ChatEvent] = [
        Started(),
        BlockStarted(0, "media"),
        MediaDelta(0, Media("audio", data="AA", transcript="Hel")),
        MediaDelta(0, Media("audio", transcript="lo")),
        BlockEnded(0),
        Finished("end"),
    ]
    assert content_of(checked(events)) == [{"type": "text", "text": "Hello"}]


def test_of_several_choices_the_first_is_written():
    events: list[ChatEvent] = [Started()]
    for choice in (0, 1):
        events += [BlockStarted(0, "text", choice), TextDelta(0, str(choice), choice), BlockEnded(0, choice)]
        events.append(Finished("end", choice))
    assert content_of(checked(events)) == [{"type": "text", "text": "0"}]
