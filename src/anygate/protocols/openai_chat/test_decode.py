"""A client's request -> canonical words: every form that a field may have, and what is refused by its name."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.json_texts import JSON_VALUES

from anygate.canonical.blocks import (
    CacheMark,
    Citation,
    Media,
    NativeBlock,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from anygate.canonical.chat import (
    Chat,
    CustomTool,
    Format,
    FunctionTool,
    NativeTool,
    Reasoning,
    Sampling,
    Speech,
    ToolChoice,
    Turn,
    WebSearchTool,
)
from anygate.canonical.errors import InvalidRequest, UnsupportedContent
from anygate.protocols.chat_codec import Target
from anygate.protocols.openai_chat.decode import decode_request
from anygate.protocols.openai_chat.encode import encode_request
from anygate.protocols.openai_chat.request import read_request
from anygate.protocols.signature_tag import tag

HELLO: dict[str, Any] = {"role": "user", "content": "Hi"}
PNG = "iVBORw0KGgoAAAANSUhEUgAA"


def decoded(*messages: Any, **fields: Any) -> Chat:
    return decode_request(read_request(orjson.dumps({"model": "m", "messages": list(messages) or [HELLO]} | fields)))


def said(content: Any) -> Any:
    return decoded({"role": "user", "content": content}).turns[0].blocks


def test_leading_system_messages_are_the_system_text_and_later_ones_keep_their_place():
    chat = decoded(
        {"role": "system", "content": "A"},
        {"role": "developer", "content": [{"type": "text", "text": "B"}]},
        HELLO,
        {"role": "system", "content": "C"},
    )
    assert chat.system == (Text("A"), Text("B"))
    assert chat.turns == (Turn("user", (Text("Hi"),)), Turn("system", (Text("C"),)))


def test_tool_messages_in_a_row_are_one_turn_and_the_calls_keep_their_text():
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    odd = {"id": "c2", "function": {"name": "g", "arguments": {"b": 2}}}
    custom = {"id": "c3", "type": "custom", "custom": {"name": "h", "input": "free"}}
    chat = decoded(
        {"role": "assistant", "content": None, "tool_calls": [call, odd, custom]},
        {"role": "tool", "tool_call_id": "c1", "content": "18C"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "19C"}]},
        HELLO,
    )
    calls = (ToolCall("c1", "f", '{"a": 1}'), ToolCall("c2", "g", '{"b":2}'), ToolCall("c3", "h", "free", custom=True))
    results = (ToolResult("c1", (Text("18C"),)), ToolResult("c2", (Text("19C"),)))
    assert [turn.blocks for turn in chat.turns] == [calls, results, (Text("Hi"),)]


def test_legacy_functions_are_tools_and_their_results_find_their_calls():
    chat = decoded(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "18C"},
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    (call,), (result,) = (turn.blocks for turn in chat.turns)
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert (call.name, call.id, result.name) == ("f", result.call_id, "f")
    assert chat.tools == (FunctionTool("f", schema={"type": "object"}),)
    assert chat.tool_choice == ToolChoice("one", ("f",))
    assert chat.extras == {"functions": None}


@pytest.mark.parametrize(
    ("part", "media"),
    [
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
            Media("image", "image/png", PNG, detail="low"),
        ),
        ({"type": "image_url", "image_url": {"url": "https://x.y/a"}}, Media("image", url="https://x.y/a")),
        (
            {"type": "image_url", "image_url": {"url": "https://x.y/a.mp3?b=c"}},
            Media("audio", url="https://x.y/a.mp3?b=c", options={"openai.chat": {"type": "image_url"}}),
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:application/pdf;base64,JVBERi0="}},
            Media("file", "application/pdf", "JVBERi0=", options={"openai.chat": {"type": "image_url"}}),
        ),
        ({"type": "video_url", "video_url": {"url": "https://x.y/a.mp4"}}, Media("video", url="https://x.y/a.mp4")),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            Media("audio", "audio/mpeg", "AAAA"),
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
            Media("file", "application/pdf", "JVBERi0=", name="a.pdf"),
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, Media("file", file_id="file-1")),
        (
            {
                "type": "image_url",
                "image_url": {"url": "https://x.y/a"},
                "cache_control": {"type": "ephemeral", "ttl": "1h"},
            },
            Media("image", url="https://x.y/a", cache=CacheMark("1h")),
        ),
    ],
)
def test_a_media_part_is_known_by_its_type_and_its_mime(part: Any, media: Media):
    assert said([part]) == (media,)


def test_an_unknown_part_stays_native():
    part = {"type": "hologram", "hologram": {"x": 1}}
    assert said([part]) == (NativeBlock("openai.chat", part),)


def test_thoughts_come_in_three_spellings():
    tagged = tag(Signature("sig", "anthropic"))
    details: list[Any] = [
        {"type": "reasoning.text", "text": "hm", "signature": tagged, "provider": "anthropic", "index": 0},
        {"type": "reasoning.encrypted", "data": tagged, "index": 1},
        {"type": "reasoning.text", "text": "oh", "signature": "raw", "format": "f", "index": 2},
    ]
    chat = decoded(
        {"role": "assistant", "content": "a", "reasoning_content": "hmoh", "reasoning_details": details},
        {"role": "assistant", "content": "b", "reasoning": "plain"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "part"}]}]},
    )
    *thoughts, text = chat.turns[0].blocks
    assert text == Text("a")
    assert thoughts[:2] == [
        Thinking("hm", Signature("sig", "anthropic")),
        Thinking("", Signature("sig", "anthropic"), redacted=True),
    ]
    assert isinstance(thoughts[2], Thinking)
    assert thoughts[2].signature is not None
    assert (thoughts[2].text, thoughts[2].signature.maker) == ("oh", "")
    assert chat.turns[1].blocks == (Thinking("plain"), Text("b"))
    assert chat.turns[2].blocks == (Thinking("part"),)


def test_an_assistants_message_holds_refusal_sound_images_citations_and_signatures():
    place = {"url": "https://x.y", "title": "X", "start_index": 0, "end_index": 2}
    call: dict[str, Any] = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    call["extra_content"] = {"google": {"thought_signature": tag(Signature("s", "google"))}}
    chat = decoded(
        {"role": "assistant", "content": "ab", "annotations": [{"type": "url_citation", "url_citation": place}]},
        {"role": "assistant", "content": None, "refusal": "No.", "tool_calls": [call]},
        {"role": "assistant", "audio": {"id": "audio_1"}, "images": [{"image_url": {"url": "https://x.y/a.png"}}]},
    )
    assert chat.turns[0].blocks == (Text("ab", (Citation("https://x.y", "X", "", 0, 2),)),)
    assert chat.turns[1].blocks == (Refusal("No."), ToolCall("c", "f", "{}", signature=Signature("s", "google")))
    assert chat.turns[2].blocks == (Media("image", url="https://x.y/a.png"), Media("audio", id="audio_1"))


def test_tools_of_every_kind():
    chat = decoded(
        tools=[
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}, "strict": True}},
            {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}},
            {"type": "openrouter:web_search"},
        ],
        web_search_options={
            "search_context_size": "low",
            "user_location": {"type": "approximate", "approximate": {"country": "NL"}},
        },
        parallel_tool_calls=False,
    )
    assert chat.tools == (
        FunctionTool("f", "d", {}, strict=True),
        CustomTool("c", format={"type": "text"}),
        NativeTool("openai.chat", {"type": "openrouter:web_search"}),
        WebSearchTool("low", location={"country": "NL"}),
    )
    assert chat.parallel_tools is False


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("any", ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("one", ("f",))),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
            ToolChoice("subset", ("f",), must=True),
        ),
    ],
)
def test_a_choice_of_tools(choice: Any, expected: ToolChoice):
    assert decoded(tool_choice=choice).tool_choice == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reasoning_effort": "high"}, Reasoning(True, "high")),
        ({"reasoning_effort": "none"}, Reasoning(False)),
        ({"reasoning": {"max_tokens": 2000, "exclude": True}}, Reasoning(budget=2000, show=False)),
        ({"reasoning": {"effort": "none"}}, Reasoning(False)),
        ({"thinking": {"type": "disabled"}}, Reasoning(False)),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, Reasoning(True, budget=5)),
        ({"enable_thinking": True, "thinking_budget": 9}, Reasoning(True, budget=9)),
        ({"reasoning_effort": None}, None),
        ({"google": {"thinking_config": {"thinking_budget": 2048}}}, Reasoning(True, budget=2048)),
        ({"google": {"thinking_config": {"thinking_budget": 0}}}, Reasoning(False)),
        ({"google": {"thinking_config": {"thinking_budget": -1}}}, Reasoning(True, adaptive=True)),
        ({"google": {"thinking_config": {"thinking_level": "LOW"}}}, Reasoning(True, "low")),
        ({"google": {"thinking_config": {"include_thoughts": False}}}, Reasoning(show=False)),
        (
            {
                "reasoning_effort": "medium",
                "extra_body": {
                    "google": {"thinking_config": {"include_thoughts": True, "thinking_budget": 2048, "x": None}}
                },
            },
            Reasoning(True, "medium", 2048, show=True),
        ),
    ],
)
def test_reasoning_is_asked_for_in_every_dialect(fields: dict[str, Any], expected: Reasoning | None):
    chat = decoded(**fields)
    assert (chat.reasoning, chat.extras) == (expected, {})


def test_all_other_fields():
    chat = decoded(
        temperature=0.5,
        top_p=1,
        top_k=4,
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=-0.1,
        logit_bias={"5": 1},
        logprobs=True,
        top_logprobs=2,
        stop="END",
        n=2,
        max_completion_tokens=9,
        verbosity="low",
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "wav"},
        service_tier="flex",
        safety_identifier="u",
        metadata={"a": "b"},
        prompt_cache_key="k",
        stream=True,
        stream_options={"include_usage": True},
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True},
        },
    )
    assert chat.sampling == Sampling(0.5, 1, 4, 7, 0.1, -0.1, {"5": 1}, True, 2)
    assert (chat.stop, chat.choices, chat.output_limit, chat.verbosity) == (("END",), 2, 9, "low")
    assert (chat.modalities, chat.speech) == (("text", "audio"), Speech("alloy", "wav"))
    assert (chat.service_tier, chat.user, chat.metadata, chat.cache_key) == ("flex", "u", {"a": "b"}, "k")
    assert (chat.stream, chat.include_usage, chat.extras) == (True, True, {})
    assert chat.format == Format("schema", {"type": "object"}, "x", strict=True)


def test_whatever_has_no_word_is_kept_under_its_name():
    chat = decoded(
        HELLO,
        {"role": "assistant", "content": "a", "prefix": True},
        store=True,
        enhanced={"mode": "on"},
        thinking={"type": "enabled", "clear_thinking": False},
        stream_options={"include_obfuscation": False},
        user="u",
        safety_identifier="v",
        response_format={"type": "grammar"},
        empty=None,
    )
    assert chat.extras == {
        "messages[-1].prefix": True,
        "store": True,
        "enhanced": {"mode": "on"},
        "thinking.clear_thinking": False,
        "stream_options": {"include_obfuscation": False},
        "safety_identifier": "v",
        "response_format": {"type": "grammar"},
    }


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("temperature", {"temperature": "hot"}),
    ("temperature", {"temperature": True}),
    ("seed", {"seed": 1.5}),
    ("stop", {"stop": [1]}),
    ("stop", {"stop": 5}),
    ("tools", {"tools": {}}),
    ("tools[0]", {"tools": ["x"]}),
    ("tools[0].type", {"tools": [{}]}),
    ("tools[0].function.name", {"tools": [{"type": "function", "function": {}}]}),
    ("tools[0].function.parameters", {"tools": [{"type": "function", "function": {"name": "f", "parameters": 5}}]}),
    ("tool_choice", {"tool_choice": 5}),
    ("tool_choice", {"tool_choice": {}}),
    ("response_format", {"response_format": "json"}),
    ("logprobs", {"logprobs": 1}),
    ("audio", {"audio": "alloy"}),
    ("messages[0].role", {"messages": [{"role": "robot", "content": "x"}]}),
    ("messages[0].role", {"messages": [{"role": ["user"], "content": "x"}]}),
    ("messages[0].content", {"messages": [{"role": "user", "content": 5}]}),
    ("messages[0].content[0]", {"messages": [{"role": "user", "content": [5]}]}),
    ("messages[0].content[0]", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
    (
        "messages[0].content[0].image_url.url",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}]},
    ),
    ("messages[0].tool_call_id", {"messages": [{"role": "tool", "content": "x"}]}),
    ("messages[0].tool_calls[0]", {"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]}),
]


@pytest.mark.parametrize(("param", "fields"), WRONG)
def test_what_cannot_be_understood_is_refused_by_its_name(param: str, fields: dict[str, Any]):
    with pytest.raises(InvalidRequest) as caught:
        decode_request(read_request(orjson.dumps({"model": "m", "messages": [HELLO]} | fields)))
    assert caught.value.param == param


_FIELDS = st.sampled_from(
    ["tools", "tool_choice", "functions", "reasoning", "thinking", "stop", "response_format", "audio", "metadata"]
)
_MEMBERS = st.sampled_from(
    ["role", "content", "tool_calls", "function_call", "reasoning_details", "annotations", "audio", "images", "name"]
)
_PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "file", "input_audio", "thinking", "refusal", "x"])},
    optional={name: JSON_VALUES for name in ("text", "image_url", "file", "input_audio", "thinking", "refusal")},
)
_MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "function", "robot"])},
    optional={"content": st.lists(_PARTS, max_size=2) | JSON_VALUES, "tool_call_id": st.text(max_size=2)},
)


@given(
    st.lists(st.dictionaries(_MEMBERS, JSON_VALUES, max_size=4) | _MESSAGES, max_size=4),
    st.dictionaries(_FIELDS, JSON_VALUES, max_size=3),
)
def test_any_request_is_understood_and_can_be_sent_or_is_refused(messages: list[Any], fields: dict[str, Any]):
    with suppress(InvalidRequest):
        chat = decoded(*messages, **fields)
        for protocol in ("openai.chat", "google.gemini"):
            with suppress(UnsupportedContent):
                assert orjson.dumps(encode_request(replace(chat, protocol=protocol), Target("m")).document)


def test_googles_other_settings_are_kept_under_their_names_and_go_back_where_they_stood():
    google = {
        "cached_content": "cachedContents/1",
        "thinking_config": {"thinking_level": "extreme", "thinking_budget": True},
    }
    fields: dict[str, Any] = {"google": google, "extra_body": {"google": google, "top": {"k": 1}}}
    chat = decoded(**fields)
    assert chat.reasoning is None
    names = ["cached_content", "thinking_config.thinking_level", "thinking_config.thinking_budget"]
    prefixes = ("google", "extra_body.google")
    assert set(chat.extras) == {f"{prefix}.{name}" for prefix in prefixes for name in names} | {"extra_body.top"}
    document = encode_request(chat, Target("m")).document
    assert {name: document[name] for name in fields} == fields
    assert decoded(extra_body="x", google=[1]).extras == {"extra_body": "x", "google": [1]}
