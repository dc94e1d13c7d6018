"""A Gemini client's request in canonical words."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.json_texts import JSON_VALUES

from anygate.canonical.blocks import Media, NativeBlock, Signature, Text, Thinking, ToolCall, ToolResult
from anygate.canonical.chat import (
    Chat,
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
from anygate.protocols.chat_codec import Target
from anygate.protocols.google_gemini.decode_request import decode_request
from anygate.protocols.google_gemini.encode_request import encode_request
from anygate.protocols.google_gemini.request import read_request
from anygate.protocols.signature_tag import tag


def decode(body: dict[str, Any], method: str = "generateContent", alt: str = "") -> Chat:
    body = {"contents": [{"parts": [{"text": "Hi"}]}], **body}
    return decode_request(read_request(orjson.dumps(body), {"model": "m", "method": method, "alt": alt}))


def turns(*contents: Any) -> tuple[Turn, ...]:
    return decode({"contents": list(contents)}).turns


def blocks(*parts: Any) -> tuple[Any, ...]:
    (turn,) = turns({"role": "model", "parts": list(parts)})
    return turn.blocks


def test_turns_and_instructions():
    chat = decode(
        {
            "system_instruction": {"parts": [{"text": "Be kind"}, {"text": "Be brief"}]},
            "contents": [{"parts": {"text": "Hi"}}, {"role": "model", "parts": [{"text": "Ho"}]}],
        }
    )
    assert chat.system == (Text("Be kind"), Text("Be brief"))
    assert chat.turns == (Turn("user", (Text("Hi"),)), Turn("assistant", (Text("Ho"),)))


def test_instructions_that_are_more_than_text_open_the_conversation():
    blob = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    chat = decode({"systemInstruction": {"parts": [{"text": "Look"}, blob]}})
    assert chat.system == ()
    assert chat.turns[0] == Turn("system", (Text("Look"), Media("image", "image/png", "AAAA")))


def test_media_in_all_forms():
    assert blocks(
        {"inline_data": {"mime_type": "audio/wav", "data": "A-_A"}, "thought_signature": "cw=="},
        {
            "fileData": {"mimeType": "video/mp4", "fileUri": "https://www.youtube.com/watch?v=1"},
            "videoMetadata": {"fps": 1},
        },
        {
            "fileData": {
                "mimeType": "application/pdf",
                "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x",
            }
        },
    ) == (
        Media("audio", "audio/wav", "A+/A", signature=Signature("cw==")),
        Media(
            "video",
            "video/mp4",
            url="https://www.youtube.com/watch?v=1",
            options={"google.gemini": {"videoMetadata": {"fps": 1}}},
        ),
        Media("file", "application/pdf", file_id="https://generativelanguage.googleapis.com/v1beta/files/x"),
    )


def test_calls_and_results_without_ids_find_each_other():
    call = {"functionCall": {"name": "f", "args": {"a": 1}}}
    results = [
        {"functionResponse": {"name": "g", "response": {"error": "no"}}},
        {"functionResponse": {"name": "f", "response": {"output": "1"}}},
        {"functionResponse": {"name": "f", "response": {"b": {"c": 1}}}},
    ]
    other = {"functionCall": {"name": "g"}}
    model, user = turns({"role": "model", "parts": [call, other, call]}, {"role": "function", "parts": results})
    ids = [block.id for block in model.blocks if isinstance(block, ToolCall)]
    assert len(set(ids)) == 3
    assert user.blocks == (
        ToolResult(ids[1], (Text("no"),), "g", is_error=True),
        ToolResult(ids[0], (Text("1"),), "f"),
        ToolResult(ids[2], (Text('{"b":{"c":1}}'),), "f"),
    )


def test_results_hold_media():
    png = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    (result,) = blocks({"functionResponse": {"id": "1", "name": "f", "response": {}, "parts": [png]}})
    assert result == ToolResult("1", (Text("{}"), Media("image", "image/png", "AAAA")), "f")


def test_signatures_are_raw_or_untagged():
    foreign = Signature("c2ln", "anthropic")
    assert blocks(
        {"text": "one ", "thought": True},
        {"text": "two", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": tag(foreign)},
        {"text": "mine", "thought": True},
        {"text": "a", "thoughtSignature": "raw="},
        {"thoughtSignature": "last"},
    ) == (
        Thinking("one two", foreign),
        Thinking("mine"),
        Text("a", signature=Signature("raw=")),
        Text("", signature=Signature("last")),
    )


def test_what_has_no_canonical_words_is_kept_as_it_is():
    parts = [{"executableCode": {"code": "1"}}, {"functionResponse": {"name": "f", "willContinue": True}}]
    assert blocks(*parts) == (
        NativeBlock("google.gemini", parts[0], "\n```\n1\n```\n"),
        NativeBlock("google.gemini", parts[1]),
    )


def test_the_configuration():
    chat = decode(
        {
            "generationConfig": {
                "maxOutputTokens": 5,
                "stopSequences": ["x"],
                "temperature": 0.5,
                "top_p": 0.9,
                "topK": 40.0,
                "seed": "7",
                "candidateCount": 2,
                "presencePenalty": 1,
                "frequencyPenalty": -1,
                "responseLogprobs": True,
                "logprobs": 3,
                "responseModalities": ["TEXT", "IMAGE"],
                "imageConfig": {"aspect_ratio": "16:9"},
                "thinkingConfig": {"thinkingLevel": "low", "include_thoughts": True},
                "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
                "media_resolution": "MEDIA_RESOLUTION_LOW",
            },
            "safetySettings": [{"category": "c"}],
            "cachedContent": "cachedContents/1",
            "serviceTier": "FLEX",
        }
    )
    assert (chat.output_limit, chat.stop, chat.choices, chat.service_tier) == (5, ("x",), 2, "flex")
    assert chat.sampling == Sampling(0.5, 0.9, 40, 7, 1, -1, None, True, 3)
    assert chat.modalities == ("text", "image")
    assert chat.image == {"aspectRatio": "16:9"}
    assert chat.reasoning == Reasoning(enabled=True, effort="low", show=True)
    assert chat.speech is not None
    assert chat.speech.voice == "Kore"
    assert chat.extras == {
        "safetySettings": [{"category": "c"}],
        "cachedContent": "cachedContents/1",
        "generationConfig.mediaResolution": "MEDIA_RESOLUTION_LOW",
    }


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"thinkingBudget": 0}, Reasoning(enabled=False)),
        ({"thinkingBudget": -1}, Reasoning(enabled=True, adaptive=True)),
        ({"thinkingBudget": 512}, Reasoning(enabled=True, budget=512)),
        ({"includeThoughts": False}, Reasoning(show=False)),
        ({}, Reasoning()),
    ],
)
def test_thinking(config: dict[str, Any], expected: Reasoning):
    assert decode({"generationConfig": {"thinkingConfig": config}}).reasoning == expected


def test_formats():
    schema: dict[str, Any] = {
        "type": "OBJECT",
        "properties": {"b": {"type": "STRING", "nullable": True}, "a": {"type": "INTEGER"}},
    }
    schema["propertyOrdering"] = ["a", "b"]
    plain = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": ["string", "null"]}}}
    chat = decode({"generationConfig": {"responseMimeType": "application/json", "responseSchema": schema}})
    assert chat.format == Format("schema", plain)
    assert chat.format is not None
    assert list((chat.format.schema or {})["properties"]) == ["a", "b"]
    assert decode({"generationConfig": {"responseMimeType": "application/json"}}).format == Format("json")
    assert decode({"generationConfig": {"response_json_schema": plain}}).format == Format("schema", plain)
    enum = decode({"generationConfig": {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING"}}})
    assert enum.extras == {"generationConfig.responseMimeType": "text/x.enum"}


def test_tools():
    chat = decode(
        {
            "tools": [
                {
                    "function_declarations": [
                        {
                            "name": "f",
                            "description": "d",
                            "parameters": {"type": "OBJECT"},
                            "response": {"type": "STRING"},
                        },
                        {"name": "g", "parametersJsonSchema": {"type": "object"}},
                    ]
                },
                {"google_search": {"timeRangeFilter": {}}, "codeExecution": {}},
            ],
            "toolConfig": {
                "functionCallingConfig": {"mode": "any", "allowedFunctionNames": ["f"]},
                "retrievalConfig": {},
            },
        }
    )
    assert chat.tools == (
        FunctionTool("f", "d", {"type": "object"}),
        FunctionTool("g", "", {"type": "object"}),
        WebSearchTool(),
        NativeTool("google.gemini", {"codeExecution": {}}),
    )
    assert chat.tool_choice == ToolChoice("one", ("f",), must=True)
    assert list(chat.extras) == [
        "tools[0].functionDeclarations[0].response",
        "tools[1].googleSearch.timeRangeFilter",
        "toolConfig.retrievalConfig",
    ]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "NONE"}, ToolChoice("none")),
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": "ANY", "allowedFunctionNames": ["a", "b"]}, ToolChoice("subset", ("a", "b"), must=True)),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["a"]}, ToolChoice("subset", ("a",))),
        ({"mode": "MODE_UNSPECIFIED"}, None),
    ],
)
def test_choices_of_tools(config: dict[str, Any], expected: ToolChoice | None):
    assert decode({"toolConfig": {"functionCallingConfig": config}}).tool_choice == expected


def test_the_array_form_is_noted():
    assert decode({}, "streamGenerateContent").extras == {"alt": "array"}
    assert decode({}, "streamGenerateContent", "sse").extras == {}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"contents": [{"role": "system", "parts": []}]}, "contents[0].role"),
    ({"contents": [{"parts": [{"text": 5}]}]}, "contents[0].parts[0].text"),
    ({"contents": [{"parts": [{"text": "a", "functionCall": {}}]}]}, "contents[0].parts[0]"),
    ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}]}]}, "contents[0].parts[0].inlineData"),
    ({"contents": [{"parts": [{"functionCall": {"args": 5}}]}]}, "contents[0].parts[0].functionCall.args"),
    ({"generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
    (
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "x"}}},
        "generationConfig.thinkingConfig.thinkingLevel",
    ),
    ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
    ({"toolConfig": {"functionCallingConfig": {"mode": "x"}}}, "toolConfig.functionCallingConfig.mode"),
    ({"serviceTier": 5}, "serviceTier"),
    (
        {"contents": [{"parts": [{"inlineData": {"data": "A"}, "inline_data": {}}]}]},
        "contents[0].parts[0].inlineData",
    ),
]


@pytest.mark.parametrize(("body", "param"), WRONG)
def test_a_wrong_field_is_refused_by_name(body: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as caught:
        decode(body)
    assert caught.value.param == param


NAMES = st.sampled_from(
    [
        "text",
        "thought",
        "thoughtSignature",
        "functionCall",
        "function_call",
        "name",
        "args",
        "id",
        "inlineData",
        "mimeType",
        "data",
        "fileData",
        "fileUri",
        "role",
        "parts",
        "functionResponse",
        "response",
        "functionDeclarations",
        "parameters",
        "googleSearch",
        "mode",
        "functionCallingConfig",
        "allowedFunctionNames",
        "thinkingConfig",
        "thinkingBudget",
        "thinkingLevel",
        "responseSchema",
        "responseMimeType",
        "speechConfig",
        "imageConfig",
        "stopSequences",
    ]
)
SHAPES: st.SearchStrategy[Any] = st.recursive(
    JSON_VALUES | st.sampled_from(["model", "user", "ANY", "HIGH", "AAAA", "image/png", 5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "serviceTier", "labels"]
        ),
        SHAPES,
    ),
    st.lists(SHAPES, max_size=3),
)
def test_any_shape_is_decoded_or_refused_and_what_is_decoded_can_be_sent(body: dict[str, Any], parts: list[Any]):
    body.setdefault("contents", [{"role": "user", "parts": parts}])
    try:
        chat = decode(body)
        document = encode_request(chat, Target("gemini-2.5-flash", "google")).document
    except (InvalidRequest, UnsupportedContent):
        return
    orjson.dumps(document)


def test_frames_that_a_chat_kept_as_contents_are_one_turn_and_their_thoughts_are_joined():
    made, signed, call = turns(
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{"text": "H", "thought": True}]},
        {"role": "model", "parts": [{"text": "m", "thought": True}]},
        {
            "role": "model",
            "parts": [{"text": "", "thought": True, "thoughtSignature": tag(Signature("s", "anthropic"))}],
        },
        {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "ok"}}}]},
    )
    assert made.role == "user"
    assert signed == Turn("assistant", (Thinking("Hm", Signature("s", "anthropic")), ToolCall("c1", "f", "{}")))
    assert call.blocks == (ToolResult("c1", (Text("ok"),), "f"),)
