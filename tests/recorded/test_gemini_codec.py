"""Gemini's real traffic through the codec: nothing of a request or an answer is lost on the way and back."""

import base64
import random
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, cast

import msgspec
import orjson
import pytest

from anygate.canonical.blocks import ToolCall
from anygate.canonical.chat import Chat, Reasoning
from anygate.canonical.chat_events import Answer, ChatEvent, Cited, Failed, NativeItem, Signed, Started
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Edits, Reply, Source, Target
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.fold import fold
from anygate.protocols.google_gemini.codec import CODEC
from anygate.protocols.google_gemini.decode_answer import AnswerStreamDecoder, decode_answer
from anygate.protocols.google_gemini.decode_request import decode_request
from anygate.protocols.google_gemini.encode_answer import encode_answer
from anygate.protocols.google_gemini.encode_request import encode_request
from anygate.protocols.google_gemini.encode_stream import AnswerStreamEncoder
from anygate.protocols.google_gemini.finish import BAD_CALLS
from anygate.protocols.google_gemini.request import edit_request, read_request
from anygate.protocols.google_gemini.wire import camel
from tests.recorded.expected_native import queries_of
from tests.recorded.recordings import FOLDER
from tests.specs.documents import shared_file
from tests.specs.gemini import validate_gemini

GOOGLE = Source("google")
Body = dict[str, Any]


def records() -> list[Body]:
    paths = (path for company in ("gemini", "vertex") for path in (FOLDER / company / "generateContent").glob("*.json"))
    return [orjson.loads(path.read_bytes()) for path in sorted(paths)]


def identity(record: Body) -> str:
    return f"{record['provider']}-{record['id']}"


CALLS = records()
REQUESTS = [record for record in CALLS if record["request"] and "json" in record["request"]]
SERVED = [record for record in CALLS if record["response"]["status"] == 200]
CUT_OFF = "48ffed559d10"
"""Its text ends in the middle, at the source already."""
PLAIN = [
    record
    for record in SERVED
    if record["id"] != CUT_OFF
    and not ({"sse", "chunks"} & record["response"].keys())
    and "stream" not in record["endpoint"]
    and "totalTokens" not in (record["response"].get("json") or ())  # one countTokens answer lies among them
]
STREAMS = [record for record in SERVED if {"sse", "chunks"} & record["response"].keys()]
ARRAYS = [record for record in SERVED if isinstance(record["response"].get("json"), list)]


def body_of(record: Body) -> bytes:
    response = record["response"]
    if "sse" in response:
        return "\n".join(response["sse"]).encode() + b"\n\n"
    if "chunks" in response:
        return b"".join(b"data: " + orjson.dumps(chunk) + b"\r\n\r\n" for chunk in response["chunks"])
    return orjson.dumps(response["json"]) if "json" in response else response["text"].encode()


def frames_of(record: Body) -> list[Body]:
    """The frames of an answer, read apart from the product."""
    data = body_of(record)
    if data.startswith((b"ZGF0", b"ewog")):  # handed on in base64
        data = base64.b64decode(data)
    if data.lstrip().startswith((b"{", b"[")):
        found = orjson.loads(data)
        return cast("list[Body]", found) if isinstance(found, list) else [found]
    return [orjson.loads(line[5:]) for line in data.splitlines() if line.startswith(b"data:")]


def read(record: Body) -> ChatRequest:
    path, _, query = record["endpoint"].partition("?")
    model, _, method = path.rpartition("/")[2].partition(":")
    alt = "sse" if "alt=sse" in query else ""
    return read_request(orjson.dumps(record["request"]["json"]), {"model": model, "method": method, "alt": alt})


def test_the_recordings_are_there():
    shared_file("recordings")
    assert len(REQUESTS) > 200
    assert len(PLAIN) > 150
    assert len(STREAMS) > 50
    assert ARRAYS


# Requests

FREE = ("args", "response", "labels", "partMetadata")
SCHEMAS = ("parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema")


def normal_form(value: Any, name: str = "") -> Any:  # noqa: C901 - one case for each spelling
    """One spelling for requests that mean the same: names in camelCase, JSON Schema's words, nothing that says nothing."""
    if isinstance(value, list):
        return [normal_form(item, name) for item in cast("list[Any]", value)]
    if not isinstance(value, dict) or name in FREE:
        return cast("Any", value)
    value = cast("Body", value)
    made: Body = {camel(key): normal_form(item, camel(key)) for key, item in value.items() if item is not None}
    for key in SCHEMAS:
        if key in made:
            made["schema"] = schema_form({camel(k): v for k, v in value.items()}[key])
            del made[key]
    if name == "contents":
        made.setdefault("role", "user")
        made["role"] = {"function": "user"}.get(made["role"], made["role"])
        made["parts"] = [part for part in made.get("parts", ()) if part]
    if name == "systemInstruction":
        made.pop("role", None)
    if "mimeType" in made and "data" in made:
        made["data"] = made["data"].replace("-", "+").replace("_", "/")
    if name == "functionCall":
        made.setdefault("args", {})
    if "thoughtSignature" in made and len(made) == 1:
        made["text"] = ""
    if "thinkingLevel" in made:
        made["thinkingLevel"] = made["thinkingLevel"].upper()
    if name == "generationConfig" and "schema" in made:
        made["responseMimeType"] = "application/json"
    for key, default in (("responseMimeType", "text/plain"), ("description", "")):
        if made.get(key) == default:
            del made[key]
    if "mode" in made:
        made["mode"] = made["mode"].upper()
    return made


def schema_form(schema: Any) -> Any:
    """Types in lower case; a nullable type is a list; the order of properties is theirs."""
    if isinstance(schema, list):
        return [schema_form(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    schema = cast("Body", schema)
    made: Body = {
        camel(key): schema_form(value) if key != "properties" else {k: schema_form(v) for k, v in value.items()}
        for key, value in schema.items()
    }
    if isinstance(made.get("type"), int):
        made["type"] = {1: "string", 6: "object"}[made["type"]]
    if isinstance(made.get("type"), str):
        made["type"] = made["type"].lower()
    if made.pop("nullable", False) is True and "type" in made:
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    made.pop("propertyOrdering", None)
    return made


def joined(contents: Iterable[Body]) -> list[Body]:
    """Neighbouring contents of the model are one turn."""
    made: list[Body] = []
    for content in contents:
        if made and content.get("role") == made[-1].get("role") == "model":
            made[-1] = {**made[-1], "parts": [*made[-1]["parts"], *content["parts"]]}
        else:
            made.append(content)
    return made


def request_form(body: Body) -> Body:
    made = normal_form(body)
    made.pop("model", None)  # the path names it
    declared = [d for tool in made.get("tools", ()) for d in tool.get("functionDeclarations", ())]
    others = [{k: v} for tool in made.get("tools", ()) for k, v in tool.items() if k != "functionDeclarations"]
    made["tools"] = [declared, others]
    made["contents"] = joined(made.get("contents", ()))
    for name in ("generationConfig", "toolConfig", "systemInstruction"):
        if not made.get(name) or made[name] == {"parts": []}:
            made.pop(name, None)
    return made


@pytest.mark.parametrize("record", REQUESTS, ids=identity)
def test_a_request_decoded_and_encoded_is_the_request(record: Body):
    request = read(record)
    chat = decode_request(request)
    encoded = encode_request(chat, Target(request.model, "google", limit=chat.output_limit))
    assert (encoded.dropped, encoded.names, encoded.stop) == ((), {}, ())
    sent = orjson.loads(orjson.dumps(encoded.document))
    assert request_form(sent) == request_form(record["request"]["json"])


@pytest.mark.parametrize("record", REQUESTS, ids=identity)
def test_a_limit_is_put_into_the_bytes_and_nothing_else_changes(record: Body):
    request = read(record)
    edited = b"".join(edit_request(request, Edits("another", limit=77)))
    expected = normal_form(record["request"]["json"])
    expected.setdefault("generationConfig", {})["maxOutputTokens"] = 77
    assert normal_form(orjson.loads(edited)) == expected


# Answers


def expected_usage(frames: Iterable[Body]) -> Usage | None:
    """By the rules in plain words: the prompt holds what was cached; thoughts stand beside the candidates' tokens."""
    found: Body | None = None
    queries: set[str] = set()
    old = False
    for frame in frames:
        queries |= queries_of(frame)
        old = frame.get("modelVersion", "").startswith(("gemini-1", "gemini-2"))
        usage: Body = frame.get("usageMetadata") or {}
        if any(name.endswith("Count") for name in usage):
            found = usage
    if found is None:
        return None
    get = found.get
    prompt = get("promptTokenCount", 0) + get("toolUsePromptTokenCount", 0)
    cached, thought = get("cachedContentTokenCount", 0), get("thoughtsTokenCount", 0)
    heard = by_modality(get("promptTokensDetails"), "AUDIO") - by_modality(get("cacheTokensDetails"), "AUDIO")
    spoken = by_modality(get("candidatesTokensDetails"), "AUDIO")
    drawn = by_modality(get("candidatesTokensDetails"), "IMAGE")
    return Usage(
        input=prompt - cached - heard,
        cached_input=cached,
        audio_input=heard,
        output=get("candidatesTokenCount", 0) - spoken - drawn + thought,
        reasoning=thought,
        audio_output=spoken,
        image_output=drawn,
        searches=min(len(queries), 1) if old else len(queries),
    )


def by_modality(details: Any, modality: str) -> int:
    return sum(entry.get("tokenCount", 0) for entry in details or () if entry["modality"] == modality)


def is_unusable(frames: list[Body]) -> bool:
    """A blocked prompt, or a call that the model botched: the two answers that are told as failures."""
    reasons = {c.get("finishReason") for frame in frames for c in frame.get("candidates", ())}
    return bool(reasons & BAD_CALLS) or any("promptFeedback" in f and "candidates" not in f for f in frames)


@pytest.mark.parametrize("record", PLAIN, ids=identity)
def test_a_plain_answer_is_metered_and_read(record: Body):
    frames = frames_of(record)
    observed = CODEC.observe_answer(body_of(record))
    assert observed is not None
    assert observed.usage == expected_usage(frames)
    events = decode_answer(body_of(record), GOOGLE)
    failed = [event for event in events if isinstance(event, Failed)]
    assert bool(failed) == is_unusable(frames), failed
    if not failed:
        answer = fold(events)
        assert answer.usage == expected_usage(frames)
        assert text_of(answer) == visible_text(frames)


@pytest.mark.parametrize("record", STREAMS + ARRAYS, ids=identity)
def test_a_stream_is_metered_and_read_however_it_is_cut(record: Body):
    data, frames = body_of(record), frames_of(record)
    pieces = cut(data, record["id"])
    observer = CODEC.observer()
    for piece in pieces:
        if observer.feed(piece):
            observer.flush()
    observer.finish()
    assert observer.usage == expected_usage(frames)
    assert observer.tokens_seen
    assert observer.error is None
    events = decoded([data])
    assert decoded(pieces) == events
    failed = [event for event in events if isinstance(event, Failed)]
    assert bool(failed) == is_unusable(frames), failed
    if not failed:
        assert text_of(fold(events)) == visible_text(frames)


def cut(data: bytes, seed: str) -> list[bytes]:
    chosen = random.Random(seed)
    places = sorted(chosen.randrange(len(data) + 1) for _ in range(chosen.randrange(1, 40)))
    return [data[start:end] for start, end in pairwise([0, *places, len(data)])]


def decoded(pieces: list[bytes]) -> list[ChatEvent]:
    decoder = AnswerStreamDecoder(GOOGLE)
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.finish()


def visible_text(frames: list[Body]) -> str:
    parts = (
        part
        for frame in frames
        for candidate in frame.get("candidates", ())[:1]
        for part in cast("Body", candidate.get("content") or {}).get("parts", ())
    )
    texts: list[str] = [part.get("text", "") for part in parts if not part.get("thought")]
    return "".join(texts)


def text_of(answer: Answer) -> str:
    return "".join(getattr(block, "text", "") for block in answer.choices[0].blocks if type(block).__name__ == "Text")


def reply(alt: str = "") -> Reply:
    chat = Chat("google.gemini", "m", (), reasoning=Reasoning(show=True), extras={"alt": alt})
    return Reply("", "", 0, chat, "google")


def comparable(answer: Answer) -> Any:
    """A stream that is not Google's cloud's has no time; queries that parts tell are not told again beside them."""
    usage = msgspec.structs.replace(answer.usage, searches=0) if answer.usage is not None else None
    return msgspec.structs.replace(answer, created=0, usage=usage)


@pytest.mark.parametrize("record", [r for r in PLAIN + STREAMS + ARRAYS if not is_unusable(frames_of(r))], ids=identity)
def test_an_answer_decoded_and_encoded_is_the_same_answer(record: Body):
    events = decoded([body_of(record)]) if record not in PLAIN else decode_answer(body_of(record), GOOGLE)
    answer = comparable(fold(events))
    whole = encode_answer(answer, reply())
    assert comparable(fold(decode_answer(whole, GOOGLE))) == answer
    for alt in ("", "array"):
        encoder = AnswerStreamEncoder(reply(alt))
        wire = encoder.feed(events) + encoder.finish()
        assert comparable(fold(decoded(cut(wire, record["id"])))) == answer
        if alt:
            assert all(isinstance(frame, dict) for frame in orjson.loads(wire))
    if not uses_cloud_only_words(record):
        validate_gemini("GenerateContentResponse", whole)
        frames = orjson.loads(wire)
        for frame in frames:
            validate_gemini("GenerateContentResponse", frame)


def uses_cloud_only_words(record: Body) -> bool:
    """Fields that the description of the Gemini API lacks."""
    return record["provider"] == "vertex" or "placeId" in str(record["response"])


@pytest.mark.parametrize("record", REQUESTS, ids=identity)
def test_what_is_sent_is_valid_by_the_description(record: Body):
    request = read(record)
    chat = decode_request(request)
    document = encode_request(chat, Target(request.model, "google", limit=chat.output_limit)).document
    if record["provider"] == "gemini" and "imageOutputOptions" not in str(document):
        validate_gemini("GenerateContentRequest", camel_cased(document))


def camel_cased(document: Body) -> Body:
    """What travels as the client wrote it may be in the other spelling."""
    tools = [normal_form(tool) if "functionDeclarations" not in tool else tool for tool in document.get("tools", ())]
    contents = normal_form(document["contents"], "contents")
    return {**document, "contents": contents} | ({"tools": tools} if tools else {})


def test_recorded_refusals_are_read():
    refused = [record for record in CALLS if record["response"]["status"] != 200]
    assert len(refused) > 15
    for record in refused:
        error = CODEC.decode_error(body_of(record) if "sse" not in record["response"] else stream_text(record))
        assert error is not None
        assert error["message"]
        assert error["type"] in (
            "INVALID_ARGUMENT",
            "PERMISSION_DENIED",
            "NOT_FOUND",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
        ), record["id"]


def test_an_answer_cut_off_inside_its_wrapping_passes_and_cannot_be_translated():
    (record,) = (record for record in CALLS if record["id"] == CUT_OFF)
    assert CODEC.observe_answer(body_of(record)) is not None
    with pytest.raises(ProtocolViolation):
        decode_answer(body_of(record), GOOGLE)


def stream_text(record: Body) -> bytes:
    return "\n".join(record["response"]["sse"]).encode()


def test_the_recordings_hold_what_the_tests_are_for():
    events = [event for r in STREAMS for event in decoded([body_of(r)])]
    events += [event for r in PLAIN for event in decode_answer(body_of(r), GOOGLE)]
    assert {type(event) for event in events} >= {Started, Signed, Cited, NativeItem}
    calls = [
        b
        for r in PLAIN
        if not is_unusable(frames_of(r))
        for b in fold(decode_answer(body_of(r), GOOGLE)).choices[0].blocks
        if isinstance(b, ToolCall)
    ]
    assert len(calls) > 30
