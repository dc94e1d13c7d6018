"""Anthropic's real traffic through the codec: nothing of a request or an answer is lost on the way and back."""

import base64
import random
from itertools import pairwise
from typing import Any, cast

import orjson
import pytest

from anygate.canonical.blocks import Text, ToolCall, WebSearchCall
from anygate.canonical.chat_events import ChatEvent, Failed, Started, Used
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.anthropic_messages.codec import CODEC
from anygate.protocols.anthropic_messages.decode_answer import decode_answer
from anygate.protocols.anthropic_messages.decode_request import decode_request
from anygate.protocols.anthropic_messages.decode_stream import StreamDecoder
from anygate.protocols.anthropic_messages.encode_answer import encode_answer
from anygate.protocols.anthropic_messages.encode_request import encode_request
from anygate.protocols.anthropic_messages.encode_stream import StreamEncoder
from anygate.protocols.anthropic_messages.request import holds_foreign_history, read_request
from anygate.protocols.chat_codec import Reply, Source, Target
from anygate.protocols.fold import fold
from tests.recorded.recordings import FOLDER
from tests.specs.anthropic import event_problems, message_problems, request_problems, stream_events
from tests.specs.documents import shared_file

ANTHROPIC = Source("anthropic")


def records(api: str) -> list[dict[str, Any]]:
    return [orjson.loads(path.read_bytes()) for path in sorted((FOLDER / "anthropic" / api).glob("*.json"))]


def identity(record: dict[str, Any]) -> str:
    return record["id"]


CALLS = records("messages")
REQUESTS = [record for record in CALLS if record["request"] and "json" in record["request"]]
PLAIN = [record for record in CALLS if "json" in record["response"] and record["response"]["status"] == 200]
STREAMS = [record for record in CALLS if "sse" in record["response"] or "chunks" in record["response"]]


def streams_of(record: dict[str, Any]) -> list[bytes]:
    """A recording's streams: where the framing was lost, several calls can stand in one; one that was cut off is left out."""
    response = record["response"]
    if "sse" in response:
        return ["\n".join(response["sse"]).encode() + b"\n\n"]
    calls: list[list[dict[str, Any]]] = []
    for event in response["chunks"]:
        if event["type"] == "message_start":
            calls.append([])
        calls[-1].append(event)
    return [
        b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), orjson.dumps(e)) for e in events)
        for events in calls
        if events[-1]["type"] == "message_stop"
    ]


SERVED_STREAMS = [
    pytest.param(stream, id=f"{record['id']}-{number}")
    for record in STREAMS
    if record["response"]["status"] == 200
    for number, stream in enumerate(streams_of(record))
]


def test_the_recordings_are_there():
    shared_file("recordings")
    assert len(REQUESTS) > 150
    assert len(PLAIN) > 100
    assert len(SERVED_STREAMS) > 60


# Requests


def normal_form(body: dict[str, Any]) -> dict[str, Any]:
    """One spelling for requests that mean the same."""
    body = {name: value for name, value in body.items() if value is not None}
    body["messages"] = [{**message, "content": _content(message["content"])} for message in body["messages"]]
    if "system" in body:
        body["system"] = _content(body["system"])
    if "tools" in body:
        body["tools"] = [_tool(tool) for tool in body["tools"]]
    for name in ("tools", "system"):
        if body.get(name) == []:
            del body[name]
    if "output_format" in body:  # the older name
        body["output_config"] = {**body.get("output_config", {}), "format": body.pop("output_format")}
    if body.get("stream") is False:
        del body["stream"]
    return body


def _content(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [_block(block) for block in content]


def _block(block: dict[str, Any]) -> dict[str, Any]:
    block = _without_nulls(block)
    if block["type"] == "tool_result":
        content = _content(block.pop("content", ""))
        block |= {"content": content} if content else {}
        if block.get("is_error") is False:
            del block["is_error"]
    if block.get("caller") == {"type": "direct"} and block["type"] == "tool_use":
        del block["caller"]
    if "source" in block and isinstance(block["source"], dict):
        block["source"] = _without_nulls(cast("dict[str, Any]", block["source"]))
    return block


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    tool = _without_nulls(tool)
    if tool.get("description") == "":
        del tool["description"]
    return tool


def _without_nulls(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def upstream_form(record: dict[str, Any]) -> dict[str, Any]:
    request = read_request(orjson.dumps(record["request"]["json"]))
    encoded = encode_request(decode_request(request), Target(request.model, "anthropic"))
    assert encoded.names == {}
    assert [entry for entry in encoded.dropped if entry.parameter != "thinking"] == []
    return encoded.document


@pytest.mark.parametrize("record", REQUESTS, ids=identity)
def test_a_request_decoded_and_encoded_is_the_request(record: dict[str, Any]):
    sent = upstream_form(record)
    assert normal_form(orjson.loads(orjson.dumps(sent))) == normal_form(record["request"]["json"])


@pytest.mark.parametrize("record", REQUESTS, ids=identity)
def test_no_recorded_request_is_taken_for_one_with_foreign_history(record: dict[str, Any]):
    assert not holds_foreign_history(read_request(orjson.dumps(record["request"]["json"])))


@pytest.mark.parametrize("record", records("count_tokens"), ids=identity)
def test_counted_input_is_within_what_a_hold_assumes(record: dict[str, Any]):
    """Half a token for each byte of text, and a figure for each part of media, is the bound that a hold pays for."""
    request = read_request(orjson.dumps(record["request"]["json"]))
    answer = record["response"]["json"]
    assert answer["input_tokens"] <= (request.text_bytes + 1) // 2 + 2000 * sum(request.media.values())
    observed = CODEC.observe_answer(orjson.dumps(answer))
    assert observed is not None
    assert observed.usage is None


# Answers


@pytest.mark.parametrize("record", [record for record in CALLS if "text" in record["response"]], ids=identity)
def test_an_answer_wrapped_in_base64_is_read_unless_its_end_is_lost(record: dict[str, Any]):
    body = record["response"]["text"].encode()
    observed = CODEC.observe_answer(body)
    assert observed is not None
    try:
        given = orjson.loads(base64.b64decode(body))
    except orjson.JSONDecodeError:
        with pytest.raises(ProtocolViolation):
            decode_answer(body, ANTHROPIC)
    else:
        assert observed.usage == expected_usage(given["usage"])
        assert decode_answer(body, ANTHROPIC) == decode_answer(orjson.dumps(given), ANTHROPIC)


@pytest.mark.parametrize("record", [r for r in CALLS if r["response"]["status"] != 200], ids=identity)
def test_a_refusal_is_read(record: dict[str, Any]):
    response = record["response"]
    body = orjson.dumps(response["json"]) if "json" in response else "\n".join(response["sse"]).encode()
    error = CODEC.decode_error(body)
    assert error is not None
    assert error["message"]
    assert error["code"] == error["type"]
    assert decode_answer(body, ANTHROPIC) == [Failed(error["message"], error["type"], response["status"])]


def expected_usage(usage: dict[str, Any]) -> Usage:
    """By the rules in plain words: the input beside the cached tokens; the thinking inside the output."""
    parts: dict[str, int] = usage.get("cache_creation") or {}
    details: dict[str, int] = usage.get("output_tokens_details") or {}
    hour = parts.get("ephemeral_1h_input_tokens") or 0
    tools: dict[str, int] = usage.get("server_tool_use") or {}
    return Usage(
        input=usage["input_tokens"],
        cached_input=usage.get("cache_read_input_tokens") or 0,
        cache_write_5m=(usage.get("cache_creation_input_tokens") or 0) - hour,
        cache_write_1h=hour,
        output=usage["output_tokens"],
        reasoning=details.get("thinking_tokens") or 0,
        searches=tools.get("web_search_requests") or 0,
    )


@pytest.mark.parametrize("record", PLAIN, ids=identity)
def test_a_plain_answer_is_metered_as_it_reports(record: dict[str, Any]):
    observed = CODEC.observe_answer(orjson.dumps(record["response"]["json"]))
    assert observed is not None
    assert observed.usage == expected_usage(record["response"]["json"]["usage"])


@pytest.mark.parametrize("record", PLAIN, ids=identity)
def test_a_plain_answer_decoded_and_encoded_is_the_answer(record: dict[str, Any]):
    given = record["response"]["json"]
    events = decode_answer(orjson.dumps(given), ANTHROPIC)
    answer = fold(events)
    assert answer.usage == expected_usage(given["usage"])
    body = encode_answer(answer, reply_to(given["model"]))
    again = orjson.loads(body)
    assert [_block(block) for block in again["content"]] == [_block(block) for block in given["content"]]
    for name in ("id", "model", "stop_reason", "stop_sequence"):
        assert again[name] == given.get(name), name
    assert fold(decode_answer(body, ANTHROPIC)) == answer


@pytest.mark.parametrize("stream", SERVED_STREAMS)
def test_a_stream_is_metered_as_it_reports(stream: bytes):
    observer = CODEC.observer()
    observer.feed(stream)
    observer.finish()
    assert observer.usage == reported_by(stream)
    assert observer.tokens_seen == bool(fold(decoded(stream)).choices[0].blocks)
    assert observer.error is None


def reported_by(stream: bytes) -> Usage:
    usage: dict[str, Any] = {}
    for event in data_of(stream):
        found: dict[str, Any] = event.get("message", event).get("usage") or {}
        usage |= {name: value for name, value in found.items() if value is not None}
    return expected_usage(usage)


def data_of(stream: bytes) -> list[dict[str, Any]]:
    if not stream.startswith(b"event:"):
        stream = base64.b64decode(stream)
    return [orjson.loads(line[5:]) for line in stream.splitlines() if line.startswith(b"data:")]


@pytest.mark.parametrize("stream", SERVED_STREAMS)
def test_a_stream_gives_the_same_events_however_it_is_cut(stream: bytes):
    events = decoded(stream)
    assert not [event for event in events if isinstance(event, Failed)]
    chosen = random.Random(len(stream))
    places = sorted(chosen.randrange(len(stream) + 1) for _ in range(chosen.randrange(40)))
    decoder = StreamDecoder(ANTHROPIC)
    again = [e for start, end in pairwise([0, *places, len(stream)]) for e in decoder.feed(stream[start:end])]
    assert again + decoder.finish() == events
    assert fold(events).usage == reported_by(stream)


@pytest.mark.parametrize("stream", SERVED_STREAMS)
def test_a_stream_decoded_and_encoded_is_the_same_answer_and_as_valid_as_it_was(stream: bytes):
    events = decoded(stream)
    wire = encoded(events)
    assert fold(decoded(wire)) == fold(events)
    assert encoded_at_once(events) == wire
    written = list(stream_events(wire))
    if not any(event_problems(event) for event in data_of(stream)):
        assert not [event_problems(event) for event in written if event_problems(event)]


@pytest.mark.parametrize("stream", SERVED_STREAMS)
def test_the_stream_of_a_whole_answer_folds_to_it(stream: bytes):
    answer = fold(decoded(stream))
    whole = fold(decode_answer(encode_answer(answer, reply_to(answer.model)), ANTHROPIC))
    assert comparable(whole.choices[0].blocks) == comparable(answer.choices[0].blocks)
    assert (whole.choices[0].finish, whole.usage) == (answer.choices[0].finish, answer.usage)


@pytest.mark.parametrize("record", PLAIN, ids=identity)
def test_a_written_answer_is_as_valid_as_the_recorded_one(record: dict[str, Any]):
    given = record["response"]["json"]
    if message_problems(given):
        return  # the document is older than some of its blocks
    answer = fold(decode_answer(orjson.dumps(given), ANTHROPIC))
    assert message_problems(orjson.loads(encode_answer(answer, reply_to("claude")))) == []


@pytest.mark.parametrize("record", REQUESTS, ids=identity)
def test_a_written_request_is_as_valid_as_the_recorded_one(record: dict[str, Any]):
    given = record["request"]["json"]
    if not request_problems(given):
        assert request_problems(orjson.loads(orjson.dumps(upstream_form(record)))) == []


def encoded_at_once(events: list[ChatEvent]) -> bytes:
    encoder = StreamEncoder(reply_to("claude"))
    return encoder.feed(events) + encoder.finish()


def comparable(blocks: Any) -> list[Any]:
    """A call's arguments are the same JSON, though not the same letters."""
    return [
        (block.id, block.name, orjson.loads(block.arguments)) if isinstance(block, ToolCall) else block
        for block in blocks
    ]


def decoded(data: bytes) -> list[ChatEvent]:
    decoder = StreamDecoder(ANTHROPIC)
    return decoder.feed(data) + decoder.finish()


def encoded(events: list[ChatEvent]) -> bytes:
    encoder = StreamEncoder(reply_to("claude"))
    return b"".join(encoder.feed([event]) for event in events) + encoder.finish()


def reply_to(model: str) -> Reply:
    request = read_request(orjson.dumps({"model": model, "messages": []}))
    return Reply("abc123", model, 0, decode_request(request), "anthropic")


def test_the_recordings_hold_what_the_tests_are_for():
    answers = [fold(decode_answer(orjson.dumps(record["response"]["json"]), ANTHROPIC)) for record in PLAIN]
    blocks = [block for answer in answers for block in answer.choices[0].blocks]
    assert any(isinstance(block, WebSearchCall) and len(block.raw["blocks"]) == 2 for block in blocks)
    assert any(isinstance(block, Text) and block.citations for block in blocks)
    events = [event for stream in SERVED_STREAMS for event in decoded(cast("bytes", stream.values[0]))]
    assert {type(event) for event in events} >= {Started, Used}
