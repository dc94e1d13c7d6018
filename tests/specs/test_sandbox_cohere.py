"""All that the sandbox says in Cohere's protocol satisfies Cohere's official document."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from anygate.providers.table import Endpoint, Provider
from anygate.sandbox.answer import Answer
from anygate.sandbox.cohere_chat import SPEAKER
from anygate.sandbox.faults import faults_asked, refusal_of
from anygate.sandbox.json_values import Json, as_object
from anygate.sandbox.refusal import Refused
from anygate.sandbox.speaker import Ask, Memory
from tests.specs.answers import body_of
from tests.specs.cohere import chat_events, validate_chat_response, validate_messages
from tests.specs.documents import shared_file

COHERE = Provider("cohere", "Cohere", "", "", endpoints={"chat": Endpoint("cohere.chat", "POST", "/v2/chat")})
NOW = 1_790_000_000

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": CITY}}
CLOCK = {"type": "function", "function": {"name": "get_time", "parameters": CITY}}
CALL = {"id": "get_weather_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
ASKED = {"role": "user", "content": "Weather in Paris?"}
PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}


def says(words: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": words}]}


def after_call(content: object) -> dict[str, Any]:
    called = {"role": "assistant", "tool_plan": "I will look.", "tool_calls": [CALL]}
    return {
        "messages": [ASKED, called, {"role": "tool", "tool_call_id": "get_weather_1", "content": content}],
        "tools": [WEATHER],
    }


REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "system": {"messages": [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "Grüße, 世界 🎉"}]},
    "limit": {"max_tokens": 2},
    "stop": {"stop_sequences": ["ther"], "temperature": 0.5, "k": 3, "p": 0.5, "seed": 7},
    "logprobs": {"logprobs": True},
    "one tool": {"messages": [ASKED], "tools": [WEATHER, CLOCK]},
    "two tools": {**says("get_weather and get_time in Rome"), "tools": [WEATHER, CLOCK]},
    "required": {**after_call("18C"), "tool_choice": "REQUIRED"},
    "no tool": {"tools": [WEATHER], "tool_choice": "NONE"},
    "cut call": {"messages": [ASKED], "tools": [WEATHER], "max_tokens": 13},
    "tool result": after_call("18C"),
    "documents from a tool": after_call([{"type": "document", "document": {"id": "d", "data": {"text": "18C"}}}]),
    "documents": {"documents": ["Grass is green.", {"id": "sky", "data": {"title": "Sky", "text": "Sky is blue."}}]},
    "no citations": {"documents": ["Grass is green."], "citation_options": {"mode": "DISABLED"}},
    "thinking": {"thinking": {"type": "enabled"}},
    "short thinking": {"thinking": {"type": "enabled", "token_budget": 3}},
    "cut thinking": {"thinking": {"type": "enabled"}, "max_tokens": 3},
    "thinking by default": {"model": "command-a-reasoning-08-2025"},
    "thinking and a tool": {"model": "command-a-plus-05-2026", "messages": [ASKED], "tools": [WEATHER]},
    "image": {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, PNG]}]},
    "JSON": {"response_format": {"type": "json_object"}},
    "schema": {"response_format": {"type": "json_object", "json_schema": CITY}},
    "words": {"model": "sandbox-words-30"},
    "empty": {"model": "sandbox-empty"},
    "ignored limit": {"model": "sandbox-ignores-limit", "max_tokens": 4},
}  # fmt: skip


def ask_for(fields: Mapping[str, Any]) -> Ask:
    request: dict[str, Any] = {"model": "command-a-03-2025", **says("Hello there"), **fields}
    validate_messages(request["messages"])
    faults = faults_asked(request["model"], "sk-test", "")
    return Ask(COHERE, request["model"], request, "sk-test", faults, Memory(0, lambda: NOW))


def whole(fields: Mapping[str, Any]) -> dict[str, Any]:
    body = orjson.loads(body_of(SPEAKER.answer(ask_for(fields))))
    validate_chat_response(without_logprobs(body))
    return body


def without_logprobs(body: Mapping[str, Any]) -> dict[str, Any]:
    """The document requires members of a `LogprobItem` that it does not describe; they are there, and looked at apart."""
    return {name: value for name, value in body.items() if name != "logprobs"}


def streamed(fields: Mapping[str, Any]) -> list[Any]:
    return chat_events(body_of(SPEAKER.answer(ask_for({**fields, "stream": True}))))


def joined(events: list[Any]) -> dict[str, Any]:
    """The message that the events of a stream make, with empty members left out."""
    made: dict[str, Any] = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    for event in events:
        message = as_object(event.get("delta")).get("message", {})
        match event["type"]:
            case "content-start":
                made["content"].append(message["content"])
            case "content-delta":
                block = made["content"][event["index"]]
                block[block["type"]] += message["content"][block["type"]]
            case "tool-plan-delta":
                made["tool_plan"] += message["tool_plan"]
            case "tool-call-start":
                made["tool_calls"].append(message["tool_calls"])
            case "tool-call-delta":
                function = made["tool_calls"][event["index"]]["function"]
                function["arguments"] += message["tool_calls"]["function"]["arguments"]
            case "citation-start":
                made["citations"].append(message["citations"])
            case _:
                pass
    return {name: value for name, value in made.items() if value}


@pytest.mark.parametrize("name", REQUESTS)
def test_stream_and_plain_answer_are_valid_and_say_the_same(name: str):
    answer, events = whole(REQUESTS[name]), streamed(REQUESTS[name])
    assert joined(events) == answer["message"]
    assert events[-1]["delta"] == {"finish_reason": answer["finish_reason"], "usage": answer["usage"]}


def test_finish_and_usage_follow_from_the_request():
    assert whole(REQUESTS["limit"])["finish_reason"] == "MAX_TOKENS"
    assert whole(REQUESTS["limit"])["usage"]["billed_units"] == {"input_tokens": 3, "output_tokens": 2}
    assert whole(REQUESTS["limit"])["usage"]["tokens"] == {"input_tokens": 499, "output_tokens": 2}
    stopped = whole(REQUESTS["stop"])
    assert (stopped["finish_reason"], stopped["message"]["content"][0]["text"]) == ("STOP_SEQUENCE", "Hello ")
    assert whole(REQUESTS["words"])["usage"]["billed_units"]["output_tokens"] == 30
    assert whole(REQUESTS["thinking"])["usage"]["tokens"]["reasoning_tokens"] > 3
    assert whole(REQUESTS["short thinking"])["usage"]["tokens"]["reasoning_tokens"] == 3
    assert whole(REQUESTS["image"])["usage"]["tokens"]["image_tokens"] == 85
    assert "image/png, 8 bytes" in whole(REQUESTS["image"])["message"]["content"][0]["text"]
    assert [item["token"] for item in whole(REQUESTS["logprobs"])["logprobs"]] == ["Hell", "o th", "ere"]
    ask = ask_for({})
    assert [orjson.loads(body_of(SPEAKER.answer(ask)))["usage"]["cached_tokens"] for _ in range(2)] == [0, 3]


def test_tools_are_called_and_their_results_cited():
    message = whole(REQUESTS["one tool"])["message"]
    assert message["tool_plan"] == "I will use get_weather to find the answer."
    assert [call["function"] for call in message["tool_calls"]] == [
        {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    ]
    assert len(whole(REQUESTS["two tools"])["message"]["tool_calls"]) == 2
    assert whole(REQUESTS["cut call"])["message"]["tool_calls"][0]["function"]["arguments"] == '{"city":'
    assert [block["type"] for block in whole(REQUESTS["thinking and a tool"])["message"]["content"]] == ["thinking"]
    answered = whole(REQUESTS["tool result"])["message"]
    assert answered["content"][0]["text"] == "The tool answered: 18C"
    (citation,) = answered["citations"]
    assert answered["content"][0]["text"][citation["start"] : citation["end"]] == citation["text"] == "18C"
    assert citation["sources"] == [{"type": "tool", "id": "get_weather_1:0", "tool_output": {"content": "18C"}}]
    (document,) = whole(REQUESTS["documents from a tool"])["message"]["citations"]
    assert document["sources"] == [{"type": "tool", "id": "d", "tool_output": {"text": "18C"}}]


def test_documents_are_cited_unless_that_is_switched_off():
    message = whole(REQUESTS["documents"])["message"]
    text = message["content"][0]["text"]
    assert [text[one["start"] : one["end"]] for one in message["citations"]] == ["Grass is green.", "Sky is blue."]
    assert [one["sources"][0]["id"] for one in message["citations"]] == ["doc:0", "sky"]
    assert "citations" not in whole(REQUESTS["no citations"])["message"]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": ({"n": 2}, "parameter 'n' is not a valid field"),
    "no message": ({"messages": []}, "must not be empty"),
    "role": ({"messages": [{"role": "developer", "content": "x"}]}, "messages[0].role must be one of"),
    "empty text": ({"messages": [{"role": "user", "content": ""}]}, "at least 1 token long"),
    "assistant last": ({"messages": [ASKED, {"role": "assistant", "content": "x"}]}, "last message"),
    "result of no call": ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "was not found"),
    "open call": ({"messages": [ASKED, {"role": "assistant", "tool_calls": [CALL]}, ASKED]}, "tool results are missing"),
    "part": ({"messages": [{"role": "user", "content": [{"type": "sound"}]}]}, "content[0].type must be one of"),
    "picture": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///x"}}]}]},
        "must be a web or a data URL",
    ),
    "too hot": ({"temperature": 1.5}, "temperature must be between 0 and 1"),
    "too sure": ({"p": 1.0}, "p must be between 0.01 and 0.99"),
    "six stops": ({"stop_sequences": list("abcdef")}, "maximum of 5"),
    "choice": ({"tools": [WEATHER], "tool_choice": "auto"}, "tool_choice must be one of"),
    "choice of nothing": ({"tool_choice": "REQUIRED"}, "tool_choice can only be specified"),
    "tool": ({"tools": [{"type": "function", "function": {"name": "a"}}]}, "tools[0] must be a function"),
    "schema": ({"response_format": {"type": "json_object", "json_schema": {"type": "object"}}}, "required field"),
    "JSON with tools": ({"response_format": {"type": "json_object"}, "tools": [WEATHER]}, "not supported with tools"),
    "document": ({"documents": [{"text": "x"}]}, "documents[0] must be a string, or an object with data"),
    "budget": ({"thinking": {"type": "enabled", "token_budget": 0}}, "thinking.token_budget must be at least 1"),
    "limit": ({"max_tokens": "x"}, "max_tokens must be an integer"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_refusal_says_what_is_wrong(name: str):
    fields, words = BAD[name]
    memory = Memory(0, lambda: NOW)
    request: dict[str, Any] = {"model": "m", **says("x"), **fields}
    with pytest.raises(Refused) as caught:
        SPEAKER.answer(Ask(COHERE, "m", request, "", {}, memory))
    answer = SPEAKER.refuse(caught.value, memory)
    assert answer.status == (422 if name == "unknown field" else 400)
    error = orjson.loads(body_of(answer))
    assert set(error) == {"id", "message"}
    assert words in error["message"]


def outcome(ask: Ask) -> Answer | Refused:
    try:
        return SPEAKER.answer(ask)
    except Refused as refused:
        return refused


@pytest.mark.parametrize("junk", [None, True, 7, 1.5, "x", [], {}, [None], [[]], {"type": 7}, [{"type": []}]])
def test_junk_in_any_field_is_refused_or_answered(junk: object):
    names = (
        "messages",
        "tools",
        "documents",
        "thinking",
        "response_format",
        "stop_sequences",
        "max_tokens",
        "tool_choice",
    )
    names += ("citation_options", "logprobs", "stream", "k", "seed", "safety_mode")
    bodies: list[dict[str, Any]] = [{name: junk} for name in names]
    bodies += [{"messages": [{"role": role, "content": junk}]} for role in ("user", "assistant", "system", "tool")]
    bodies += [{"messages": [{"role": "assistant", "tool_calls": junk}, ASKED]}, {"documents": [junk]}]
    bodies += [{"tools": [{"type": "function", "function": junk}]}, after_call(junk), after_call([junk])]
    for fields in bodies:
        came = outcome(Ask(COHERE, "m", {"model": "m", **says("x"), **fields}, "", {}, Memory(0, lambda: NOW)))
        if isinstance(came, Refused):
            assert came.status == 400, fields
        else:
            assert body_of(came)


def test_what_the_real_api_took_is_taken_here():
    taken = 0
    for path in sorted(shared_file("recordings/cohere/chat-native").glob("*.json")):
        recorded: Json = json.loads(path.read_bytes())
        request = as_object(as_object(recorded["request"]).get("json"))
        if recorded["endpoint"] != "POST /v2/chat" or not request or recorded["response"]["status"] != 200:
            continue
        came = outcome(Ask(COHERE, request["model"], request, "", {}, Memory(0, lambda: NOW)))
        assert isinstance(came, Answer), f"{path.name}: {came}"
        body = body_of(came)
        _ = chat_events(body) if request.get("stream") else validate_chat_response(body)
        taken += 1
    assert taken > 20


@pytest.mark.parametrize("status", ["400", "401", "402", "403", "404-model", "408", "429", "500", "503", "529"])
def test_a_refusal_on_demand_has_a_sentence(status: str):
    refusal = refusal_of({status: 1}, "m")
    assert refusal is not None
    answer = SPEAKER.refuse(refusal, Memory(0, lambda: NOW))
    assert orjson.loads(body_of(answer))["message"]
    assert dict(answer.headers).get("retry-after") == ("1" if status == "429" else None)


def test_the_validators_refuse_what_is_wrong():
    with pytest.raises(AssertionError, match="finish_reason"):
        validate_chat_response({**whole({}), "finish_reason": "because"})
    with pytest.raises(AssertionError):
        validate_messages([{"role": "user"}])
    events = body_of(SPEAKER.answer(ask_for({"stream": True})))
    with pytest.raises(AssertionError, match="ends with"):
        chat_events(events.replace(b"data: [DONE]\n\n", b""))
    with pytest.raises(AssertionError):
        chat_events(events.replace(b'"index":0', b'"index":"0"'))
