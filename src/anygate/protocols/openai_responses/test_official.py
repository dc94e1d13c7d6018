"""What the Responses codec writes, held against OpenAI's official document."""

from itertools import count
from typing import Any

import orjson
import pytest
from tests.specs.responses import response_events, validate_openai, validate_response

from anygate.canonical.blocks import (
    Block,
    Citation,
    Media,
    Refusal,
    Signature,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
    ToolResult,
    WebSearchCall,
)
from anygate.canonical.chat import (
    Chat,
    CustomTool,
    Format,
    FunctionTool,
    Reasoning,
    Sampling,
    ToolChoice,
    Turn,
    WebSearchTool,
)
from anygate.canonical.chat_events import Answer, Choice, Failed, Finished, Started
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Reply, Target
from anygate.protocols.fold import unfold
from anygate.protocols.openai_responses.answer_encode import encode_answer
from anygate.protocols.openai_responses.decode import decode_request
from anygate.protocols.openai_responses.encode import encode_request
from anygate.protocols.openai_responses.request import read_request
from anygate.protocols.openai_responses.state import input_items
from anygate.protocols.openai_responses.stream_encode import ResponsesStreamEncoder

INPUT_ITEMS = {
    "message": "EasyInputMessage",
    "reasoning": "ReasoningItem",
    "function_call": "FunctionToolCall",
    "function_call_output": "FunctionCallOutputItemParam",
    "custom_tool_call": "CustomToolCall",
    "custom_tool_call_output": "CustomToolCallOutput",
}
"""The union of items is told apart by `type`, so each is held against the one schema that its type names."""

CHAT = Chat(
    protocol="anthropic.messages",
    model="m",
    turns=(
        Turn("user", (Text("Look"), Media("image", "image/png", "AAAA"), Media("file", "application/pdf", "BBBB"))),
        Turn("assistant", (Thinking("Hm", Signature("E", "openai")), Text("I see"), ToolCall("c1", "f.g", "{}"))),
        Turn("user", (ToolResult("c1", (Text("a"), Media("image", url="https://a.b/c.png"))), Text("Well?"))),
        Turn("system", (Text("Mid"),)),
        Turn("assistant", (ToolCall("c2", "free", "x", custom=True), Refusal("no"))),
        Turn("user", (ToolResult("c2", (Text("done"),)),)),
    ),
    system=(Text("One"),),
    tools=(
        FunctionTool("f.g", "Does", {"type": "object"}),
        CustomTool("free", "Takes text"),
        WebSearchTool("low", ("a.b",), location={"country": "DE"}),
    ),
    tool_choice=ToolChoice("subset", ("f.g", "free"), must=True),
    parallel_tools=False,
    sampling=Sampling(temperature=0.5, logprobs=True, top_logprobs=2),
    format=Format("schema", {"type": "object"}, "n", "d", True),
    reasoning=Reasoning(True, budget=2000),
    verbosity="low",
    service_tier="flex",
    user="u",
    metadata={"a": "b"},
    cache_key="k",
    stream=True,
)
ASKED: dict[str, Any] = {
    "model": "m",
    "input": "x",
    "instructions": "Brief",
    "tools": [
        {"type": "function", "name": "f", "parameters": {"type": "object"}},
        {"type": "custom", "name": "p", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
        {"type": "web_search", "search_context_size": "low"},
        {"type": "local_shell"},
        {"type": "namespace", "name": "s", "description": "d", "tools": [{"type": "function", "name": "g"}]},
    ],
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "metadata": {"a": "b"},
    "user": "u",
}
BLOCKS: tuple[Block, ...] = (
    Thinking("Hm", Signature("c2ln", "anthropic")),
    Thinking("", Signature("c2ln", "anthropic"), redacted=True),
    WebSearchCall("", "q"),
    Text("said", (Citation("https://a.b", "T"),), None, None, (TokenLogprob("said", -0.5),)),
    Refusal("no"),
    ToolCall("c1", "f", "{}", signature=Signature("c2ln", "google")),
    ToolCall("c2", "p", "text", custom=True),
    ToolCall("c3", "local_shell", '{"command":["ls"]}'),
    ToolCall("c4", "s__g", ""),
    Media("image", "image/png", "AAAA"),
)


def reply() -> Reply:
    return Reply("abc", "m", 5, decode_request(read_request(orjson.dumps(ASKED), {})))


def answer(finish: Finished) -> Answer:
    return Answer("", "m", 5, (Choice(BLOCKS, finish),), Usage(input=5, cached_input=1, output=3))


def validate_request(document: dict[str, Any]) -> None:
    items: list[dict[str, Any]] = document["input"]
    for item in items:
        # Recorded calls leave out the id of a reasoning item, though the document asks for it.
        validate_openai(INPUT_ITEMS[item["type"]], {"id": "rs_1", **item} if item["type"] == "reasoning" else item)
    validate_openai("CreateResponse", {**document, "input": "checked above"})


def test_a_request_of_another_protocol_is_official():
    encoded = encode_request(CHAT, Target("gpt-5", "openai", limit=100, traits=frozenset({"developer_role"})))
    validate_request(encoded.document)
    assert encoded.document["max_output_tokens"] == 100


@pytest.mark.parametrize("finish", [Finished("tool_call"), Finished("length"), Finished("filtered")])
def test_an_answer_is_official(finish: Finished):
    validate_response(encode_answer(answer(finish), reply()))
    encoder = ResponsesStreamEncoder(reply())
    events = list(response_events(encoder.feed(unfold(answer(finish))) + encoder.finish()))
    items = [event["item"]["type"] for event in events if event["type"] == "response.output_item.done"]
    assert items == [
        "reasoning",
        "reasoning",
        "web_search_call",
        "message",
        "function_call",
        "reasoning",
        "custom_tool_call",
        "local_shell_call",
        "function_call",
        "image_generation_call",
    ]


def test_a_failure_is_official():
    encoder = ResponsesStreamEncoder(reply())
    events = list(response_events(encoder.feed([Started("r", "m"), Failed("gone", "odd")])))
    assert events[-1]["response"]["error"] == {"code": "server_error", "message": "gone"}


def test_a_list_of_input_items_is_official():
    numbers = count()
    items: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "input_image", "image_url": "https://a.b/c.png"}]},
        {"role": "assistant", "content": "Hello"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "ok"},
        {"type": "reasoning", "summary": []},
    ]
    listed = input_items({"input": items}, lambda prefix: f"{prefix}_{next(numbers)}")
    ends = {"first_id": listed[0]["id"], "last_id": listed[-1]["id"]}
    validate_openai("ResponseItemList", {"object": "list", "data": listed, "has_more": False, **ends})
