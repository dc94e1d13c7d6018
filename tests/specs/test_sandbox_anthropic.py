"""All that the sandbox says in Anthropic's protocol satisfies the OpenAPI document of Anthropic's API."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from anygate.providers.table import Endpoint, Provider
from anygate.sandbox.answer import Answer
from anygate.sandbox.anthropic_messages import SPEAKER
from anygate.sandbox.faults import faults_asked, refusal_of
from anygate.sandbox.json_values import Json, as_object
from anygate.sandbox.pictures import png
from anygate.sandbox.refusal import Refused
from anygate.sandbox.speaker import Ask, Memory
from tests.specs.answers import body_of
from tests.specs.anthropic import validate_count_response
from tests.specs.anthropic_strict import (
    message_events,
    validate_count_request,
    validate_error,
    validate_message,
    validate_message_request,
)
from tests.specs.documents import shared_file

VERSION = {"anthropic-version": "2023-06-01"}
ENDPOINT = Endpoint("anthropic.messages", "POST", "/v1/messages", headers=VERSION)
ANTHROPIC = Provider(
    "anthropic", "Anthropic", "", "", maker="anthropic", endpoints={"chat": ENDPOINT, "count_tokens": ENDPOINT}
)
NOW = 1_790_000_000

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"name": "get_weather", "description": "Weather", "input_schema": CITY, "strict": True}
CLOCK = {"name": "get_time", "input_schema": CITY}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
BASH = {"type": "bash_20250124", "name": "bash"}
THINKING = {"type": "enabled", "budget_tokens": 1024}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "18C"}]}
PNG = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png(2, 2)).decode()}
PDF = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(b"%PDF-1.4 ...").decode()}
CITED = {"enabled": True}


def user(*blocks: object) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(words: str, **more: object) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def says(words: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": words}]}


def document(source: object, **more: object) -> dict[str, Any]:
    return {"type": "document", "source": source, **more}


ASKED = [{"role": "user", "content": "Weather in Paris?"}]
REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "other letters": says("Grüße, 世界 🎉"),
    "system": {"system": [text("Be terse.", cache_control={"type": "ephemeral", "ttl": "1h"})]},
    "limit": {"max_tokens": 2},
    "stop": {"stop_sequences": ["ther"], "temperature": 0.5, "top_k": 3, "metadata": {"user_id": "u"}},
    "tier": {"service_tier": "standard_only"},
    "one tool": {"messages": ASKED, "tools": [WEATHER, CLOCK]},
    "two tools": {**says("get_weather and get_time in Rome"), "tools": [WEATHER, CLOCK]},
    "one of two": {
        **says("get_weather and get_time in Rome"),
        "tools": [WEATHER, CLOCK],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    },
    "any tool": {"tools": [WEATHER, CLOCK], "tool_choice": {"type": "any"}},
    "a named tool": {"tools": [WEATHER, CLOCK], "tool_choice": {"type": "tool", "name": "get_time"}},
    "no tool": {"tools": [WEATHER], "tool_choice": {"type": "none"}},
    "a built-in tool": {"tools": [BASH]},
    "cut tool call": {"messages": ASKED, "tools": [WEATHER], "max_tokens": 2},
    "tool result": {
        "messages": [*ASKED, {"role": "assistant", "content": [text("Let me see."), CALL]}, user(RESULT)],
        "tools": [WEATHER],
    },
    "failed tool": {
        "messages": [*ASKED, {"role": "assistant", "content": [CALL]}, user({**RESULT, "is_error": True})],
        "tools": [WEATHER],
    },
    "thinking": {"thinking": THINKING, "max_tokens": 2000},
    "cut thinking": {"thinking": {"type": "adaptive"}, "max_tokens": 3},
    "adaptive": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
    "omitted": {"thinking": {"type": "adaptive", "display": "omitted"}},
    "omitted by default": {"model": "claude-opus-4-7", "thinking": {"type": "adaptive"}},
    "redacted": {**says("sandbox: redact this"), "thinking": {"type": "adaptive"}},
    "thinking and a tool": {"messages": ASKED, "thinking": {"type": "adaptive"}, "tools": [WEATHER]},
    "search": {**says("News of Fusion?"), "tools": [SEARCH]},
    "failed search": {**says("sandbox: search error"), "tools": [SEARCH]},
    "pause": {**says("sandbox: pause"), "tools": [SEARCH]},
    "image": {"messages": [user({"type": "image", "source": PNG}, text("What is it?"))]},
    "image by URL": {"messages": [user({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}})]},
    "PDF": {"messages": [user(document(PDF, title="Report", citations=CITED), text("Findings?"))]},
    "plain document": {
        "messages": [
            user(document({"type": "text", "media_type": "text/plain", "data": "Grass is green. Sky is blue."}, citations=CITED))
        ]
    },
    "content document": {
        "messages": [user(document({"type": "content", "content": [text("First."), text("Second.")]}, citations=CITED))]
    },
    "search results": {
        "messages": [
            user({"type": "search_result", "source": "https://example.com", "title": "T", "content": [text("Found.")], "citations": CITED})
        ]
    },
    "schema": {"output_config": {"format": {"type": "json_schema", "schema": CITY}}},
    "prefill": {"messages": [{"role": "user", "content": "Hello there"}, {"role": "assistant", "content": "Hello"}]},
    "refusal": says("sandbox: refuse this"),
    "words": {"model": "sandbox-words-30"},
    "many words": {"model": "sandbox-words-300", "max_tokens": 1000},
    "empty": {"model": "sandbox-empty"},
    "ignored limit": {"model": "sandbox-ignores-limit", "max_tokens": 4},
}  # fmt: skip


def ask_for(
    fields: Mapping[str, Any],
    memory: Memory | None = None,
    operation: str = "chat",
    headers: Mapping[str, str] = VERSION,
) -> Ask:
    """The request as a client sends it, validated itself, so that the sandbox is judged by valid requests."""
    request: dict[str, Any] = {"model": "claude-sonnet-4-5", "max_tokens": 100, **says("Hello there"), **fields}
    if "adaptive" in str(request.get("thinking")) and "model" not in fields:
        request["model"] = "claude-future"
    if operation == "count_tokens":
        del request["max_tokens"]
        validate_count_request(request)
    else:
        validate_message_request(request)
    faults = faults_asked(request["model"], "sk-test", "")
    return Ask(
        ANTHROPIC,
        request["model"],
        request,
        "sk-test",
        faults,
        memory or Memory(0, lambda: NOW),
        operation,
        headers=headers,
    )


def whole(fields: Mapping[str, Any], memory: Memory | None = None) -> dict[str, Any]:
    body = orjson.loads(body_of(SPEAKER.answer(ask_for(fields, memory))))
    validate_message(body)
    return body


def streamed(fields: Mapping[str, Any]) -> list[Any]:
    return message_events(body_of(SPEAKER.answer(ask_for({**fields, "stream": True}))))


def joined(events: list[Any]) -> dict[str, Any]:
    """The message that the events of a stream make."""
    message: dict[str, Any] = {}
    inputs: dict[int, str] = {}
    for event in events:
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                message["content"].append(event["content_block"])
            case "content_block_delta":
                index = event["index"]
                inputs[index] = inputs.get(index, "") + event["delta"].get("partial_json", "")
                fill(message["content"][index], event["delta"])
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
            case _:
                pass
    for index, written in inputs.items():
        if "input" in message["content"][index] and message["stop_reason"] != "max_tokens":
            message["content"][index]["input"] = orjson.loads(written)
    return message


def fill(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name in ("text", "thinking", "signature"):
        block |= {name: block[name] + delta[name]} if name in delta else {}
    if "citation" in delta:
        block["citations"].append(delta["citation"])


@pytest.mark.parametrize("name", REQUESTS)
def test_stream_and_plain_answer_are_valid_and_say_the_same(name: str):
    plain, made = whole(REQUESTS[name]), joined(streamed(REQUESTS[name]))
    assert made == {**plain, "id": made["id"]}


def test_stop_and_usage_follow_from_the_request():
    assert whole(REQUESTS["limit"])["stop_reason"] == "max_tokens"
    assert whole(REQUESTS["limit"])["usage"]["output_tokens"] == 2
    stopped = whole(REQUESTS["stop"])
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "ther")
    assert stopped["content"][0]["text"] == "Hello "
    assert whole(REQUESTS["words"])["usage"]["output_tokens"] == 30
    assert whole(REQUESTS["ignored limit"])["usage"]["output_tokens"] == 8
    assert whole(REQUESTS["refusal"])["stop_details"]["type"] == "refusal"
    assert whole(REQUESTS["prefill"])["content"][0]["text"] == " there"
    assert whole({})["usage"]["input_tokens"] == 3
    validate_count_response(body_of(SPEAKER.answer(ask_for({}, operation="count_tokens"))))
    assert orjson.loads(body_of(SPEAKER.answer(ask_for({}, operation="count_tokens")))) == {"input_tokens": 3}


def test_tools_are_called_and_their_results_quoted():
    (call,) = whole(REQUESTS["one tool"])["content"]
    assert (call["name"], call["input"]) == ("get_weather", {"city": "Paris"})
    assert [block["name"] for block in whole(REQUESTS["two tools"])["content"]] == ["get_weather", "get_time"]
    assert len(whole(REQUESTS["one of two"])["content"]) == 1
    assert whole(REQUESTS["a named tool"])["content"][0]["name"] == "get_time"
    assert whole(REQUESTS["a built-in tool"])["content"][0]["input"] == {"command": "echo"}
    assert whole(REQUESTS["tool result"])["content"][0]["text"] == "The tool answered: 18C"
    assert whole(REQUESTS["failed tool"])["content"][0]["text"] == "The tool answered: error: 18C"
    events = streamed(REQUESTS["cut tool call"])
    pieces = [event["delta"]["partial_json"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(pieces) == '{"city":'


def test_media_are_described_and_sources_cited():
    assert "I see an image: image/png, " in whole(REQUESTS["image"])["content"][0]["text"]
    assert whole(REQUESTS["image"])["usage"]["input_tokens"] == 768
    said, quoted = whole(REQUESTS["PDF"])["content"]
    assert said["text"] == "Findings?\nI read a document: Report, application/pdf, 12 bytes."
    assert quoted["citations"][0]["type"] == "page_location"
    (citation,) = whole(REQUESTS["plain document"])["content"][1]["citations"]
    assert citation["cited_text"] == "Grass is green. Sky is blue."
    assert (citation["start_char_index"], citation["end_char_index"]) == (0, 28)
    assert whole(REQUESTS["content document"])["content"][1]["citations"][0]["cited_text"] == "First."
    assert whole(REQUESTS["search results"])["content"][1]["citations"][0]["source"] == "https://example.com"


def test_a_search_is_shown_cited_and_counted():
    answer = whole(REQUESTS["search"])
    use, result, said = answer["content"]
    assert use["input"] == {"query": "Fusion"}
    assert result["tool_use_id"] == use["id"]
    assert said["citations"][0]["url"] == result["content"][0]["url"] == "https://example.com/sandbox"
    assert answer["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    assert whole(REQUESTS["failed search"])["content"][1]["content"]["type"] == "web_search_tool_result_error"


def test_a_paused_turn_goes_on_where_it_stopped():
    memory = Memory(0, lambda: NOW)
    paused = whole(REQUESTS["pause"], memory)
    assert paused["stop_reason"] == "pause_turn"
    history = [*REQUESTS["pause"]["messages"], {"role": "assistant", "content": sent_back(paused)}]
    rest = whole({"messages": history, "tools": [SEARCH]}, memory)
    assert [block["type"] for block in rest["content"]] == ["text"]
    assert rest["content"][0]["citations"][0]["type"] == "web_search_result_location"
    assert rest["stop_reason"] == "end_turn"


def sent_back(message: Mapping[str, Any]) -> list[Any]:
    """The content of an answer, as clients send it back."""
    return [dict(block) for block in message["content"]]


def test_thoughts_come_back_with_the_signature_that_was_made_for_them():
    memory = Memory(0, lambda: NOW)
    asked: dict[str, Any] = {**REQUESTS["thinking"], "messages": ASKED, "tools": [WEATHER]}
    answer = whole(asked, memory)
    thought, call = sent_back(answer)
    assert thought["thinking"].startswith("The user wrote: Weather in Paris?")
    assert answer["usage"]["output_tokens_details"]["thinking_tokens"] > 0
    result = {**RESULT, "tool_use_id": call["id"]}

    def again(*blocks: object) -> dict[str, Any]:
        return whole(
            {**asked, "messages": [*ASKED, {"role": "assistant", "content": list(blocks)}, user(result)]}, memory
        )

    assert [block["type"] for block in again(thought, call)["content"]] == ["text"]
    with pytest.raises(Refused, match="Expected `thinking` or `redacted_thinking`, but found `tool_use`"):
        again(call)
    altered = {**thought, "thinking": thought["thinking"] + "!"}
    for wrong in ({**thought, "signature": "RW5n"}, {**thought, "signature": ""}, altered):
        with pytest.raises(Refused, match=r"messages.1.content.0: Invalid `signature` in `thinking` block"):
            again(wrong, call)
    with pytest.raises(Refused, match="the first block must be `thinking`"):
        again(text("Well"), thought, call)
    with pytest.raises(Refused, match="Invalid `data` in `redacted_thinking` block"):
        again({"type": "redacted_thinking", "data": "RW5n"}, call)


@pytest.mark.parametrize("name", ["omitted", "redacted"])
def test_thoughts_that_nobody_reads_come_back_too(name: str):
    memory = Memory(0, lambda: NOW)
    first, *_ = sent_back(whole(REQUESTS[name], memory))
    assert first.get("thinking", "") == ""
    asked = [{"role": "user", "content": "Go on"}, {"role": "assistant", "content": [first, text("Yes.")]}]
    history = {"messages": [*asked, {"role": "user", "content": "And?"}]}
    assert whole(history, memory)["content"][0]["text"] == "And?"
    with pytest.raises(Refused, match="Invalid"):
        whole(history, Memory(1, lambda: NOW))  # another sandbox


def test_tools_are_called_one_after_the_other_where_the_prompt_says_so():
    memory = Memory(0, lambda: NOW)
    history: list[Any] = [{"role": "user", "content": "sandbox: chain get_weather get_time in Rome"}]
    called: list[str] = []
    for _ in range(2):
        answer = whole({"messages": history, "tools": [WEATHER, CLOCK]}, memory)
        (call,) = answer["content"]
        called.append(call["name"])
        history += [{"role": "assistant", "content": [call]}, user({**RESULT, "tool_use_id": call["id"]})]
    assert called == ["get_weather", "get_time"]


def test_a_prompt_is_cached_and_read_again():
    memory = Memory(0, lambda: NOW)
    long = text("word " * 1200, cache_control={"type": "ephemeral"})
    first = whole({"system": [long]}, memory)["usage"]
    assert first["cache_creation"] == {"ephemeral_5m_input_tokens": 1500, "ephemeral_1h_input_tokens": 0}
    assert (first["input_tokens"], first["cache_read_input_tokens"]) == (3, 0)
    again = whole({"system": [long]}, memory)["usage"]
    assert (again["cache_creation_input_tokens"], again["cache_read_input_tokens"]) == (0, 1500)
    plain = {name: value for name, value in long.items() if name != "cache_control"}
    more = text("more " * 400, cache_control={"type": "ephemeral", "ttl": "1h"})
    grown = whole({"system": [plain, more]}, memory)["usage"]  # the mark looks back to the entry
    assert grown["cache_read_input_tokens"] == 1500
    assert grown["cache_creation"] == {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 500}
    short = whole({"system": [text("short", cache_control={"type": "ephemeral"})]}, memory)["usage"]
    assert (short["cache_creation_input_tokens"], short["input_tokens"]) == (0, 5)


def test_what_newer_models_take_is_taken():
    """Beyond the OpenAPI document, from the official SDK's types: system messages behind the first, thoughts between tools."""
    turns = [*ASKED, {"role": "assistant", "content": "18C"}, {"role": "system", "content": "Be terse."}]
    request: dict[str, Any] = {
        "model": "claude-opus-5",
        "max_tokens": 9,
        "messages": [*turns, says("x")["messages"][0]],
    }
    request |= {"thinking": {"type": "between_tools"}, "speed": "fast", "diagnostics": {"previous_message_id": None}}
    ask = Ask(ANTHROPIC, "claude-opus-5", request, "", {}, Memory(0, lambda: NOW), headers=VERSION)
    answer = orjson.loads(body_of(SPEAKER.answer(ask)))
    validate_message(answer)
    assert [block["type"] for block in answer["content"]] == ["text"]
    assert answer["usage"]["input_tokens"] == 10
    older = Ask(
        ANTHROPIC, "claude-opus-4-1", {**request, "thinking": {"type": "disabled"}}, "", {}, ask.memory, headers=VERSION
    )
    with pytest.raises(Refused, match='Unexpected role "system"'):
        SPEAKER.answer(older)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": ({"n": 2}, "n: Extra inputs are not permitted"),
    "no limit": ({"max_tokens": None}, "max_tokens: Input should be a valid integer"),
    "no message": ({"messages": []}, "messages: at least one message is required"),
    "system role": ({"messages": [{"role": "system", "content": "x"}]}, 'Unexpected role "system"'),
    "assistant first": (
        {"messages": [{"role": "assistant", "content": "x"}]},
        'first message must use the "user" role',
    ),
    "empty content": ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-empty"),
    "empty text": ({"messages": [user(text(""))]}, "text content blocks must be non-empty"),
    "unknown block": ({"messages": [user({"type": "sound"})]}, "messages.0.content.0: Input tag 'sound'"),
    "block without a type": ({"messages": [user({})]}, "Unable to extract tag"),
    "field of a block": ({"messages": [user(text("x", colour="red"))]}, "messages.0.content.0.text.colour: Extra"),
    "field of a message": ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, "messages.0.name: Extra"),
    "open call": ({"messages": [*ASKED, {"role": "assistant", "content": [CALL]}, user(text("x"))]}, "toolu_1. Each"),
    "result behind text": (
        {"messages": [*ASKED, {"role": "assistant", "content": [CALL]}, user(text("x"), RESULT)]},
        "`tool_use` ids were found without `tool_result` blocks immediately after: toolu_1",
    ),
    "result of no call": ({"messages": [user(RESULT)]}, "unexpected `tool_use_id` found in `tool_result` blocks"),
    "two results": (
        {"messages": [*ASKED, {"role": "assistant", "content": [CALL]}, user(RESULT, RESULT)]},
        "each tool_use must have a single result",
    ),
    "call by the user": ({"messages": [user(CALL)]}, "`tool_use` blocks can only be in `assistant` messages"),
    "foreign signature": (
        {
            "messages": [
                *ASKED,
                {
                    "role": "assistant",
                    "content": [{"type": "thinking", "thinking": "x", "signature": "ErUB"}, text("y")],
                },
                user(text("z")),
            ]
        },
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    "small budget": ({"thinking": {"type": "enabled", "budget_tokens": 1023}}, "greater than or equal to 1024"),
    "large budget": ({"thinking": THINKING, "max_tokens": 1024}, "`max_tokens` must be greater"),
    "warm thought": (
        {"thinking": THINKING, "max_tokens": 2000, "temperature": 0.5},
        "`temperature` may only be set to 1",
    ),
    "thinking top_k": ({"thinking": THINKING, "max_tokens": 2000, "top_k": 5}, "`top_k` must be unset"),
    "forced call": (
        {"thinking": THINKING, "max_tokens": 2000, "tools": [WEATHER], "tool_choice": {"type": "any"}},
        "Thinking may not be enabled when tool_choice forces tool use",
    ),
    "no adaptive": (
        {"thinking": {"type": "adaptive"}, "model": "claude-sonnet-4-5"},
        "adaptive thinking is not supported",
    ),
    "no budget": (
        {"thinking": THINKING, "max_tokens": 2000, "model": "claude-opus-4-7"},
        '"thinking.type.enabled" is not supported for this model',
    ),
    "no sampling": ({"temperature": 0.5, "model": "claude-opus-5"}, "`temperature` is deprecated for this model"),
    "both": ({"temperature": 0.5, "top_p": 0.9}, "cannot both be specified"),
    "too hot": ({"temperature": 1.5}, "temperature: Input should be less than or equal to 1"),
    "too much": ({"max_tokens": 70_000}, "max_tokens: 70000 > 64000"),
    "effort": (
        {"output_config": {"effort": "xhigh"}, "model": "claude-opus-4-6"},
        "does not support effort level 'xhigh'",
    ),
    "open schema": (
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        "'additionalProperties' must be explicitly set to false",
    ),
    "wrong picture": (
        {"messages": [user({"type": "image", "source": {**PNG, "media_type": "image/jpeg"}})]},
        "specified using the image/jpeg media type, but the image appears to be a image/png image",
    ),
    "no base64": ({"messages": [user({"type": "image", "source": {**PNG, "data": "!"}})]}, "Invalid base64 data"),
    "no PDF": ({"messages": [user(document({**PDF, "data": "AAAA"}))]}, "The PDF specified was not valid"),
    "tool name": (
        {"tools": [{"name": "a b", "input_schema": CITY}]},
        "tools.0.custom.name: String should match pattern",
    ),
    "no schema": ({"tools": [{"name": "a"}]}, "tools.0.custom.input_schema: Field required"),
    "same name": ({"tools": [CLOCK, CLOCK]}, "Tool names must be unique"),
    "unknown tool": ({"tools": [CLOCK], "tool_choice": {"type": "tool", "name": "x"}}, "Tool 'x' not found"),
    "prefill": (
        {"messages": [*ASKED, {"role": "assistant", "content": "x"}], "model": "claude-opus-4-6"},
        "does not support assistant message prefill",
    ),
    "space at the end": ({"messages": [*ASKED, {"role": "assistant", "content": "x "}]}, "trailing whitespace"),
    "five marks": ({"system": [text("x", cache_control={"type": "ephemeral"})] * 5}, "A maximum of 4 blocks"),
    "long life behind short": (
        {"system": [text("x", cache_control={"type": "ephemeral", "ttl": life}) for life in ("5m", "1h")]},
        "must not come after",
    ),
    "beta field": ({"mcp_servers": []}, "mcp_servers: Extra inputs are not permitted"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_refusal_of_the_request_is_a_valid_error(name: str):
    fields, words = BAD[name]
    memory = Memory(0, lambda: NOW)
    request: dict[str, Any] = {"model": "claude-sonnet-4-5", "max_tokens": 100, **says("x"), **fields}
    with pytest.raises(Refused) as caught:
        SPEAKER.answer(Ask(ANTHROPIC, request["model"], request, "", {}, memory, headers=VERSION))
    answer = SPEAKER.refuse(caught.value, memory)
    error = orjson.loads(body_of(answer))
    validate_error(error)
    assert error["error"]["type"] == "invalid_request_error"
    assert words in error["error"]["message"]
    assert (answer.status, dict(answer.headers)["x-should-retry"]) == (400, "false")


@pytest.mark.parametrize(
    "junk", [None, True, 7, 1.5, "x", [], {}, [None], [[]], {"type": 7}, {"type": None}, [{"type": []}]]
)
def test_junk_in_any_field_is_refused_or_answered(junk: object):
    memory = Memory(0, lambda: NOW)
    base: dict[str, Any] = {"model": "m", "max_tokens": 100, **says("x")}
    deep: list[dict[str, Any]] = [{"messages": [{"role": "user", "content": junk}]}, {"messages": [user(junk)]}]
    deep += [{"tools": [junk]}, {"tools": [{"name": junk}]}, {"system": [junk]}]
    for kind in ("image", "document", "tool_result", "search_result", "text"):
        names = ("source", "content", "citations", "cache_control", "tool_use_id", "text")
        deep += [{"messages": [user({"type": kind, name: junk})]} for name in names]
    names = ("messages", "system", "tools", "tool_choice", "thinking", "output_config", "stop_sequences", "max_tokens")
    names += ("temperature", "metadata", "cache_control", "stream", "service_tier", "container")
    for fields in [*deep, *({name: junk} for name in names)]:
        request = {**base, **fields}
        came = outcome(Ask(ANTHROPIC, "m", request, "", {}, memory, headers=VERSION))
        if isinstance(came, Refused):
            assert came.status == 400, fields
        else:
            assert came.status == 200
            assert body_of(came)


def outcome(ask: Ask) -> Answer | Refused:
    try:
        return SPEAKER.answer(ask)
    except Refused as refused:
        return refused


@pytest.mark.parametrize("status", ["400", "401", "402", "403", "404-model", "408", "429", "500", "503", "504", "529"])
def test_a_refusal_on_demand_is_a_valid_error(status: str):
    refusal = refusal_of({status: 1}, "m")
    assert refusal is not None
    validate_error(body_of(SPEAKER.refuse(refusal, Memory(0, lambda: NOW))))


def test_the_version_is_asked_for_where_the_table_sends_it():
    with pytest.raises(Refused, match="anthropic-version: header is required"):
        SPEAKER.answer(ask_for({}, headers={}))
    with pytest.raises(Refused, match="is not a valid version"):
        SPEAKER.answer(ask_for({}, headers={"anthropic-version": "1999-01-01"}))


def test_what_the_real_api_took_is_taken_here():
    """Recorded requests, but for what only the real API can have sealed, and for betas whose header was not kept."""
    only_there = (
        "Invalid `signature`",
        "Invalid `encrypted_content`",
        "mcp_servers: ",
        "using the image/png media type",
    )
    taken = 0
    for path in sorted(shared_file("recordings/anthropic/messages").glob("*.json")):
        recorded: Json = json.loads(path.read_bytes())
        sent = as_object(recorded["request"])
        request = as_object(sent.get("json"))
        if not request or recorded["response"]["status"] != 200:
            continue
        headers = {name.lower(): str(value) for name, value in as_object(sent["headers"]).items()}
        ask = Ask(ANTHROPIC, request["model"], request, "", {}, Memory(0, lambda: NOW), headers={**VERSION, **headers})
        came = outcome(ask)
        if isinstance(came, Refused):
            assert any(words in came.message for words in only_there), f"{path.name}: {came.message}"
        else:
            validate_answer(came, request)
            taken += 1
    assert taken > 100


def validate_answer(answer: Answer, request: Mapping[str, Any]) -> None:
    body = body_of(answer)
    if request.get("stream"):
        message_events(body)
    else:
        validate_message(body)


def test_the_validators_refuse_what_is_wrong():
    with pytest.raises(AssertionError, match="stop_reason"):
        validate_message({**whole({}), "stop_reason": "because"})
    with pytest.raises(AssertionError):
        validate_message_request({"model": "m"})
    events = body_of(SPEAKER.answer(ask_for({"stream": True})))
    with pytest.raises(AssertionError):
        message_events(events.replace(b"message_stop", b"message_halt"))
    with pytest.raises(AssertionError):
        message_events(events[: events.index(b"event: message_delta")])
