"""Requests to canonical words and back, and from other protocols to an upstream."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.blocks import CacheMark, Media, NativeBlock, Signature, Text, Thinking, ToolCall, ToolResult
from anygate.canonical.chat import (
    Chat,
    CustomTool,
    Format,
    FunctionTool,
    NativeTool,
    Reasoning,
    Sampling,
    ToolChoice,
    Turn,
    WebSearchTool,
)
from anygate.canonical.errors import InvalidRequest, UnsupportedContent
from anygate.protocols.chat_codec import Encoded, Target
from anygate.protocols.openai_responses.codec import INLINES
from anygate.protocols.openai_responses.decode import decode_request
from anygate.protocols.openai_responses.encode import encode_request
from anygate.protocols.openai_responses.request import read_request
from anygate.protocols.openai_responses.test_request import JSON
from anygate.protocols.signature_tag import tag

OTHER = "anthropic.messages"
TARGET = Target("gpt-5", maker="openai")


def decode(**document: Any) -> Chat:
    return decode_request(read_request(orjson.dumps({"model": "m", **document}), {}))


def again(**document: Any) -> dict[str, Any]:
    """A request of this protocol after the way through canonical words."""
    encoded = encode_request(decode(**document), Target("m", limit=document.get("max_output_tokens")))
    assert encoded.dropped == ()
    return encoded.document


def encode(*turns: Turn, **fields: Any) -> Encoded:
    """A request of another protocol for an upstream of this one."""
    return encode_request(Chat(protocol=OTHER, model="m", turns=turns, **fields), TARGET)


def user(*blocks: Any) -> Turn:
    return Turn("user", blocks)


def model(*blocks: Any) -> Turn:
    return Turn("assistant", blocks)


# Reading


def test_items_of_the_model_make_one_turn():
    chat = decode(
        instructions="Be brief",
        input=[
            {"role": "developer", "content": "Leading"},
            {"role": "user", "content": "Weather?"},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "Hm"}],
                "encrypted_content": "E",
            },
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "w", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
            {"role": "system", "content": "Mid"},
        ],
    )
    assert [block.text for block in chat.system] == ["Be brief", "Leading"]
    assert [turn.role for turn in chat.turns] == ["user", "assistant", "user", "system"]
    assert chat.turns[1].blocks == (
        Thinking("Hm", Signature("E"), id="rs_1"),
        Text("Let me see"),
        ToolCall("c1", "w", "{}", item_id="fc_1"),
    )
    assert chat.turns[2].blocks == (ToolResult("c1", (Text("sunny"),)),)


def test_parameters_get_their_words():
    chat = decode(
        input="Hi",
        temperature=0.5,
        top_logprobs=2,
        include=["message.output_text.logprobs", "reasoning.encrypted_content"],
        reasoning={"effort": "high", "summary": "auto"},
        text={
            "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True},
            "verbosity": "low",
        },
        tool_choice={"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        safety_identifier="u1",
        store=False,
        zzz=1,
    )
    assert chat.sampling == Sampling(temperature=0.5, logprobs=True, top_logprobs=2)
    assert chat.reasoning == Reasoning(True, "high", show=True, summary="auto", encrypted=True)
    assert chat.format == Format("schema", {"type": "object"}, "n", "", True)
    assert (chat.verbosity, chat.user) == ("low", "u1")
    assert chat.tool_choice == ToolChoice("subset", ("f",), must=True)
    assert chat.extras == {"store": False, "zzz": 1}


def test_what_the_upstream_keeps_is_refused_by_other_protocols():
    (turn, *_) = decode(input="And then?", previous_response_id="resp_1").turns
    (block,) = turn.blocks
    assert isinstance(block, NativeBlock)
    assert (block.protocol, block.text) == ("openai.responses", "")
    assert (
        again(input=[{"role": "user", "content": []}], previous_response_id="resp_1")["previous_response_id"]
        == "resp_1"
    )


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": [{"type": "function_call", "call_id": "c", "arguments": ""}]}, "input[0].name"),
        ({"input": [{"type": "function_call_output", "output": ""}]}, "input[0].call_id"),
        ({"input": "", "tools": [5]}, "tools"),
        ({"input": "", "tools": [{"type": "function"}]}, "tools"),
        ({"input": "", "temperature": "hot"}, "temperature"),
        ({"input": "", "reasoning": 5}, "reasoning"),
        ({"input": "", "text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"input": "", "include": "x"}, "include"),
        ({"input": "", "metadata": []}, "metadata"),
    ],
)
def test_what_cannot_be_read_is_named(document: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as caught:
        decode(**document)
    assert caught.value.param == param


KINDS = st.sampled_from(
    [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
        "web_search_call",
        "local_shell_call",
        "tool_search_output",
        "x",
    ]
)
FIELDS = st.sampled_from(
    [
        "role",
        "content",
        "call_id",
        "id",
        "name",
        "output",
        "arguments",
        "summary",
        "encrypted_content",
        "action",
        "tools",
        "execution",
    ]
)


def item_of(kind: str, rest: dict[str, Any]) -> dict[str, Any]:
    return {**rest, "type": kind}


ITEMS = st.builds(item_of, KINDS, st.dictionaries(FIELDS, JSON | st.just("user"), max_size=5))
TOP = st.sampled_from(
    [
        "tools",
        "tool_choice",
        "reasoning",
        "text",
        "include",
        "temperature",
        "metadata",
        "user",
        "instructions",
        "conversation",
    ]
)


@given(st.lists(ITEMS, max_size=4), st.dictionaries(TOP, JSON, max_size=4))
def test_any_request_is_read_or_refused(items: list[Any], fields: dict[str, Any]):
    try:
        chat = decode(input=items, **fields)
    except InvalidRequest:
        return
    encode_request(chat, Target("m"))


# There and back


@pytest.mark.parametrize(
    "item",
    [
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "phase": "commentary",
            "content": [{"type": "refusal", "refusal": "No"}],
        },
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "apply_patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "done"},
        {
            "type": "local_shell_call",
            "id": "l",
            "call_id": "c",
            "status": "completed",
            "action": {"type": "exec", "command": ["ls"], "env": {}},
        },
        {"type": "local_shell_call_output", "id": "c", "output": "files"},
        {"type": "computer_call", "id": "cu_1", "call_id": "c", "action": {"type": "click"}},
        {"type": "mcp_call", "id": "mcp_1", "name": "n", "server_label": "s", "arguments": "{}"},
        {"type": "item_reference", "id": "msg_9"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
        },
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_file", "file_id": "file-1", "detail": "high"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_new", "x": 1}]},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit"}}],
        },
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"},
    ],
)
def test_an_item_comes_back_as_it_was(item: dict[str, Any]):
    assert again(input=[item])["input"] == [item]


@pytest.mark.parametrize(
    "fields",
    [
        {"tool_choice": {"type": "web_search_preview"}},
        {"tool_choice": {"type": "custom", "name": "p"}, "tools": [{"type": "custom", "name": "p"}]},
        {"reasoning": {"effort": "none"}},
        {"reasoning": {"effort": "low", "context": "all_turns"}},
        {"truncation": "auto", "background": True, "max_tool_calls": 3, "store": True},
        {"text": {"format": {"type": "json_object"}, "verbosity": "high"}},
        {"conversation": {"id": "conv_1"}},
        {"prompt": {"id": "pmpt_1"}},
        {
            "parallel_tool_calls": False,
            "service_tier": "flex",
            "metadata": {"a": "b"},
            "prompt_cache_key": "k",
            "user": "u",
        },
        {"tools": [{"type": "web_search", "external_web_access": False, "filters": {"allowed_domains": ["a.b"]}}]},
        {"tools": [{"type": "mcp", "server_label": "s", "server_url": "https://s", "require_approval": "never"}]},
    ],
)
def test_a_field_comes_back_as_it_was(fields: dict[str, Any]):
    document = again(input=[], **fields)
    assert {name: document[name] for name in fields} == fields


# To an upstream


def test_a_conversation_of_another_protocol_is_written():
    encoded = encode(
        user(Text("Look"), Media("image", "image/png", "AAAA"), Media("file", "application/pdf", "BBBB", name="a.pdf")),
        model(Thinking("Hm", Signature("S", "anthropic")), Text("I "), Text("see"), ToolCall("c1", "f", "")),
        user(ToolResult("c1", (Text("no"),), is_error=True), Text("Well?")),
        system=(Text("One"), Text("Two")),
        tools=(FunctionTool("f"),),
        tool_choice=ToolChoice("one", ("f",)),
        stop=("END",),
    )
    document = encoded.document
    assert document["instructions"] == "One\n\nTwo"
    assert document["store"] is False
    assert document["tool_choice"] == {"type": "function", "name": "f"}
    assert document["tools"] == [
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
    ]
    assert document["input"] == [
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
                {"type": "input_file", "file_data": "data:application/pdf;base64,BBBB", "filename": "a.pdf"},
            ],
        },
        {"type": "message", "role": "assistant", "content": "I see"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "c1",
            "output": [{"type": "input_text", "text": "The tool failed:"}, {"type": "input_text", "text": "no"}],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Well?"}]},
    ]
    assert encoded.stop == ("END",)
    assert encoded.dropped == ()


def test_thoughts_go_back_to_their_maker_only():
    mine, foreign = Thinking("a", Signature("E", "openai")), Thinking("b", Signature("S", "anthropic"))
    items = encode(model(mine, foreign, Text("x"))).document["input"]
    assert items[0] == {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "a"}],
        "encrypted_content": "E",
    }
    assert [item["type"] for item in items] == ["reasoning", "message"]
    own = decode(input=[{"type": "reasoning", "summary": [], "encrypted_content": tag(Signature("S", "anthropic"))}])
    assert encode_request(own, TARGET).document["input"] == []


def test_reasoning_is_asked_for_in_a_form_that_can_come_back():
    assert encode(user(Text("x")), reasoning=Reasoning(True, budget=4000)).document["reasoning"] == {
        "effort": "low",
        "summary": "auto",
    }
    assert encode(user(Text("x")), reasoning=Reasoning(True, "high")).document["include"] == [
        "reasoning.encrypted_content"
    ]
    off = encode(user(Text("x")), reasoning=Reasoning(False)).document
    assert off["reasoning"] == {"effort": "none"}
    assert "include" not in off


def test_hints_without_a_twin_are_named_as_the_client_wrote_them():
    dropped = encode(
        user(Text("x", cache=CacheMark())),
        sampling=Sampling(top_k=5, seed=1),
        tools=(WebSearchTool(max_uses=2),),
        service_tier="standard_only",
        extras={"mcp_servers": []},
    ).dropped
    assert {entry.parameter for entry in dropped} == {
        "cache_control",
        "top_k",
        "seed",
        "tools",
        "service_tier",
        "mcp_servers",
    }


@pytest.mark.parametrize(
    ("chat", "param"),
    [
        ({"turns": (user(Media("audio", "audio/wav", "AAAA")),)}, "messages"),
        ({"turns": (user(Media("image", url="gs://b/o")),)}, "messages"),
        ({"turns": (user(Media("image", file_id="file_1")),)}, "messages"),
        ({"turns": (model(NativeBlock(OTHER, {"type": "x"})),)}, "messages"),
        ({"turns": (), "choices": 2}, "choices"),
        ({"turns": (), "modalities": ("audio",)}, "modalities"),
        ({"turns": (), "tools": (NativeTool(OTHER, {"type": "bash"}),)}, "tools"),
    ],
)
def test_content_without_a_twin_is_refused_by_name(chat: dict[str, Any], param: str):
    with pytest.raises(UnsupportedContent) as caught:
        encode_request(Chat(protocol=OTHER, model="m", **chat), TARGET)
    assert caught.value.param == param


def test_names_and_ids_that_the_upstream_refuses_are_changed():
    long_id = "x" * 80
    encoded = encode(
        model(ToolCall(long_id, "a.b", "{}")),
        user(ToolResult(long_id, (Text("r"),))),
        tools=(
            FunctionTool("a.b"),
            CustomTool("free", format={"type": "grammar", "grammar": {"syntax": "lark", "definition": "d"}}),
        ),
    )
    call, result = encoded.document["input"]
    assert call["name"] == "a_b"
    assert encoded.names == {"a_b": "a.b"}
    assert call["call_id"] == result["call_id"]
    assert len(call["call_id"]) <= 64
    assert encoded.document["tools"][1] == {
        "type": "custom",
        "name": "free",
        "format": {"type": "grammar", "syntax": "lark", "definition": "d"},
    }


def test_instructions_alone_become_a_message():
    document = encode(system=(Text("Only this"),)).document
    assert "instructions" not in document
    assert document["input"] == [
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Only this"}]}
    ]


def test_nothing_is_fetched_for_this_protocol():
    assert not INLINES(Media("image", url="https://a.b/c.png"))
