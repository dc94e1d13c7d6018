"""A client's request in canonical words."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.blocks import (
    CacheMark,
    Citation,
    Media,
    NativeBlock,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    WebSearchCall,
)
from anygate.canonical.chat import Chat, Format, FunctionTool, NativeTool, Reasoning, ToolChoice, Turn, WebSearchTool
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.anthropic_messages.carriers import carrier
from anygate.protocols.anthropic_messages.decode_request import decode_request
from anygate.protocols.anthropic_messages.request import read_request
from anygate.protocols.signature_tag import tag


def decode(**fields: Any) -> Chat:
    return decode_request(read_request(orjson.dumps({"model": "claude-x", "max_tokens": 9, "messages": [], **fields})))


def blocks(*content: dict[str, Any], role: str = "user") -> tuple[Any, ...]:
    return decode(messages=[{"role": role, "content": list(content)}]).turns[0].blocks


def test_strings_are_text():
    chat = decode(system="Be brief.", messages=[{"role": "user", "content": "Hello"}])
    assert chat.system == (Text("Be brief."),)
    assert chat.turns == (Turn("user", (Text("Hello"),)),)


def test_limits_sampling_and_the_rest_are_read():
    chat = decode(
        stop_sequences=["END"],
        temperature=0.5,
        top_k=4,
        service_tier="standard_only",
        metadata={"user_id": "u1"},
        stream=True,
    )
    assert (chat.output_limit, chat.stop, chat.sampling.temperature, chat.sampling.top_k) == (9, ("END",), 0.5, 4)
    assert (chat.service_tier, chat.user, chat.stream, chat.include_usage, chat.extras) == (
        "default",
        "u1",
        True,
        True,
        {},
    )


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Reasoning(enabled=True, budget=2000)),
        ({"thinking": {"type": "disabled"}}, Reasoning(enabled=False)),
        (
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "max"}},
            Reasoning(enabled=True, adaptive=True, effort="max", show=True),
        ),
        ({"output_config": {"effort": "low"}}, Reasoning(effort="low")),
    ],
)
def test_thinking_is_read(fields: dict[str, Any], reasoning: Reasoning | None):
    assert decode(**fields).reasoning == reasoning


@pytest.mark.parametrize("spelling", ["output_config", "output_format"])
def test_the_form_of_the_answer_is_read_in_both_spellings(spelling: str):
    form = {"type": "json_schema", "schema": {"type": "object"}}
    fields = {"output_format": form} if spelling == "output_format" else {"output_config": {"format": form}}
    assert decode(**fields).format == Format("schema", {"type": "object"}, strict=True)


def test_tools_are_read():
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2, "allowed_domains": ["a.example"]}
    place = {"user_location": {"type": "approximate", "city": "Lyon", "region": None}}
    shell = {"type": "bash_20250124", "name": "bash"}
    mine = {"name": "f", "description": "d", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}
    chat = decode(tools=[mine, {**search, **place}, shell])
    assert chat.tools == (
        FunctionTool("f", "d", {"type": "object"}, None, CacheMark()),
        WebSearchTool(allowed_domains=("a.example",), location={"city": "Lyon"}, max_uses=2),
        NativeTool("anthropic.messages", shell),
    )


@pytest.mark.parametrize(
    ("raw", "choice", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "tool", "name": "f"}, ToolChoice("one", ("f",)), None),
        ({"type": "none"}, ToolChoice("none"), None),
    ],
)
def test_the_choice_of_tools_is_read(raw: dict[str, Any], choice: ToolChoice, parallel: bool | None):
    chat = decode(tool_choice=raw)
    assert (chat.tool_choice, chat.parallel_tools) == (choice, parallel)


def test_media_of_each_source_are_read():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    link = {"type": "image", "source": {"type": "url", "url": "https://a.example/i.png"}}
    words = {"type": "document", "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "w"}}
    upload = {"type": "document", "source": {"type": "file", "file_id": "file_1"}, "citations": {"enabled": True}}
    assert blocks(image, link, words, upload) == (
        Media("image", "image/png", data="AAAA"),
        Media("image", url="https://a.example/i.png"),
        Media("file", "text/plain", text="w", name="T"),
        Media("file", file_id="file_1", options={"anthropic.messages": {"citations": {"enabled": True}}}),
    )


def test_calls_and_results_are_read():
    call = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
    result = {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [{"type": "text", "text": "no"}]}
    assert blocks(call, role="assistant") == (ToolCall("t1", "f", '{"a":1}'),)
    assert blocks(result) == (ToolResult("t1", (Text("no"),), is_error=True),)


@pytest.mark.parametrize("kind", ["tool_reference", [], {}, None])
def test_a_result_that_only_this_protocol_has_stays_whole(kind: Any):
    raw = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": kind, "tool_name": "f"}]}
    assert blocks(raw) == (NativeBlock("anthropic.messages", raw),)


def test_a_search_has_its_results_with_it():
    call = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
    result: dict[str, Any] = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    cited = {"type": "web_search_result_location", "url": "u", "title": "t", "cited_text": "c", "encrypted_index": "e"}
    text = {"type": "text", "text": "x", "citations": [cited]}
    assert blocks(call, result, text, role="assistant") == (
        WebSearchCall("srvtoolu_1", "q", "anthropic.messages", {"blocks": [call, result]}),
        Text("x", (Citation("u", "t", "c", protocol="anthropic.messages", raw=cited),)),
    )


def test_signatures_say_whose_they_are():
    theirs = tag(Signature("abc", "openai"))
    found = blocks(
        {"type": "thinking", "thinking": "a", "signature": "EqQB"},
        {"type": "thinking", "thinking": "b", "signature": theirs},
        {"type": "thinking", "thinking": "c", "signature": ""},
        {"type": "redacted_thinking", "data": "Em"},
        {"type": "redacted_thinking", "data": theirs},
        role="assistant",
    )
    assert found == (
        Thinking("a", Signature("EqQB")),
        Thinking("b", Signature("abc", "openai")),
        Thinking("c"),
        Thinking("", Signature("Em"), redacted=True),
        Thinking("", Signature("abc", "openai"), redacted=True),
    )


def test_carried_signatures_come_back_to_their_blocks():
    mine = Signature("sig", "google")
    call: dict[str, Any] = {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "other"}}
    chat = decode(messages=[{"role": "assistant", "content": [
        carrier(mine, "next"), call, {"type": "text", "text": "x"}, carrier(mine, "previous"), carrier(mine, "alone")
    ]}])  # fmt: skip
    assert chat.turns[0].blocks == (
        ToolCall("t", "f", "{}", signature=mine),
        Text("x", signature=mine),
        Text("", signature=mine),
    )
    assert chat.extras == {"messages.0.content.0.caller": {"type": "other"}}


@pytest.mark.parametrize("spelling", ["role", "block"])
def test_instructions_in_the_middle_keep_their_place(spelling: str):
    content = [{"type": "text", "text": "New rules."}]
    messages: list[Any] = [{"role": "user", "content": "Hello"}, {"role": "system", "content": content}]
    if spelling == "block":
        mine = [{"type": "text", "text": "Hello"}, {"type": "mid_conv_system", "content": content}]
        messages = [{"role": "user", "content": mine}]
    assert decode(messages=messages).turns == (Turn("user", (Text("Hello"),)), Turn("system", (Text("New rules."),)))


def test_what_has_no_word_is_kept_by_its_place():
    chat = decode(
        container="c1",
        metadata={"user_id": "u", "team": "t"},
        tools=[{"name": "f", "input_schema": {"type": "object"}, "defer_loading": True}],
        thinking={"type": "between_tools"},
        output_config={"effort": "tiny"},
        cache_control=None,
        system=[{"type": "text", "text": "s", "new": 1}],
        messages=[{"role": "user", "content": [{"type": "text", "text": "x", "new": 2}], "new": 3}],
    )
    assert chat.extras == {
        "container": "c1",
        "metadata.team": "t",
        "tools.0.defer_loading": True,
        "thinking": {"type": "between_tools"},
        "output_config.effort": "tiny",
        "system.0.new": 1,
        "messages.0.content.0.new": 2,
        "messages.0.new": 3,
    }


UNREADABLE: list[tuple[dict[str, Any], str]] = [
    ({"messages": [{"role": "narrator", "content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages.0.content.0.type"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
    ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages.0.content.0.source"),
    ({"system": [{"type": "image", "source": {"type": "url", "url": "u"}}]}, "system"),
    ({"tools": [{"name": "f", "input_schema": []}]}, "tools.0.input_schema"),
    ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
    ({"thinking": {"type": "enabled", "budget_tokens": "many"}}, "thinking.budget_tokens"),
    ({"temperature": "warm"}, "temperature"),
    ({"stop_sequences": "END"}, "stop_sequences"),
    ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
    ({"metadata": []}, "metadata"),
]


@pytest.mark.parametrize(("fields", "param"), UNREADABLE)
def test_what_cannot_be_read_is_refused_by_its_place(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        decode(**fields)
    assert refusal.value.param == param


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["text", "image", "tool_use", "thinking", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "text", "source", "content", "input", "name", "id", "citations", "data", "role"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
FIELDS = ["system", "tools", "tool_choice", "thinking", "output_config", "output_format", "metadata", "stop_sequences"]


@given(st.dictionaries(st.sampled_from([*FIELDS, "messages", "temperature", "max_tokens", "service_tier"]), VALUES))
def test_nonsense_is_refused_and_nothing_else(fields: dict[str, Any]):
    with suppress(InvalidRequest):
        assert decode(**fields).protocol == "anthropic.messages"
