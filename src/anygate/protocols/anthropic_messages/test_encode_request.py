"""Requests of other protocols, written for an upstream that speaks this one."""

import base64
from typing import Any

import msgspec
import pytest
from tests.specs.anthropic import validate_request

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
    WebSearchCall,
)
from anygate.canonical.chat import (
    Chat,
    CustomTool,
    Format,
    FunctionTool,
    NativeTool,
    Sampling,
    ToolChoice,
    Turn,
    WebSearchTool,
)
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.anthropic_messages.encode_media import inlines
from anygate.protocols.anthropic_messages.encode_request import encode_request
from anygate.protocols.anthropic_messages.words import AS_CUSTOM, AS_TEXT
from anygate.protocols.chat_codec import Dropped, Encoded, Target

OLD, BUDGET, NEW = "claude-3-5-haiku-20241022", "claude-sonnet-4-5", "claude-opus-4-8"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
PDF = base64.b64encode(b"%PDF-1.7 " + bytes(20)).decode()
ASK = Turn("user", (Text("Hello"),))


def chat(*turns: Turn, **fields: Any) -> Chat:
    return Chat(protocol="openai.chat", model="m", turns=turns or (ASK,), **fields)


def encode(request: Chat, model: str = BUDGET, **target: Any) -> Encoded:
    encoded = encode_request(request, Target(model, "anthropic", **target))
    validate_request(msgspec.to_builtins(encoded.document))
    return encoded


def messages(*turns: Turn) -> list[Any]:
    return encode(chat(*turns)).document["messages"]


def told(encoded: Encoded) -> set[str]:
    return {entry.parameter for entry in encoded.dropped}


def test_a_plain_request_says_all_that_is_required():
    assert encode(chat(system=(Text("Be brief."),))) == Encoded(
        {
            "model": BUDGET,
            "max_tokens": 64_000,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
            "system": [{"type": "text", "text": "Be brief."}],
        }
    )


@pytest.mark.parametrize(
    ("limit", "output_limit", "max_output", "sent"),
    [(500, 900, 0, 500), (None, 900, 0, 900), (None, None, 8000, 8000), (None, None, 0, 64_000)],
)
def test_the_limit_is_always_said(limit: int | None, output_limit: int | None, max_output: int, sent: int):
    encoded = encode(chat(output_limit=output_limit), limit=limit, max_output=max_output)
    assert encoded.document["max_tokens"] == sent


def test_turns_are_merged_and_results_stand_first():
    calls = Turn("assistant", (Text("a"), ToolCall("c1", "f", '{"x":1}'), ToolCall("c2", "f", "")))
    sent = messages(
        ASK,
        calls,
        Turn("user", (ToolResult("c1", (Text("one"),)),)),
        Turn("user", (Text("and"), ToolResult("c2", (Media("image", data=PNG),), is_error=True))),
    )
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"][1:] == [
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "c2", "name": "f", "input": {}},
    ]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    assert sent[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "one"}]},
        {"type": "tool_result", "tool_use_id": "c2", "content": [image], "is_error": True},
        {"type": "text", "text": "and"},
    ]


@pytest.mark.parametrize("arguments", ['{"x": ', "[1]", "null", '"a"'])
def test_arguments_that_are_no_object_are_wrapped(arguments: str):
    sent = messages(ASK, Turn("assistant", (ToolCall("c", "f", arguments),)), Turn("user", (ToolResult("c"),)))
    assert sent[1]["content"][0]["input"] == {"_raw": arguments}


def test_calls_without_declared_tools_get_declarations_that_cannot_be_used():
    sent = encode(chat(ASK, Turn("assistant", (ToolCall("c", "f", ""),)), Turn("user", (ToolResult("c"),)))).document
    assert sent["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    assert sent["tool_choice"] == {"type": "none"}


def test_empty_text_and_empty_turns_are_left_out():
    assert messages(Turn("user", (Text(" \n"), Text("x"))), Turn("assistant", ()), Turn("user", (Refusal("no"),))) == [
        {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "no"}]}
    ]


def test_instructions_alone_are_asked_as_a_question():
    request = Chat("openai.chat", "m", (), system=(Text("Say hi."),))
    assert encode(request).document["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Say hi."}]}]


def test_instructions_in_the_middle_are_labelled_or_stay_what_they_are():
    request = chat(ASK, Turn("system", (Text("New rules."),)), Turn("assistant", (Text("ok"),)), ASK)
    labelled = encode(request, NEW).document["messages"]
    assert labelled[0]["content"][1] == {"type": "text", "text": "<system>\nNew rules.\n</system>"}
    kept = encode_request(request, Target(NEW, "anthropic", traits=frozenset({"system_turns"}))).document["messages"]
    assert kept[1] == {"role": "system", "content": [{"type": "text", "text": "New rules."}]}


def test_an_answer_that_was_begun_is_continued_only_where_it_can_be():
    request = chat(ASK, Turn("assistant", (Text("Once upon "),)))
    assert encode(request).document["messages"][1]["content"] == [{"type": "text", "text": "Once upon"}]
    with pytest.raises(UnsupportedContent) as refusal:
        encode(request, NEW)
    assert refusal.value.param == "messages"


def test_names_and_ids_that_are_not_taken_are_changed_and_can_be_undone():
    encoded = encode(
        chat(
            ASK,
            Turn("assistant", (ToolCall("call:1", "my.tool", "{}"),)),
            Turn("user", (ToolResult("call:1"),)),
            tools=(FunctionTool("my.tool"),),
            tool_choice=ToolChoice("one", ("my.tool",)),
        )
    )
    document = encoded.document
    assert document["tools"][0]["name"] == document["tool_choice"]["name"] == "my_tool"
    assert document["messages"][1]["content"][0] == {"type": "tool_use", "id": "call_1", "name": "my_tool", "input": {}}
    assert document["messages"][2]["content"][0]["tool_use_id"] == "call_1"
    assert encoded.names == {"my_tool": "my.tool"}


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (None, None, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), True, {"type": "auto"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("subset", ("f",), must=True), None, {"type": "any"}),
    ],
)
def test_the_choice_among_tools(choice: ToolChoice | None, parallel: bool | None, sent: dict[str, Any] | None):
    tools = (FunctionTool("f", schema={"properties": {}}), FunctionTool("g"))
    document = encode(chat(tools=tools, tool_choice=choice, parallel_tools=parallel)).document
    assert document.get("tool_choice") == sent
    subset = choice is not None and choice.mode == "subset"
    assert [tool["name"] for tool in document["tools"]] == (["f"] if subset else ["f", "g"])


def test_a_tool_of_free_text_is_wrapped():
    encoded = encode(chat(tools=(CustomTool("patch", format={"type": "grammar"}),)))
    assert encoded.document["tools"][0]["input_schema"]["properties"] == {"input": {"type": "string"}}
    assert encoded.names == {"patch": AS_CUSTOM + "patch"}
    assert told(encoded) == {"tools"}


def test_a_web_search_is_asked_for():
    tool = WebSearchTool("high", ("a.example",), (), {"country": "FR"}, 3)
    encoded = encode(chat(tools=(tool,)))
    assert encoded.document["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "max_uses": 3,
            "allowed_domains": ["a.example"],
            "user_location": {"type": "approximate", "country": "FR"},
        }
    ]
    assert told(encoded) == {"tools"}


@pytest.mark.parametrize(("size", "most"), [("low", 1), ("medium", 5), ("high", 10), ("huge", None), ("", None)])
def test_the_size_of_the_search_context_is_said_as_the_number_of_searches(size: str, most: int | None):
    encoded = encode(chat(tools=(WebSearchTool(size),)))
    assert encoded.document["tools"][0].get("max_uses") == most
    assert told(encoded) == ({"tools"} if size == "huge" else set())


def test_media_are_written_by_what_their_bytes_say():
    text = base64.b64encode("héllo".encode()).decode()
    sent = messages(
        Turn(
            "user",
            (
                Media("image", "image/jpeg", data=PNG),
                Media("image", url=f"data:image/png;base64,{PNG}"),
                Media("image", url="https://a.example/i.png"),
                Media("file", "", data=PDF, name="a.pdf"),
                Media("file", "text/csv", data=text),
                Media("file", url="https://a.example/b.pdf"),
            ),
        )
    )
    sources = [block["source"] for block in sent[0]["content"]]
    assert sources == [
        {"type": "base64", "media_type": "image/png", "data": PNG},
        {"type": "base64", "media_type": "image/png", "data": PNG},
        {"type": "url", "url": "https://a.example/i.png"},
        {"type": "base64", "media_type": "application/pdf", "data": PDF},
        {"type": "text", "media_type": "text/plain", "data": "héllo"},
        {"type": "url", "url": "https://a.example/b.pdf"},
    ]
    assert sent[0]["content"][3]["title"] == "a.pdf"


@pytest.mark.parametrize(
    ("media", "fetch"),
    [
        (Media("image", url="https://a.example/i.png"), False),
        (Media("image", url="http://a.example/i.png"), True),
        (Media("image", url="gs://bucket/i.png"), True),
        (Media("file", url="https://a.example/b.pdf"), False),
        (Media("file", "application/pdf", url="https://a.example/b"), False),
        (Media("file", url="https://a.example/b.docx"), True),
        (Media("image", url="data:image/png;base64,AAAA"), False),
        (Media("image", data=PNG), False),
        (Media("audio", url="https://a.example/a.mp3"), False),
    ],
)
def test_what_cannot_be_sent_by_its_address_is_fetched(media: Media, fetch: bool):
    assert inlines(media) is fetch


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"turns": (Turn("user", (Media("audio", "audio/mpeg", data="SUQz"),)),)}, "messages"),
        ({"turns": (Turn("user", (Media("video", url="https://a.example/v.mp4"),)),)}, "messages"),
        ({"turns": (Turn("user", (Media("image", "image/bmp", data="Qk0AAAAA"),)),)}, "messages"),
        ({"turns": (Turn("user", (Media("image", url="http://a.example/i.png"),)),)}, "messages"),
        ({"turns": (Turn("user", (Media("file", "application/zip", data="UEsDBAAA"),)),)}, "messages"),
        ({"turns": (Turn("user", (Media("file", file_id="file-1"),)),)}, "messages"),
        ({"turns": (Turn("user", (Media("image"),)),)}, "messages"),
        ({"turns": (Turn("user", (NativeBlock("google.gemini", {"type": "x"}),)),)}, "messages"),
        ({"tools": (NativeTool("openai.responses", {"type": "file_search"}),)}, "tools"),
        ({"choices": 2}, "n"),
        ({"modalities": ("text", "audio")}, "modalities"),
    ],
)
def test_content_that_cannot_be_carried_is_refused_by_the_clients_name(fields: dict[str, Any], param: str):
    with pytest.raises(UnsupportedContent) as refusal:
        encode(chat(*fields.pop("turns", ()), **fields))
    assert refusal.value.param == param


def test_hints_that_cannot_be_carried_are_told():
    sampling = Sampling(
        temperature=1.7, top_p=0.5, top_k=3, seed=1, presence_penalty=0.1, frequency_penalty=0.1, logprobs=True
    )
    encoded = encode(
        chat(
            sampling=sampling,
            verbosity="low",
            metadata={"a": "b"},
            cache_key="k",
            service_tier="flex",
            user="u",
            stop=("END", " "),
            extras={"store": True, "n_ctx": None},
        )
    )
    assert told(encoded) == {
        "temperature",
        "top_p",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "verbosity",
        "metadata",
        "prompt_cache_key",
        "service_tier",
        "store",
    }
    assert Dropped("temperature", "Claude takes 0 to 1") in encoded.dropped
    assert all(entry.reason.isascii() and not set(entry.reason) & set(",;") for entry in encoded.dropped)
    document = encoded.document
    assert (document["temperature"], document["top_k"], document["stop_sequences"]) == (1, 3, ["END"])
    assert document["metadata"] == {"user_id": "u"}
    assert "top_p" not in document


def test_a_model_that_refuses_sampling_is_sent_none():
    encoded = encode(chat(sampling=Sampling(temperature=0.2, top_p=0.9, top_k=1)), NEW)
    assert told(encoded) == {"temperature", "top_p", "top_k"}
    assert not {"temperature", "top_p", "top_k"} & encoded.document.keys()
    assert encode(chat(sampling=Sampling(temperature=1, top_p=1)), NEW).dropped == ()


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "object", "properties": {}}, "b": {"anyOf": [{"type": "object"}]}},
}


def test_a_schema_is_sent_closed():
    document = encode(chat(format=Format("schema", SCHEMA, "answer"))).document
    assert document["output_config"]["format"]["schema"] == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "a": {"type": "object", "properties": {}, "additionalProperties": False},
            "b": {"anyOf": [{"type": "object", "additionalProperties": False}]},
        },
    }


def test_an_old_model_is_forced_to_call_a_tool_of_the_schema():
    encoded = encode(chat(format=Format("schema", SCHEMA)), OLD)
    assert encoded.document["tools"][0]["input_schema"] == SCHEMA
    assert encoded.document["tool_choice"]["type"] == "tool"
    assert encoded.names == {encoded.document["tools"][0]["name"]: AS_TEXT}


@pytest.mark.parametrize(
    ("form", "tools", "model"),
    [(Format("json"), (), NEW), (Format("json"), (), OLD), (Format("schema", SCHEMA), (FunctionTool("f"),), OLD)],
)
def test_any_other_form_is_asked_for_in_the_prompt(form: Format, tools: tuple[FunctionTool, ...], model: str):
    encoded = encode(chat(format=form, tools=tools), model)
    assert "JSON" in encoded.document["system"][-1]["text"]
    assert told(encoded) == {"response_format"}


def test_only_the_last_four_cache_marks_are_kept():
    marked = Turn("user", tuple(Text(str(number), cache=CacheMark("1h")) for number in range(5)))
    encoded = encode(chat(marked, system=(Text("s", cache=CacheMark()),)))
    content = encoded.document["messages"][0]["content"]
    assert [block.get("cache_control") for block in content] == [None, *[{"type": "ephemeral", "ttl": "1h"}] * 4]
    assert "cache_control" not in encoded.document["system"][0]
    assert told(encoded) == {"prompt_cache_breakpoint"}


def test_searches_and_citations_of_others_stay_behind_and_thoughts_too():
    turn = Turn(
        "assistant",
        (
            Thinking("hm", Signature("s", "openai")),
            Thinking("unsigned"),
            WebSearchCall("ws", "q", "openai.responses", {}),
            Text("x", (Citation("https://a.example"),)),
            ToolCall("c", "f", "{}", signature=Signature("s", "google")),
        ),
    )
    encoded = encode(chat(ASK, turn, Turn("user", (ToolResult("c"),)), tools=(FunctionTool("f"),)))
    assert encoded.document["messages"][1]["content"] == [
        {"type": "text", "text": "x"},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}},
    ]
    assert [entry.parameter for entry in encoded.dropped] == ["messages", "messages"]
