"""Requests of other protocols as Google gets them; each valid by the description of its API."""

import base64
from typing import Any

import orjson
import pytest
from tests.specs.gemini import validate_gemini

from anygate.canonical.blocks import (
    Block,
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
    Reasoning,
    Sampling,
    Speech,
    ToolChoice,
    Turn,
    WebSearchTool,
)
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.chat_codec import Encoded, Target
from anygate.protocols.google_gemini.codec import INLINES
from anygate.protocols.google_gemini.encode_request import encode_request

HI = Turn("user", (Text("Hi"),))
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


def encode(
    model: str = "gemini-2.5-flash", limit: int | None = None, protocol: str = "openai.chat", **fields: Any
) -> Encoded:
    fields.setdefault("turns", (HI,))
    encoded = encode_request(Chat(protocol, "m", **fields), Target(model, "google", limit))
    validate_gemini("GenerateContentRequest", encoded.document)
    return encoded


def contents(*turns: Turn, model: str = "gemini-2.5-flash") -> list[dict[str, Any]]:
    return encode(model, turns=turns).document["contents"]


def parts(*blocks: Block, model: str = "gemini-2.5-flash") -> list[dict[str, Any]]:
    (content,) = contents(Turn("user", blocks), model=model)
    return content["parts"]


def config(model: str = "gemini-2.5-flash", **fields: Any) -> dict[str, Any]:
    return encode(model, **fields).document.get("generationConfig", {})


def dropped(encoded: Encoded) -> list[str]:
    return [entry.parameter for entry in encoded.dropped]


def test_instructions_lead_and_those_in_the_middle_keep_their_place():
    document = encode(
        system=(Text("A"), Text("B")), turns=(Turn("system", (Text("C"),)), HI, Turn("system", (Text("D"),)))
    ).document
    assert document["systemInstruction"] == {"parts": [{"text": "A"}, {"text": "B"}, {"text": "C"}]}
    assert document["contents"] == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "[System instruction] D"}]}]


def test_instructions_alone_become_the_question():
    document = encode(system=(Text("A"), Text("B")), turns=()).document
    assert document == {
        "contents": [{"role": "user", "parts": [{"text": "B"}]}],
        "systemInstruction": {"parts": [{"text": "A"}]},
    }


def test_an_empty_conversation_is_refused():
    with pytest.raises(UnsupportedContent) as caught:
        encode(turns=(Turn("user", (Text(""),)),))
    assert caught.value.param == "messages"


def test_results_stand_first_in_the_order_of_their_calls_with_names():
    calls = Turn("assistant", (Text("ok"), ToolCall("1", "f", '{"a":1}'), ToolCall("2", "g", "")))
    results = Turn(
        "user", (Text("and?"), ToolResult("2", (Text("no"),), is_error=True), ToolResult("1", (Text("[1]"),)))
    )
    asked, answered = contents(calls, results)
    assert asked == {
        "role": "model",
        "parts": [
            {"text": "ok"},
            {"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}},
            {"functionCall": {"id": "2", "name": "g", "args": {}}},
        ],
    }
    assert answered["parts"] == [
        {"functionResponse": {"id": "1", "name": "f", "response": {"output": "[1]"}}},
        {"functionResponse": {"id": "2", "name": "g", "response": {"error": "no"}}},
        {"text": "and?"},
    ]


def test_neighbours_of_one_role_are_merged():
    assert len(contents(HI, HI, Turn("assistant", (Text("a"),)), Turn("assistant", (Refusal("b"),)), HI)) == 3


def test_arguments_that_were_cut_off_and_free_text_travel():
    cut, free = contents(Turn("assistant", (ToolCall("1", "f", '{"a'), ToolCall("2", "g", "x = 1", custom=True))))[0][
        "parts"
    ]
    assert cut["functionCall"]["args"] == {"_raw": '{"a'}
    assert free["functionCall"]["args"] == {"input": "x = 1"}


def test_gemini_3_gets_a_word_for_a_lost_signature_on_the_first_call():
    turn = Turn("assistant", (ToolCall("1", "f", "{}"), ToolCall("2", "f", "{}")))
    first, second = contents(turn, model="gemini-3-pro-preview")[0]["parts"]
    assert first["thoughtSignature"] == "skip_thought_signature_validator"
    assert "thoughtSignature" not in second
    mine = Turn("assistant", (ToolCall("1", "f", "{}", signature=Signature("c2ln", "google")),))
    assert contents(mine, model="gemini-3-pro-preview")[0]["parts"][0]["thoughtSignature"] == "c2ln"
    assert "thoughtSignature" not in contents(turn)[0]["parts"][0]


def test_only_googles_own_signatures_and_thoughts_go_to_google():
    blocks = (
        Thinking("a", Signature("x", "anthropic")),
        Thinking("b"),
        Thinking("c", Signature("eA==", "google")),
        Text("d", signature=Signature("raw")),
        Text("", signature=Signature("ZQ==", "google")),
    )
    encoded = encode(turns=(Turn("assistant", blocks),))
    assert encoded.dropped == ()
    assert encoded.document["contents"][0]["parts"] == [
        {"text": "c", "thought": True, "thoughtSignature": "eA=="},
        {"text": "d"},
        {"text": "", "thoughtSignature": "ZQ=="},
    ]


def test_media_in_all_forms():
    assert parts(
        Media("image", data=PNG),
        Media("image", url=f"data:image/webp;base64,{PNG}"),
        Media("video", "video/mp4", url="https://youtu.be/x"),
        Media("file", text="plain"),
        Media("audio", id="a", transcript="said"),
    ) == [
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"inlineData": {"mimeType": "image/webp", "data": PNG}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/x"}},
        {"inlineData": {"mimeType": "text/plain", "data": base64.b64encode(b"plain").decode()}},
        {"text": "said"},
    ]


@pytest.mark.parametrize(
    "media",
    [
        Media("image", url="https://x/y.png"),
        Media("file", file_id="file-1"),
        Media("audio", id="a"),
        Media("file", data="AAAA"),
        Media("image", url="https://[x"),
    ],
)
def test_media_that_cannot_be_sent_are_refused_by_the_clients_field(media: Media):
    with pytest.raises(UnsupportedContent) as caught:
        parts(media)
    assert caught.value.param == "messages"


@pytest.mark.parametrize(
    ("media", "fetched"),
    [
        (Media("image", url="https://x/y.png"), True),
        (Media("image", url="HTTP://x/y.png"), True),
        (Media("video", url="https://www.youtube.com/watch?v=1"), False),
        (Media("image", url="data:image/png;base64,AAAA"), False),
        (Media("image", data="AAAA", url="https://x"), False),
        (Media("file", file_id="gs://a/b"), False),
        (Media("image", url="https://[x"), True),
    ],
)
def test_which_urls_must_be_fetched_first(media: Media, fetched: bool):
    assert INLINES(media) is fetched


def test_images_of_results_stand_in_or_beside_them():
    turns = (
        Turn("assistant", (ToolCall("1", "f", "{}"),)),
        Turn("user", (ToolResult("1", (Text("x"), Media("image", data=PNG))),)),
    )
    blob = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    assert contents(*turns)[1]["parts"] == [
        {"functionResponse": {"id": "1", "name": "f", "response": {"output": "x"}}},
        blob,
    ]
    (inside,) = contents(*turns, model="gemini-3-flash-preview")[1]["parts"]
    assert inside["functionResponse"]["parts"] == [blob]


def test_a_result_of_no_call_is_refused():
    with pytest.raises(UnsupportedContent):
        parts(ToolResult("9", (Text("x"),)))


def test_native_blocks_of_others_are_shown_or_refused():
    assert parts(NativeBlock("anthropic.messages", {"type": "x"}, "shown")) == [{"text": "shown"}]
    with pytest.raises(UnsupportedContent) as caught:
        parts(NativeBlock("anthropic.messages", {"type": "mcp_tool_use"}))
    assert "mcp_tool_use" in caught.value.message


def test_what_earlier_answers_rested_on_is_told_as_dropped():
    blocks = (Text("a", (Citation("https://x"),)), WebSearchCall("1", "q", "anthropic.messages", {}))
    assert dropped(encode(turns=(HI, Turn("assistant", blocks)))) == ["messages", "messages"]


def test_sampling_and_limits():
    sampling = Sampling(1.5, 0.5, 20, 7, 0.1, 0.2, {"5": 1}, True, 4)
    encoded = encode(limit=9, sampling=sampling, stop=("a", "b", "c", "d", "e", "f"), choices=2)
    assert encoded.document["generationConfig"] == {
        "maxOutputTokens": 9,
        "stopSequences": ["a", "b", "c", "d", "e"],
        "candidateCount": 2,
        "temperature": 1.5,
        "topP": 0.5,
        "topK": 20,
        "seed": 7,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "responseLogprobs": True,
        "logprobs": 4,
    }
    assert encoded.stop == ("f",)
    assert dropped(encoded) == ["logit_bias"]


@pytest.mark.parametrize(
    ("model", "reasoning", "expected", "warned"),
    [
        ("gemini-2.5-flash", Reasoning(enabled=False), {"thinkingBudget": 0}, False),
        ("gemini-2.5-pro", Reasoning(enabled=False), {"thinkingBudget": 128}, True),
        (
            "gemini-2.5-flash",
            Reasoning(enabled=True, effort="low"),
            {"thinkingBudget": 4096, "includeThoughts": True},
            False,
        ),
        (
            "gemini-2.5-flash",
            Reasoning(enabled=True, effort="max"),
            {"thinkingBudget": 24576, "includeThoughts": True},
            False,
        ),
        ("gemini-2.5-pro", Reasoning(budget=5, show=False), {"thinkingBudget": 128}, False),
        (
            "gemini-2.5-pro",
            Reasoning(enabled=True, adaptive=True),
            {"thinkingBudget": -1, "includeThoughts": True},
            False,
        ),
        ("gemini-3-pro-preview", Reasoning(effort="medium"), {"thinkingLevel": "HIGH", "includeThoughts": True}, False),
        ("gemini-3.1-pro", Reasoning(effort="medium"), {"thinkingLevel": "MEDIUM", "includeThoughts": True}, False),
        ("gemini-3-flash", Reasoning(budget=1000), {"thinkingLevel": "MINIMAL", "includeThoughts": True}, False),
        ("gemini-3-flash", Reasoning(enabled=False), {"thinkingLevel": "MINIMAL"}, False),
        ("gemini-3-pro-preview", Reasoning(enabled=False), {"thinkingLevel": "LOW"}, True),
        ("gemini-3-flash", Reasoning(summary="auto"), {"includeThoughts": True}, False),
        ("gemini-3-flash", Reasoning(encrypted=True), None, False),
        ("gemini-2.0-flash", Reasoning(effort="low"), None, True),
        ("gemini-2.0-flash", Reasoning(enabled=False), None, False),
        ("gemini-2.5-flash-image", Reasoning(effort="low"), None, True),
    ],
)
def test_thinking_by_generation(model: str, reasoning: Reasoning, expected: dict[str, Any] | None, warned: bool):
    encoded = encode(model, reasoning=reasoning)
    assert encoded.document.get("generationConfig", {}).get("thinkingConfig") == expected
    assert dropped(encoded) == (["reasoning_effort"] if warned else [])


def test_formats():
    assert config(format=Format("json")) == {"responseMimeType": "application/json"}
    schema = {"responseMimeType": "application/json", "responseJsonSchema": OBJECT}
    assert config(format=Format("schema", OBJECT, "n")) == schema
    old = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
    assert config("gemini-1.5-pro", format=Format("schema", OBJECT))["responseSchema"] == old


def test_tools():
    tools = (
        FunctionTool("get it", "d", OBJECT, strict=True),
        FunctionTool("bare"),
        CustomTool("code", "c", {"type": "grammar"}),
        WebSearchTool(context_size="low"),
    )
    encoded = encode(tools=tools, tool_choice=ToolChoice("one", ("get it",)), parallel_tools=False)
    free = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    assert encoded.document["tools"] == [
        {
            "functionDeclarations": [
                {"name": "get_it", "description": "d", "parametersJsonSchema": OBJECT},
                {"name": "bare"},
                {"name": "code", "description": "c", "parametersJsonSchema": free},
            ]
        },
    ]
    calling = {"mode": "ANY", "allowedFunctionNames": ["get_it"]}
    assert encoded.document["toolConfig"] == {"functionCallingConfig": calling}
    assert encoded.names == {"get_it": "get it"}
    assert dropped(encoded) == ["tools", "tools", "tools", "parallel_tool_calls"]


def test_old_models_get_the_subset_and_no_empty_object():
    tools = (
        FunctionTool("f", "", OBJECT),
        FunctionTool("g", "", {"type": "object", "properties": {}}),
    )
    (declared,) = encode("gemini-1.5-flash", tools=tools).document["tools"]
    assert declared["functionDeclarations"] == [
        {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}},
        {"name": "g"},
    ]
    (search,) = encode("gemini-1.5-flash", tools=(WebSearchTool(),)).document["tools"]
    assert search == {"googleSearchRetrieval": {}}


def test_a_search_beside_functions_is_left_out_unless_it_is_demanded():
    tools = (FunctionTool("f", "", OBJECT), WebSearchTool())
    encoded = encode(tools=tools)
    assert [list(tool) for tool in encoded.document["tools"]] == [["functionDeclarations"]]
    assert dropped(encoded) == ["tools"]
    demanded = encode(tools=tools, tool_choice=ToolChoice("one", ("web_search",)))
    assert [list(tool) for tool in demanded.document["tools"]] == [["functionDeclarations"], ["googleSearch"]]


def test_functions_of_magic_names_switch_googles_own_tools_on():
    tools = (FunctionTool("googleSearch"), FunctionTool("codeExecution", "", OBJECT))
    document = encode(tools=tools, tool_choice=ToolChoice("required")).document
    assert document["tools"] == [{"googleSearch": {}}, {"codeExecution": {}}]
    assert "toolConfig" not in document


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("subset", ("f",), must=True), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice("subset", ("f",)), {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
    ],
)
def test_choices_of_tools(choice: ToolChoice, expected: dict[str, Any]):
    document = encode(tools=(FunctionTool("f"),), tool_choice=choice).document
    assert document["toolConfig"]["functionCallingConfig"] == expected


def test_a_built_in_tool_cannot_be_demanded():
    encoded = encode(tools=(WebSearchTool(),), tool_choice=ToolChoice("one", ("web_search",)))
    assert "toolConfig" not in encoded.document
    assert dropped(encoded) == ["tool_choice"]


def test_a_tool_of_another_provider_is_refused_by_name():
    with pytest.raises(UnsupportedContent) as caught:
        encode(tools=(NativeTool("openai.responses", {"type": "file_search"}),), protocol="openai.responses")
    assert caught.value.param == "tools"
    assert "file_search" in caught.value.message


def test_modalities_voices_and_images():
    assert config(modalities=("text",)) == {}
    spoken = config(modalities=("text", "audio"), speech=Speech("kore", "pcm16"))
    voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    assert spoken == {"responseModalities": ["AUDIO"], "speechConfig": voice}
    assert dropped(encode(modalities=("audio",), speech=Speech("alloy", "mp3"))) == ["audio", "audio"]
    drawn = encode(modalities=("text", "image"), image={"aspect_ratio": "1:1", "style": "x"})
    assert drawn.document["generationConfig"] == {
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "1:1"},
    }
    assert dropped(drawn) == ["image_config"]


def test_hints_that_google_cannot_take_are_told():
    encoded = encode(
        protocol="anthropic.messages",
        turns=(
            Turn("user", (Text("Hi", cache=CacheMark()), Media("image", data=PNG, detail="low", name="x.png")), "Bob"),
        ),
        tools=(FunctionTool("f", cache=CacheMark()),),
        user="u",
        metadata={"a": "b"},
        cache_key="k",
        verbosity="low",
        service_tier="scale",
        extras={"container": "c", "none": None},
        sampling=Sampling(seed=1 << 40),
    )
    assert set(dropped(encoded)) == {
        "cache_control",
        "messages",
        "metadata.user_id",
        "metadata",
        "cache_key",
        "verbosity",
        "service_tier",
        "container",
        "seed",
    }
    assert len(encoded.dropped) == len(set(encoded.dropped))
    for entry in encoded.dropped:
        assert entry.reason.isascii()
        assert not set(entry.reason) & set(",;")


@pytest.mark.parametrize(
    ("tier", "sent"), [("flex", "flex"), ("default", "standard"), ("auto", None), ("standard_only", "standard")]
)
def test_tiers(tier: str, sent: str | None):
    assert encode(service_tier=tier).document.get("serviceTier") == sent


def test_a_json_text_nested_too_deep_travels_as_text():
    deep = '{"a":' * 200 + "1" + "}" * 200
    turns = Turn("assistant", (ToolCall("1", "f", deep),)), Turn("user", (ToolResult("1", (Text(deep),)),))
    asked, answered = contents(*turns)
    assert asked["parts"][0]["functionCall"]["args"] == {"_raw": deep}
    assert answered["parts"][0]["functionResponse"]["response"] == {"output": deep}
    orjson.dumps([asked, answered])
