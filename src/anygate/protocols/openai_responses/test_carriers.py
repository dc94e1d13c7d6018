"""What clients hand back unread: signatures of other makers, and tools that only this protocol has (Codex)."""

from typing import Any

import orjson
import pytest

from anygate.canonical.blocks import Block, Media, Signature, Text, Thinking, ToolCall, ToolResult
from anygate.canonical.chat import Chat, CustomTool, FunctionTool, ToolChoice, WebSearchTool
from anygate.canonical.chat_events import Answer, Choice, Finished
from anygate.protocols.chat_codec import Reply, Target
from anygate.protocols.openai_responses.answer_encode import answer_object
from anygate.protocols.openai_responses.codec import CODEC
from anygate.protocols.openai_responses.decode import decode_request
from anygate.protocols.openai_responses.encode import encode_request
from anygate.protocols.openai_responses.request import read_request

SIGNATURE = Signature("c2ln", "anthropic")

NAMESPACE = {
    "type": "namespace",
    "name": "mcp__node",
    "description": "A server",
    "tools": [
        {"type": "function", "name": "js", "description": "Run", "parameters": {"type": "object"}, "strict": False},
        {"type": "function", "name": "reset", "parameters": {"type": "object"}, "strict": False},
    ],
}
CODEX_TOOLS: list[dict[str, Any]] = [
    {"type": "function", "name": "shell", "description": "Runs", "strict": False, "parameters": {"type": "object"}},
    {
        "type": "custom",
        "name": "apply_patch",
        "description": "Edits files",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
    },
    {"type": "web_search", "external_web_access": True},
    {"type": "local_shell"},
    {"type": "tool_search", "execution": "client", "description": "Finds tools", "parameters": {"type": "object"}},
    NAMESPACE,
]


def decode(items: Any, **fields: Any) -> Chat:
    return decode_request(read_request(orjson.dumps({"model": "m", "input": items, **fields}), {}))


def output(chat: Chat, *blocks: Block) -> list[dict[str, Any]]:
    answer = Answer("", "m", 1, (Choice(blocks, Finished("end")),), None)
    return answer_object(answer, Reply("abc", "m", 1, chat))["output"]


@pytest.mark.parametrize(
    "block",
    [
        Thinking("Hm", SIGNATURE, id="rs_1"),
        Thinking("", SIGNATURE, redacted=True, id="rs_1"),
        ToolCall("c1", "f", "{}", signature=Signature("c2ln", "google")),
        Text("said", signature=Signature("c2ln", "google")),
        Text("", signature=Signature("c2ln", "google")),
        Media("image", "image/png", "AAAA", id="ig_1", signature=Signature("c2ln", "google")),
    ],
)
def test_a_foreign_signature_comes_back_with_its_block(block: Block):
    items = output(decode("x"), block)
    (turn,) = decode(items).turns
    (back,) = turn.blocks
    assert isinstance(back, type(block))
    fields = [name for name in block.__struct_fields__ if name not in ("options", "item_id")]
    assert {name: getattr(back, name) for name in fields} == {name: getattr(block, name) for name in fields}


def test_signatures_of_two_calls_find_their_calls_in_any_order():
    calls = [ToolCall(name, "f", "{}", signature=Signature(f"s-{name}", "google")) for name in ("a", "b")]
    items = output(decode("x"), *calls)
    for order in (items, [*items[1::2], *items[::2]]):
        (turn,) = decode(order).turns
        assert [(call.id, call.signature) for call in turn.blocks if isinstance(call, ToolCall)] == [
            (call.id, call.signature) for call in calls
        ]


def test_the_protocols_own_encryption_stays_raw():
    (item,) = output(decode("x"), Thinking("Hm", Signature("gAAA"), id="rs_1"))
    assert item["encrypted_content"] == "gAAA"


def test_a_thought_that_nobody_signed_never_reaches_openai():
    """It would look for the id that we made, and refuse the request."""
    (item,) = output(decode("x"), Thinking("Hm"))
    assert item["id"].startswith("rs_anygate_")
    body = {"model": "m", "input": [item, {"role": "user", "content": "x"}]}
    request = read_request(orjson.dumps(body), {})
    assert CODEC.holds_foreign is not None
    assert CODEC.holds_foreign(request)
    sent = encode_request(decode_request(request), Target("m", maker="openai")).document["input"]
    assert [item.get("type", "message") for item in sent] == ["message"]


def test_codex_tools_can_be_offered_by_any_protocol():
    chat = decode("x", tools=CODEX_TOOLS, tool_choice="auto")
    names = [tool.name for tool in chat.tools if isinstance(tool, FunctionTool | CustomTool)]
    assert names == ["shell", "apply_patch", "local_shell", "tool_search", "mcp__node__js", "mcp__node__reset"]
    assert any(isinstance(tool, WebSearchTool) for tool in chat.tools)
    assert encode_request(chat, Target("m")).document["tools"] == CODEX_TOOLS


def test_calls_of_codex_tools_get_their_own_items():
    chat = decode("x", tools=CODEX_TOOLS)
    items = output(
        chat,
        ToolCall("c1", "mcp__node__js", '{"code":"1"}'),
        ToolCall("c2", "apply_patch", "*** Begin Patch", custom=True),
        ToolCall("c3", "local_shell", '{"command":["ls","-l"]}'),
        ToolCall("c4", "tool_search", '{"query":"rates"}'),
    )
    call, patch, shell, search = items
    assert (call["type"], call["namespace"], call["name"], call["call_id"]) == (
        "function_call",
        "mcp__node",
        "js",
        "c1",
    )
    assert (patch["type"], patch["name"], patch["input"]) == ("custom_tool_call", "apply_patch", "*** Begin Patch")
    assert (shell["type"], shell["action"]["command"]) == ("local_shell_call", ["ls", "-l"])
    assert (search["type"], search["execution"], search["arguments"]) == (
        "tool_search_call",
        "client",
        {"query": "rates"},
    )
    # On the next turn they are calls of functions again, for whatever upstream.
    (turn,) = decode(items, tools=CODEX_TOOLS).turns
    calls = [block for block in turn.blocks if isinstance(block, ToolCall)]
    assert [(block.id, block.name, block.custom) for block in calls] == [
        ("c1", "mcp__node__js", False),
        ("c2", "apply_patch", True),
        ("c3", "local_shell", False),
        ("c4", "tool_search", False),
    ]
    assert [orjson.loads(block.arguments) for block in calls[2:]] == [{"command": ["ls", "-l"]}, {"query": "rates"}]


def test_tools_that_were_found_can_be_called():
    items: list[dict[str, Any]] = [
        {"type": "tool_search_call", "call_id": "c", "execution": "client", "status": "completed", "arguments": {}},
        {
            "type": "tool_search_output",
            "call_id": "c",
            "execution": "client",
            "status": "completed",
            "tools": [NAMESPACE],
        },
        {"type": "function_call", "call_id": "d", "namespace": "mcp__node", "name": "js", "arguments": "{}"},
    ]
    chat = decode(items, tools=CODEX_TOOLS[:1])
    assert [tool.name for tool in chat.tools if isinstance(tool, FunctionTool)] == [
        "shell",
        "mcp__node__js",
        "mcp__node__reset",
    ]
    result = chat.turns[1].blocks[0]
    assert isinstance(result, ToolResult)
    assert result.blocks == (Text("Tools found: js, reset"),)
    document = encode_request(chat, Target("m")).document
    assert document["input"] == items
    assert document["tools"] == CODEX_TOOLS[:1]


def test_a_tool_in_a_namespace_never_shadows_another():
    taken: dict[str, Any] = {"type": "function", "name": "mcp__node__js", "parameters": {}, "strict": True}
    chat = decode(
        "x", tools=[NAMESPACE, taken], tool_choice={"type": "function", "name": "js", "namespace": "mcp__node"}
    )
    assert [tool.name for tool in chat.tools if isinstance(tool, FunctionTool)] == [
        "mcp__node__js_2",
        "mcp__node__reset",
        "mcp__node__js",
    ]
    assert chat.tool_choice == ToolChoice("one", ("mcp__node__js_2",))
    assert encode_request(chat, Target("m")).document["tool_choice"] == {
        "type": "function",
        "name": "js",
        "namespace": "mcp__node",
    }
