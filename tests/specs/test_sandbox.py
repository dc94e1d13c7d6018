"""All that the sandbox says in OpenAI's protocol satisfies OpenAI's official document."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from anygate.providers.table import Endpoint, Provider
from anygate.sandbox.faults import faults_asked, refusal_of
from anygate.sandbox.openai_chat import SPEAKER
from anygate.sandbox.refusal import Refused
from anygate.sandbox.speaker import Ask, Memory
from tests.specs.answers import body_of
from tests.specs.openai import chat_chunks, validate_chat_request, validate_chat_response, validate_error

OPENAI = Provider("openai", "OpenAI", "", "", endpoints={"chat": Endpoint("openai.chat", "POST", "/v1")})
NOW = 1_790_000_000

PNG = "data:image/png;base64,iVBORw0KGgo="
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY, "strict": True}}
CLOCK = {"type": "function", "function": {"name": "get_time", "parameters": CITY}}
NOTE = {"type": "custom", "custom": {"name": "note", "format": {"type": "text"}}}
CALLS = [{"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}]
ASKED = {"role": "user", "content": "Weather in Paris?"}


def user(*parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "Look"}, *parts]}]


REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "system": {"messages": [{"role": "developer", "content": "Be terse."}, {"role": "user", "content": "Grüße, 世界 🎉"}]},
    "no text": {"messages": [{"role": "system", "content": "x"}]},
    "limit": {"max_completion_tokens": 2},
    "stop": {"stop": ["ther"]},
    "choices": {"n": 3},
    "logprobs": {"logprobs": True, "top_logprobs": 3},
    "logprobs alone": {"logprobs": True},
    "seed": {"seed": 7, "service_tier": "flex", "metadata": {"a": "b"}, "user": "u"},
    "one tool": {"messages": [ASKED], "tools": [WEATHER, CLOCK]},
    "two tools": {"messages": [{"role": "user", "content": "get_weather and get_time in Rome"}], "tools": [WEATHER, CLOCK]},
    "a named tool": {"tools": [WEATHER, CLOCK], "tool_choice": {"type": "function", "function": {"name": "get_time"}}},
    "no tool": {"tools": [WEATHER], "tool_choice": "none"},
    "custom tool": {"tools": [NOTE], "tool_choice": "required"},
    "cut tool call": {"tools": [WEATHER], "max_tokens": 2},
    "tool result": {
        "messages": [
            ASKED,
            {"role": "assistant", "content": None, "tool_calls": CALLS},
            {"role": "tool", "tool_call_id": "c1", "content": "18C"},
        ],
        "tools": [WEATHER],
    },
    "function": {"functions": [{"name": "f", "parameters": CITY}], "function_call": {"name": "f"}},
    "schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": CITY, "strict": True}}},
    "json": {"messages": [{"role": "user", "content": "As JSON"}], "response_format": {"type": "json_object"}},
    "reasoner": {"model": "o3-mini", "reasoning_effort": "high", "max_completion_tokens": 100},
    "cut reasoner": {"model": "gpt-5", "max_completion_tokens": 3},
    "thinker": {"model": "deepseek-reasoner"},
    "image": {"messages": user({"type": "image_url", "image_url": {"url": PNG, "detail": "low"}})},
    "image by URL": {"messages": user({"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}})},
    "sound": {"messages": user({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}})},
    "file": {"messages": user({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}})},
    "refusal": {"messages": [{"role": "user", "content": "sandbox: refuse this"}], "logprobs": True},
    "filter": {"messages": [{"role": "user", "content": "sandbox: filter this"}]},
    "search": {"model": "gpt-4o-search-preview", "web_search_options": {"search_context_size": "low"}},
    "gizmo": {"model": "gpt-4-gizmo-g-2fkFE8rbu"},
    "words": {"model": "sandbox-words-30"},
    "empty": {"model": "sandbox-empty"},
    "ignored limit": {"model": "sandbox-ignores-limit", "max_tokens": 4},
}  # fmt: skip
FORMATS = {False: "wav", True: "pcm16"}


def spoken(stream: bool) -> dict[str, Any]:
    return {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": FORMATS[stream]}}


def ask_for(fields: Mapping[str, Any]) -> Ask:
    """The request as a client sends it, validated itself, so that the sandbox is judged by valid requests."""
    request: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello there"}], **fields}
    validate_chat_request(request)
    faults = faults_asked(request["model"], "sk-test", "")
    return Ask(OPENAI, request["model"], request, "sk-test", faults, Memory(0, lambda: NOW))


def whole(fields: Mapping[str, Any]) -> dict[str, Any]:
    body = orjson.loads(body_of(SPEAKER.answer(ask_for(fields))))
    validate_chat_response(body)
    return body


def streamed(fields: Mapping[str, Any]) -> list[Any]:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    return list(chat_chunks(body_of(SPEAKER.answer(ask_for({**fields, **options})))))


def joined(chunks: list[Any], index: int) -> dict[str, Any]:
    """The message that the deltas of one choice make, with its finish."""
    message: dict[str, Any] = {"content": "", "refusal": "", "reasoning_content": "", "calls": {}, "arguments": ""}
    for chunk in chunks:
        for choice in chunk["choices"]:
            if choice["index"] != index:
                continue
            delta = choice["delta"]
            for name in ("content", "refusal", "reasoning_content"):
                message[name] += delta.get(name) or ""
            message["arguments"] += delta.get("function_call", {}).get("arguments", "")
            for call in delta.get("tool_calls", []):
                kept = message["calls"].setdefault(call["index"], ["", ""])
                inner = call.get("function") or call.get("custom")
                kept[0] += inner.get("name", "")
                kept[1] += inner.get("arguments", inner.get("input", ""))
            message["finish"] = choice["finish_reason"] or message.get("finish")
    return message


@pytest.mark.parametrize("name", REQUESTS)
def test_stream_and_plain_answer_are_valid_and_say_the_same(name: str):
    answer, chunks = whole(REQUESTS[name]), streamed(REQUESTS[name])
    *_, last = chunks
    assert last["choices"] == []
    assert last["usage"] == answer["usage"]
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    for index, choice in enumerate(answer["choices"]):
        message, made = choice["message"], joined(chunks, index)
        assert made["content"] == (message["content"] or "")
        assert made["refusal"] == (message["refusal"] or "")
        assert made["reasoning_content"] == message.get("reasoning_content", "")
        assert made["arguments"] == message.get("function_call", {}).get("arguments", "")
        assert made["finish"] == choice["finish_reason"]
        inner = [call.get("function") or call.get("custom") for call in message.get("tool_calls", [])]
        assert list(made["calls"].values()) == [[one["name"], one.get("arguments", one.get("input"))] for one in inner]


def test_sound_is_a_real_file_with_its_transcript():
    message = whole(spoken(stream=False))["choices"][0]["message"]
    assert message["content"] is None
    assert message["audio"]["transcript"] == "Hello there"
    assert message["audio"]["data"].startswith("UklGR")  # RIFF
    deltas = [
        choice["delta"].get("audio", {}) for chunk in streamed(spoken(stream=True)) for choice in chunk["choices"]
    ]
    assert "".join(delta.get("transcript", "") for delta in deltas) == "Hello there"
    assert any("data" in delta for delta in deltas)


def test_finish_and_usage_follow_from_the_request():
    assert whole(REQUESTS["limit"])["choices"][0]["finish_reason"] == "length"
    assert whole(REQUESTS["limit"])["usage"]["completion_tokens"] == 2
    assert whole(REQUESTS["stop"])["choices"][0]["message"]["content"] == "Hello "
    assert whole(REQUESTS["words"])["usage"]["completion_tokens"] == 30
    assert whole(REQUESTS["words"] | {"max_tokens": 7})["usage"]["completion_tokens"] == 7
    assert whole(REQUESTS["reasoner"])["usage"]["completion_tokens_details"]["reasoning_tokens"] == 32
    cut = whole(REQUESTS["cut reasoner"])
    assert (cut["choices"][0]["message"]["content"], cut["usage"]["completion_tokens"]) == ("", 3)
    assert len(whole(REQUESTS["two tools"])["choices"][0]["message"]["tool_calls"]) == 2
    assert whole(REQUESTS["tool result"])["choices"][0]["message"]["content"] == "The tool answered: 18C"
    assert "image/png, 8 bytes" in whole(REQUESTS["image"])["choices"][0]["message"]["content"]
    assert whole(REQUESTS["image"])["usage"]["prompt_tokens"] == 86
    named = whole(REQUESTS["one tool"])["choices"][0]["message"]["tool_calls"][0]["function"]
    assert named == {"name": "get_weather", "arguments": '{"city":"Paris"}'}


def test_a_citation_points_at_its_link():
    message = whole(REQUESTS["search"])["choices"][0]["message"]
    place = message["annotations"][0]["url_citation"]
    assert message["content"][place["start_index"] : place["end_index"]] == f"[example.com]({place['url']})"


@pytest.mark.parametrize("fields", [{"messages": []}, {"n": 0}, {"messages": [{"role": "robot"}]}, {"temperature": 3}])
def test_a_refusal_of_the_request_is_a_valid_error(fields: dict[str, Any]):
    memory = Memory(0, lambda: NOW)
    request: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}
    with pytest.raises(AssertionError, match="not a valid CreateChatCompletionRequest"):
        validate_chat_request(request)
    with pytest.raises(Refused) as caught:
        SPEAKER.answer(Ask(OPENAI, "m", request, "", {}, memory))
    validate_error(body_of(SPEAKER.refuse(caught.value, memory)))


@pytest.mark.parametrize("status", ["400", "401", "402", "403", "404-model", "408", "429", "500", "503", "529"])
def test_a_refusal_on_demand_is_a_valid_error(status: str):
    refusal = refusal_of({status: 1}, "m")
    assert refusal is not None
    validate_error(body_of(SPEAKER.refuse(refusal, Memory(0, lambda: NOW))))


def test_the_validators_refuse_what_is_wrong():
    with pytest.raises(AssertionError, match="finish_reason"):
        validate_chat_response({**whole({}), "choices": [{"index": 0, "logprobs": None}]})
    with pytest.raises(AssertionError):
        validate_chat_request({"model": "m"})
    with pytest.raises(AssertionError):
        list(chat_chunks(b'data: {"id": 1}\n\ndata: [DONE]\n\n'))
    with pytest.raises(AssertionError, match="ends with"):
        list(chat_chunks(b"data: {}\n\n"))
