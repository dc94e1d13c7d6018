"""Recorded calls of Cohere's chat through its codec, and recorded calls of OpenAI's written for Cohere."""

import base64
import random
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from anygate.canonical.blocks import Text, Thinking, ToolCall
from anygate.canonical.chat_events import ChatEvent, Finished
from anygate.canonical.errors import UnsupportedContent
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Edits, Encoded, Source, Target
from anygate.protocols.cohere_chat.protocol import CODEC
from anygate.protocols.fold import fold
from anygate.protocols.registry import chat_codecs
from tests.specs.documents import SHARED, problems, shared_file

SPEC = "specs/cohere/cohere-openapi.yaml"
FILES = sorted((SHARED / "recordings/cohere/chat-native").glob("*.json"))
FOREIGN = sorted((SHARED / "recordings/openai/chat").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    return orjson.loads(path.read_bytes())


def is_v2(record: dict[str, Any]) -> bool:
    """Not the first version of the API, which is another protocol."""
    return record["endpoint"] in ("POST /v2/chat", "POST (not recorded)")


RECORDS = [(path.stem, record) for path in FILES if is_v2(record := load(path))]
ANSWERED = [(name, record) for name, record in RECORDS if record["response"]["status"] == 200]
REFUSED = [(name, record) for name, record in RECORDS if record["response"]["status"] != 200]
ASKED = [(name, record) for name, record in RECORDS if record["request"]]


def body_of(record: dict[str, Any]) -> tuple[bytes, bool]:
    """The answer's bytes, and whether it is a stream."""
    response = record["response"]
    if "json" in response:
        return orjson.dumps(response["json"]), False
    if "chunks" in response:
        return b"".join(b"data: %b\n\n" % orjson.dumps(chunk) for chunk in response["chunks"]), True
    if "sse" in response:
        return "\n".join(response["sse"]).encode(), True
    return response["text"].encode(), False


def plain(record: dict[str, Any]) -> tuple[bytes, bool]:
    """As `body_of`, without the base64 in which some were recorded."""
    body, stream = body_of(record)
    if not body.startswith((b"{", b"event:", b"data:")):
        body = base64.b64decode(body)
    return body, stream


def events_of(body: bytes, stream: bool, cuts: random.Random | None = None) -> list[ChatEvent]:
    assert CODEC.decode_answer is not None
    assert CODEC.stream_decoder is not None
    if not stream:
        return CODEC.decode_answer(body, Source())
    places = sorted(cuts.randrange(len(body) + 1) for _ in range(20)) if cuts else []
    edges = [0, *places, len(body)]
    decoder = CODEC.stream_decoder(Source())
    found = [event for start, end in pairwise(edges) for event in decoder.feed(body[start:end])]
    return found + decoder.finish()


def payloads(body: bytes, stream: bool) -> list[dict[str, Any]]:
    if not stream:
        return [orjson.loads(body)]
    lines = [line[5:].strip() for line in body.splitlines() if line.startswith(b"data:")]
    return [orjson.loads(line) for line in lines if line != b"[DONE]"]


def billed_of(record: dict[str, Any]) -> Usage:
    """The billed tokens, found in the bytes by other means than the codec's."""
    last = payloads(*plain(record))[-1]
    usage = last.get("usage") or last["delta"]["usage"]
    reasoning = int(usage["tokens"].get("reasoning_tokens", 0))
    billed = usage["billed_units"]
    return Usage(input=int(billed["input_tokens"]), output=int(billed["output_tokens"]), reasoning=reasoning)


def listed(value: Any) -> list[dict[str, Any]]:
    """A list as it is; one object alone, as events hold it, in a list."""
    return value if isinstance(value, list) else [value] if value else []  # pyright: ignore[reportUnknownVariableType] -- JSON


def text_of(record: dict[str, Any]) -> dict[str, str]:
    """What was written, by kind, found in the bytes by other means than the codec's."""
    found = {"text": "", "thinking": "", "arguments": ""}
    for payload in payloads(*plain(record)):
        message: dict[str, Any] = payload.get("message") or payload.get("delta", {}).get("message") or {}
        for part in listed(message.get("content")):
            found["text"] += part.get("text") or ""
            found["thinking"] += part.get("thinking") or ""
        found["text"] += message.get("tool_plan") or ""
        for call in listed(message.get("tool_calls")):
            found["arguments"] += call["function"].get("arguments") or ""
    return found


def test_the_recordings_are_there():
    shared_file("recordings/cohere")
    assert len(ANSWERED) > 30
    assert REFUSED
    assert sum(body_of(record)[1] for _, record in ANSWERED) > 5


@pytest.mark.parametrize(("name", "record"), ANSWERED, ids=[name for name, _ in ANSWERED])
def test_usage_is_what_is_billed_whether_observed_or_translated(name: str, record: dict[str, Any]):
    body, stream = body_of(record)
    billed = billed_of(record)
    if stream:
        observer = CODEC.observer()
        for start in range(0, len(body), 100):
            observer.feed(body[start : start + 100])
        observer.finish()
        assert observer.usage == billed
        assert observer.text_bytes > 0
        assert observer.tokens_seen
        assert observer.chunks_seen
        assert observer.error is None
    else:
        observed = CODEC.observe_answer(body)
        assert observed is not None
        assert observed.usage == billed
        if body.startswith(b"{"):
            assert CODEC.observe_tail(body[-600:]) == billed
    assert fold(events_of(body, stream)).usage == billed


@pytest.mark.parametrize(("name", "record"), ANSWERED, ids=[name for name, _ in ANSWERED])
def test_all_that_was_written_is_in_the_answer(name: str, record: dict[str, Any]):
    body, stream = body_of(record)
    answer = fold(events_of(body, stream))
    expected = text_of(record)
    blocks = answer.choices[0].blocks
    assert answer.id == payloads(*plain(record))[0]["id"]
    assert "".join(block.text for block in blocks if isinstance(block, Text)) == expected["text"]
    assert "".join(block.text for block in blocks if isinstance(block, Thinking)) == expected["thinking"]
    arguments = "".join(block.arguments for block in blocks if isinstance(block, ToolCall))
    assert arguments.replace("{}", "") == re.sub(r"\{\}|null", "", expected["arguments"])
    assert all(isinstance(orjson.loads(block.arguments), dict) for block in blocks if isinstance(block, ToolCall))
    called = any(isinstance(block, ToolCall) for block in blocks)
    assert (answer.choices[0].finish.reason == "tool_call") == called
    cited = b'"sources"' in plain(record)[0]
    assert any(isinstance(block, Text) and block.citations for block in blocks) == cited


STREAMS = [(name, record) for name, record in ANSWERED if body_of(record)[1]]


@pytest.mark.parametrize(("name", "record"), STREAMS, ids=[name for name, _ in STREAMS])
def test_any_slicing_gives_the_same_events_and_a_cut_is_told(name: str, record: dict[str, Any]):
    body, stream = plain(record)
    whole = events_of(body, stream)
    assert events_of(body, stream, random.Random(name)) == whole
    assert any(isinstance(event, Finished) for event in whole)
    cut = events_of(body[: body.index(b"message-end") - 10], stream)
    assert type(cut[-1]).__name__ == "Failed"


@pytest.mark.parametrize(("name", "record"), REFUSED, ids=[name for name, _ in REFUSED])
def test_a_refusal_is_read(name: str, record: dict[str, Any]):
    error = CODEC.decode_error(body_of(record)[0])
    assert error is not None
    assert error["message"]


@pytest.mark.parametrize(("name", "record"), ASKED, ids=[name for name, _ in ASKED])
def test_a_native_request_is_measured_and_travels_as_it_came(name: str, record: dict[str, Any]):
    raw = orjson.dumps(record["request"]["json"])
    request = CODEC.read(raw, {})
    asked = record["request"]["json"]
    assert (request.model, request.stream) == (asked["model"], asked["stream"])
    assert request.media.get("image", 0) == raw.count(b'"image_url":{')
    assert 0 < request.text_bytes <= len(raw)
    assert b"".join(CODEC.edit(request, Edits(request.model))) == raw
    edited = orjson.loads(b"".join(CODEC.edit(request, Edits("other", limit=7, limit_field="max_tokens"))))
    assert edited == {**asked, "model": "other", "max_tokens": 7}


def asked_of_openai() -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for path in FOREIGN:
        request: dict[str, Any] = load(path)["request"] or {}
        body: dict[str, Any] = request.get("json") or {}
        if body.get("messages"):
            found.append((path.stem, body))
    return found


FOREIGN_ASKED = asked_of_openai()
UNSUPPORTED = ('"input_audio"', '"file"', '"audio"', '"n":', '"web_search_options"', '"video_url"')
"""What in a request makes it one that Cohere cannot take."""


def written_for_cohere(body: dict[str, Any]) -> Encoded | UnsupportedContent:
    openai = chat_codecs()["openai.chat"]
    assert openai.decode_request is not None
    assert CODEC.encode_request is not None
    chat = openai.decode_request(openai.read(orjson.dumps(body), {}))
    try:
        return CODEC.encode_request(chat, Target("command-a-reasoning-08-2025", "cohere", limit=4_096))
    except UnsupportedContent as refused:
        return refused


@pytest.mark.parametrize(("name", "body"), FOREIGN_ASKED, ids=[name for name, _ in FOREIGN_ASKED])
def test_what_is_sent_for_a_client_of_openai_satisfies_coheres_own_document(name: str, body: dict[str, Any]):
    encoded = written_for_cohere(body)
    if isinstance(encoded, UnsupportedContent):
        assert encoded.param
        assert any(word in orjson.dumps(body).decode() for word in UNSUPPORTED), str(encoded)
        return
    document = encoded.document
    assert problems(SPEC, "ChatMessages", document["messages"]) == []
    for tool in document.get("tools", []):
        assert problems(SPEC, "ToolV2", tool) == []
    if "response_format" in document:
        assert problems(SPEC, "JsonResponseFormatV2", document["response_format"]) == []
    if "thinking" in document:
        assert problems(SPEC, "Thinking", document["thinking"]) == []
    assert all(warning.parameter and warning.reason.isascii() for warning in encoded.dropped)
    assert not any(set(",;") & set(warning.reason) for warning in encoded.dropped)
    assert orjson.loads(orjson.dumps(document)) == document
    assert document.get("tool_choice") in (None, "REQUIRED", "NONE")


def test_most_requests_of_openais_clients_can_be_served():
    shared_file("recordings/openai/chat")
    results = [written_for_cohere(body) for _, body in FOREIGN_ASKED]
    refused = [result for result in results if isinstance(result, UnsupportedContent)]
    assert len(results) > 80
    assert 0 < len(refused) < len(results) / 3
