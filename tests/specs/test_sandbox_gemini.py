"""All that the sandbox says in Gemini's protocol satisfies the description of Google's API."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import orjson
import pytest

from anygate.providers.table import Endpoint, Provider
from anygate.sandbox.faults import faults_asked, refusal_of
from anygate.sandbox.gemini_fields import read_message
from anygate.sandbox.gemini_request import check_contents
from anygate.sandbox.google_gemini import SPEAKER
from anygate.sandbox.refusal import Refused
from anygate.sandbox.speaker import Ask, Memory
from tests.specs.answers import body_of
from tests.specs.documents import shared_file
from tests.specs.gemini import unknown, validate_gemini

GEMINI = Provider("gemini", "Gemini", "", "", endpoints={"chat": Endpoint("google.gemini", "POST", "/v1")})
NOW = 1_790_000_000
CITY = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "Now", "parameters": CITY}
CLOCK: dict[str, Any] = {
    "name": "get_time",
    "parametersJsonSchema": {"type": "object", "properties": {"zone": {"type": "string"}}},
}
BARE = {"name": "ping"}
TOOLS = [{"functionDeclarations": [WEATHER, CLOCK]}]
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


def user(*parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "parts": list(parts)}]


HELLO = user({"text": "Hello there, 世界"})
ASKED = user({"text": "Weather in Paris?"})
CALLED: dict[str, Any] = {
    "role": "model",
    "parts": [{"functionCall": {"name": "get_weather", "args": {"city": "Paris"}}}],
}
RESULT: dict[str, Any] = {
    "role": "user",
    "parts": [{"functionResponse": {"name": "get_weather", "response": {"output": "18C"}}}],
}
REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "no role": {"contents": [{"parts": [{"text": "Hi"}]}]},
    "system": {"systemInstruction": {"parts": [{"text": "Be terse."}]}},
    "limit": {"generationConfig": {"maxOutputTokens": 2}},
    "stop": {"generationConfig": {"stopSequences": ["ther"]}},
    "candidates": {"generationConfig": {"candidateCount": 3}},
    "logprobs": {"generationConfig": {"responseLogprobs": True, "logprobs": 2}},
    "one function": {"contents": ASKED, "tools": TOOLS},
    "two functions": {"contents": user({"text": "get_weather and get_time in Rome"}), "tools": TOOLS},
    "an allowed function": {
        "tools": TOOLS,
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_time"]}},
    },
    "no arguments": {"tools": [{"functionDeclarations": [BARE]}]},
    "cut function": {"contents": ASKED, "tools": TOOLS, "generationConfig": {"maxOutputTokens": 2}},
    "no function": {"tools": TOOLS, "toolConfig": {"functionCallingConfig": {"mode": "NONE"}}},
    "result": {"contents": [*ASKED, CALLED, RESULT], "tools": TOOLS},
    "thinker": {"model": "gemini-2.5-pro", "generationConfig": {"thinkingConfig": {"includeThoughts": True}}},
    "silent thinker": {"model": "gemini-2.5-flash"},
    "thinker with functions": {"model": "gemini-3-pro-preview", "contents": ASKED, "tools": TOOLS},
    "signed text": {"model": "gemini-3-flash-preview", "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
    "cut thinker": {"model": "gemini-2.5-pro", "generationConfig": {"maxOutputTokens": 3}},
    "schema": {"generationConfig": {"responseMimeType": "application/json", "responseSchema": CITY}},
    "enum": {"generationConfig": {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a", "b"]}}},
    "json": {"generationConfig": {"responseMimeType": "application/json"}},
    "search": {"tools": [{"googleSearch": {}}]},
    "search by a thinker": {
        "model": "gemini-3-pro-preview",
        "tools": [{"googleSearch": {}}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}},
    },
    "code": {"contents": user({"text": "What is 37170 * 12390?"}), "tools": [{"codeExecution": {}}]},
    "image": {"contents": user({"text": "Look"}, {"inlineData": {"mimeType": "image/png", "data": PNG}})},
    "pdf by address": {"contents": user({"fileData": {"mimeType": "application/pdf", "fileUri": "gs://a/b.pdf"}})},
    "image out": {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "16:9"}}},
    "sound out": {"model": "gemini-2.5-flash-preview-tts", "generationConfig": {"responseModalities": ["AUDIO"]}},
    "blocked": {"contents": user({"text": "sandbox: block this"})},
    "refused": {"contents": user({"text": "sandbox: refuse this"})},
    "filtered": {"contents": user({"text": "sandbox: filter this"})},
    "words": {"model": "sandbox-words-30"},
    "empty": {"model": "sandbox-empty"},
    "ignored limit": {"model": "sandbox-ignores-limit", "generationConfig": {"maxOutputTokens": 4}},
    "no usage": {"model": "sandbox-no-usage"},
}  # fmt: skip
MEMORY = Memory(7, lambda: NOW)


def ask_for(fields: Mapping[str, Any], *, streamed: bool = False, alt: str = "sse", operation: str = "chat") -> Ask:
    request = {"contents": HELLO, **fields} if operation == "chat" else dict(fields)
    model = str(request.pop("model", "gemini-2.0-flash"))
    if operation == "chat":
        validate_gemini("GenerateContentRequest", request)
    faults = faults_asked(model, "k", "")
    query = {"alt": alt} if streamed and alt else {}
    return Ask(GEMINI, model, request, "k", faults, MEMORY, operation, streamed=streamed, query=query)


def whole(fields: Mapping[str, Any]) -> dict[str, Any]:
    body = orjson.loads(body_of(SPEAKER.answer(ask_for(fields))))
    validate_gemini("GenerateContentResponse", body)
    return body


def streamed(fields: Mapping[str, Any], alt: str = "sse") -> list[Any]:
    body = body_of(SPEAKER.answer(ask_for(fields, streamed=True, alt=alt)))
    if alt == "sse":
        events = body.split(b"\r\n\r\n")
        assert events.pop() == b""
        frames = [orjson.loads(event.removeprefix(b"data: ")) for event in events]
    else:
        frames = orjson.loads(body)
    for frame in frames:
        validate_gemini("GenerateContentResponse", frame)
    return frames


def unsigned(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts, neighbours joined, with ids and signatures (new in every answer) as marks."""
    joined: list[dict[str, Any]] = []
    for part in parts:
        made: dict[str, Any] = {**part, "thoughtSignature": True} if "thoughtSignature" in part else dict(part)
        for kind in ("functionCall", "executableCode", "codeExecutionResult"):
            if kind in made:
                made[kind] = {**made[kind], "id": bool(made[kind].get("id"))}
        last = joined[-1] if joined else {}
        if "text" in made and "text" in last and made.get("thought") == last.get("thought"):
            last |= {**made, "text": last["text"] + made["text"]}
        elif "inlineData" in made and last.get("inlineData", {}).get("mimeType") == made["inlineData"]["mimeType"]:
            pieces = [base64.b64decode(one["inlineData"]["data"]) for one in (last, made)]
            last["inlineData"] = {**made["inlineData"], "data": base64.b64encode(b"".join(pieces)).decode()}
        else:
            joined.append(made)
    return joined


def candidates(frames: list[Any]) -> dict[int, dict[str, Any]]:
    folded: dict[int, dict[str, Any]] = {}
    for frame in frames:
        for candidate in frame.get("candidates", []):
            kept = folded.setdefault(candidate["index"], {"parts": []})
            kept["parts"] += candidate["content"].get("parts", [])
            kept |= {name: candidate[name] for name in candidate if name not in ("content", "index")}
    for kept in folded.values():
        kept["parts"] = unsigned(kept["parts"])
        for name in ("avgLogprobs", "logprobsResult"):
            kept.pop(name, None)
    return folded


@pytest.mark.parametrize("alt", ["sse", ""])
@pytest.mark.parametrize("name", REQUESTS)
def test_stream_and_plain_answer_are_valid_and_say_the_same(name: str, alt: str):
    answer, frames = whole(REQUESTS[name]), streamed(REQUESTS[name], alt)
    assert candidates(frames) == candidates([answer])
    assert frames[-1].get("usageMetadata") == answer.get("usageMetadata")
    assert frames[-1].get("promptFeedback") == answer.get("promptFeedback")
    assert len({frame["responseId"] for frame in frames}) == 1


def test_finish_and_usage_follow_from_the_request():
    first = whole(REQUESTS["text"])
    assert first["candidates"][0]["content"]["parts"] == [{"text": "Hello there, 世界"}]
    assert first["usageMetadata"] == {
        "promptTokenCount": 5,
        "candidatesTokenCount": 5,
        "totalTokenCount": 10,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
    }
    assert whole(REQUESTS["limit"])["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert whole(REQUESTS["limit"])["usageMetadata"]["candidatesTokenCount"] == 2
    assert whole(REQUESTS["stop"])["candidates"][0]["content"]["parts"][0]["text"] == "Hello "
    cut = whole(REQUESTS["cut thinker"])
    assert cut["candidates"][0]["content"] == {"role": "model"}
    assert (cut["usageMetadata"]["thoughtsTokenCount"], cut["usageMetadata"]["totalTokenCount"]) == (3, 8)
    assert whole(REQUESTS["ignored limit"])["usageMetadata"]["candidatesTokenCount"] == 8
    assert whole(REQUESTS["blocked"])["promptFeedback"]["blockReason"] == "SAFETY"
    assert whole(REQUESTS["refused"])["candidates"][0]["finishReason"] == "SAFETY"
    image = whole(REQUESTS["image"])
    assert "image/png, 8 bytes" in image["candidates"][0]["content"]["parts"][0]["text"]
    assert {"modality": "IMAGE", "tokenCount": 258} in image["usageMetadata"]["promptTokensDetails"]
    code = [part for part in whole(REQUESTS["code"])["candidates"][0]["content"]["parts"] if "text" not in part]
    assert code[1]["codeExecutionResult"]["output"] == "460536300\n"
    drawn = whole(REQUESTS["image out"])["candidates"][0]["content"]["parts"][1]["inlineData"]
    assert base64.b64decode(drawn["data"])[16:24] == b"\0\0\0\x10\0\0\0\x09"  # the PNG's width and height


def test_functions_are_called_with_arguments_of_their_schemas():
    (call,) = whole(REQUESTS["one function"])["candidates"][0]["content"]["parts"]
    assert call == {"functionCall": {"name": "get_weather", "args": {"city": "Paris"}}}
    parts = whole(REQUESTS["two functions"])["candidates"][0]["content"]["parts"]
    assert [part["functionCall"]["name"] for part in parts] == ["get_weather", "get_time"]
    assert jsonschema_rs.is_valid(CLOCK["parametersJsonSchema"], parts[1]["functionCall"]["args"])
    assert whole(REQUESTS["no arguments"])["candidates"][0]["content"]["parts"] == [{"functionCall": {"name": "ping"}}]
    said = whole(REQUESTS["result"])["candidates"][0]["content"]["parts"]
    assert said == [{"text": 'The tool answered: {"output":"18C"}'}]


def test_grounding_counts_in_bytes_within_its_part():
    for name in ("search", "search by a thinker"):
        candidate = whole(REQUESTS[name])["candidates"][0]
        for support in candidate["groundingMetadata"]["groundingSupports"]:
            segment = support["segment"]
            text = candidate["content"]["parts"][segment.get("partIndex", 0)]["text"].encode()
            assert text[segment.get("startIndex", 0) : segment["endIndex"]].decode() == segment["text"]
            assert segment["endIndex"] > len(segment["text"]) or segment["text"].isascii()


def turn(fields: Mapping[str, Any]) -> dict[str, Any]:
    return whole({"model": "gemini-3-pro-preview", "tools": TOOLS, **fields})["candidates"][0]["content"]


def test_a_signature_must_come_back_with_the_current_turns_calls():
    called = turn({"contents": ASKED})
    assert turn({"contents": [*ASKED, called, RESULT]})["parts"][0]["text"].startswith("The tool answered")
    bare: dict[str, Any] = {"role": "model", "parts": [{"functionCall": called["parts"][0]["functionCall"]}]}
    with pytest.raises(Refused, match=r"missing a thought_signature.*`default_api:get_weather` , position 2"):
        turn({"contents": [*ASKED, bare, RESULT]})
    turn({"contents": [*ASKED, bare, RESULT, *HELLO]})  # an earlier turn needs none
    skipped: dict[str, Any] = {
        "role": "model",
        "parts": [{**bare["parts"][0], "thoughtSignature": "skip_thought_signature_validator"}],
    }
    turn({"contents": [*ASKED, skipped, RESULT]})


@pytest.mark.parametrize("model", ["gemini-3-pro-preview", "gemini-2.5-pro"])
def test_a_signature_of_another_make_is_refused(model: str):
    signature = turn({"contents": ASKED})["parts"][0]["thoughtSignature"]
    altered = base64.b64encode(bytes([base64.b64decode(signature)[0] ^ 1, *base64.b64decode(signature)[1:]])).decode()
    for wrong in (altered, "RXVDaUNvQUFB"):
        called: dict[str, Any] = {"role": "model", "parts": [{**CALLED["parts"][0], "thoughtSignature": wrong}]}
        with pytest.raises(Refused, match="Corrupted thought signature"):
            turn({"model": model, "contents": [*ASKED, called, RESULT]})


def test_a_long_prompt_is_cached_for_the_next_request():
    long = {"contents": user({"text": "A quite unusual beginning. " * 200})}
    first, second = whole(long)["usageMetadata"], whole(long)["usageMetadata"]
    assert "cachedContentTokenCount" not in first
    assert second["cachedContentTokenCount"] == second["promptTokenCount"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no contents": ({"contents": []}, "contents is not specified"),
    "unknown name": ({"contents": HELLO, "messages": []}, 'Unknown name "messages": Cannot find field'),
    "unknown name inside": (
        {"contents": [{"role": "user", "parts": [{"txt": "a"}]}]},
        'Unknown name "txt" at \'contents[0].parts[0]\'',
    ),
    "wrong type": ({"contents": HELLO, "generationConfig": {"temperature": "hot"}}, "'generation_config.temperature'"),
    "wrong enum": ({"contents": HELLO, "generationConfig": {"responseModalities": ["SMELL"]}}, "response_modalities[0]"),
    "empty part": ({"contents": [{"parts": [{}]}]}, "must have one initialized field"),
    "two kinds": ({"contents": [{"parts": [{"text": "a", "inlineData": {}}]}]}, "oneof"),
    "no parts": ({"contents": [{"role": "user"}]}, "contents.parts must not be empty"),
    "wrong role": ({"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}, "valid role: user, model"),
    "broken base64": (
        {"contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": "%%%"}}]}]},
        "Base64 decoding failed",
    ),
    "a result too few": (
        {"contents": [*ASKED, {"role": "model", "parts": CALLED["parts"] * 2}, RESULT]},
        "number of function response parts is equal",
    ),
    "a result without a call": ({"contents": [RESULT]}, "immediately after a function call turn"),
    "a call at the end": ({"contents": [*ASKED, CALLED]}, "number of function response parts is equal"),
    "two ways to think": (
        {"contents": HELLO, "generationConfig": {"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}},
        "only one of thinking budget and thinking level",
    ),
    "too many candidates": ({"contents": HELLO, "generationConfig": {"candidateCount": 9}}, "[1, 8]"),
    "schema without its kind": ({"contents": HELLO, "generationConfig": {"responseSchema": CITY}}, "response_mime_type"),
    "a name with spaces": ({"contents": HELLO, "tools": [{"functionDeclarations": [{"name": "a b"}]}]}, "Invalid function name"),
    "search with functions": ({"contents": HELLO, "tools": [*TOOLS, {"googleSearch": {}}]}, "unsupported"),
    "unknown voice": (
        {"contents": HELLO, "generationConfig": {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Bob"}}}}},
        "Voice name Bob",
    ),
    "unknown cache": ({"contents": HELLO, "cachedContent": "cachedContents/x"}, "CachedContent not found"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_request_is_refused_in_googles_words(name: str):
    request, words = REFUSED[name]
    with pytest.raises(Refused) as caught:
        SPEAKER.answer(Ask(GEMINI, "gemini-2.0-flash", request, "", {}, MEMORY))
    answer = SPEAKER.refuse(caught.value, MEMORY)
    error = orjson.loads(body_of(answer))["error"]
    assert words in error["message"]
    assert (answer.status, error["code"]) in ((400, 400), (403, 403))
    validate_gemini("Status", {name: error[name] for name in ("code", "message", "details") if name in error})


STATUS = {
    "400": (400, "INVALID_ARGUMENT"),
    "401": (400, "INVALID_ARGUMENT"),
    "403": (403, "PERMISSION_DENIED"),
    "404-model": (404, "NOT_FOUND"),
    "429": (429, "RESOURCE_EXHAUSTED"),
    "500": (500, "INTERNAL"),
    "503": (503, "UNAVAILABLE"),
    "504": (504, "DEADLINE_EXCEEDED"),
}


@pytest.mark.parametrize("name", STATUS)
def test_a_refusal_on_demand_has_googles_status(name: str):
    refusal = refusal_of({name: 7}, "m")
    assert refusal is not None
    answer = SPEAKER.refuse(refusal, MEMORY)
    error = orjson.loads(body_of(answer))["error"]
    assert (answer.status, error["status"]) == STATUS[name]
    assert error["code"] == answer.status
    if name == "429":
        assert error["details"][-1]["retryDelay"] == "7s"
    refusal.target = "/gemini/v1beta/models/m:streamGenerateContent"
    assert orjson.loads(body_of(SPEAKER.refuse(refusal, MEMORY))) == [{"error": error}]


def test_tokens_are_counted_and_texts_embedded():
    counted = SPEAKER.answer(ask_for({"contents": HELLO}, operation="count_tokens"))
    validate_gemini("CountTokensResponse", body_of(counted))
    assert orjson.loads(body_of(counted))["totalTokens"] == 5
    inner = {"generateContentRequest": {"model": "models/m", "contents": HELLO, "tools": TOOLS}}
    assert orjson.loads(body_of(SPEAKER.answer(ask_for(inner, operation="count_tokens"))))["totalTokens"] > 20
    one = {"content": {"parts": [{"text": "the cat sat"}]}, "outputDimensionality": 64}
    answer = SPEAKER.answer(ask_for({**one, "model": "gemini-embedding-001"}, operation="embed"))
    validate_gemini("EmbedContentResponse", body_of(answer))
    texts = ("the cat sat", "the cat lay", "stock markets fell")
    batch = [
        {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]}, "outputDimensionality": 64}
        for text in texts
    ]
    made = SPEAKER.answer(ask_for({"model": "gemini-embedding-001", "requests": batch}, operation="embed.batch"))
    validate_gemini("BatchEmbedContentsResponse", body_of(made))
    vectors = [one["values"] for one in orjson.loads(body_of(made))["embeddings"]]
    assert vectors[0] == orjson.loads(body_of(answer))["embedding"]["values"]
    near, far = (sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors[1:])
    assert near > far
    assert sum(value * value for value in vectors[0]) == pytest.approx(1)  # pyright: ignore[reportUnknownMemberType]


def recorded() -> Iterator[Any]:
    """Requests that Google answered with 200, with the type of their message."""
    messages = {"generateContent": "GenerateContentRequest", "countTokens": "CountTokensRequest"}
    folder = shared_file("recordings")
    for company in ("gemini", "vertex"):
        for api, message in messages.items():
            for path in sorted((folder / company / api).glob("*.json")):
                record: dict[str, Any] = json.loads(path.read_bytes())
                asked: dict[str, Any] = record["request"] or {}
                request: dict[str, Any] | None = asked.get("json")
                if request is not None and record["response"].get("status", 200) == 200:
                    yield company, message, record["id"], request


def test_what_google_accepted_is_accepted():
    problems: list[str] = []
    count = 0
    for company, message, name, request in recorded():
        count += 1
        try:
            read = read_message(request, message, vertex=company == "vertex")
            check_contents((read.get("generateContentRequest") or read)["contents"])
            if message == "GenerateContentRequest":
                accept(request, read)
        except Refused as refused:
            problems.append(f"{company}/{name}: {refused.message[:200]}")
    assert count > 100
    assert problems == []


def accept(request: Any, read: dict[str, Any]) -> None:
    """Answer a recorded request whose signatures are Google's own: they are taken for ours."""
    for content in read["contents"]:
        for part in content["parts"]:
            if "functionCall" in part or "thoughtSignature" in part:
                part["thoughtSignature"] = "skip_thought_signature_validator"
    read.pop("cachedContent", None)
    answer = SPEAKER.answer(Ask(GEMINI, "gemini-3-flash-preview", read, "", {}, MEMORY, path="/publishers/"))
    validate_gemini("GenerateContentResponse", body_of(answer))


def test_the_validators_refuse_what_is_wrong():
    assert unknown("GenerateContentResponse", {"candidates": [{"indx": 0}]}) == [".candidates[0].indx"]
    with pytest.raises(AssertionError, match="unknown field"):
        validate_gemini("GenerateContentRequest", {"contents": [{"parts": [{"txt": "a"}]}]})
    with pytest.raises(AssertionError, match="finishReason"):
        validate_gemini("GenerateContentResponse", {"candidates": [{"finishReason": "DONE"}]})
