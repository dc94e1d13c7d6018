from typing import Any

import pytest

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
    Tool,
    ToolChoice,
    Turn,
    WebSearchTool,
)
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.chat_codec import Encoded, Target
from anygate.protocols.cohere_chat.encode_messages import inlines
from anygate.protocols.cohere_chat.encode_request import encode_request

HI = Turn("user", (Text("Hi"),))
PLAIN = Target("command-a-03-2025", "cohere")
THINKER = Target("command-a-reasoning-08-2025", "cohere")
PNG = "iVBORw0KGgoAAAANSUhEUg=="
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def encoded(*turns: Turn, target: Target = PLAIN, **fields: Any) -> Encoded:
    return encode_request(Chat("openai.chat", "client-model", turns or (HI,), **fields), target)


def messages(*blocks: Block, role: Any = "user") -> list[dict[str, Any]]:
    return encoded(Turn(role, blocks)).document["messages"]


def refused(*turns: Turn, **fields: Any) -> str:
    """The client's field that an `UnsupportedContent` names."""
    with pytest.raises(UnsupportedContent) as caught:
        encoded(*turns, **fields)
    return str(caught.value.param)


def told(made: Encoded) -> list[str]:
    return [warning.parameter for warning in made.dropped]


def test_a_plain_request_holds_nothing_that_nobody_asked_for():
    assert encoded().document == {"model": "command-a-03-2025", "messages": [{"role": "user", "content": "Hi"}]}
    assert encoded(stream=True).document["stream"] is True
    assert encoded() == Encoded(encoded().document)


def test_system_text_stands_first_and_in_the_middle():
    turns = (HI, Turn("system", (Text("mid"),)))
    assert encoded(*turns, system=(Text("one"), Text("two"))).document["messages"] == [
        {"role": "system", "content": "one\n\ntwo"},
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "mid"},
    ]


def test_images_travel_by_url_or_as_data():
    [message] = messages(
        Text("See"),
        Media("image", data=PNG),
        Media("image", url="https://e.example/a.png", detail="low"),
        Media("image", mime="image/webp", data="AAAA", detail="original"),
    )
    assert message["content"] == [
        {"type": "text", "text": "See"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": "https://e.example/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/webp;base64,AAAA"}},
    ]
    assert not inlines(Media("image", url="https://e.example/a.png"))


@pytest.mark.parametrize(
    "media",
    [
        Media("audio", data="AAAA"),
        Media("video", url="https://e.example/a.mp4"),
        Media("file", mime="application/pdf", data="AAAA"),
        Media("image", file_id="file-1"),
        Media("image", url="gs://bucket/a.png"),
    ],
)
def test_what_cohere_does_not_take_is_refused_by_the_clients_name_of_it(media: Media):
    assert refused(Turn("user", (Text("Hi"), media))) == "messages"
    assert refused(Turn("assistant", (media,))) == "messages"
    if media.kind != "image":
        assert refused(Turn("user", (ToolResult("c", (media,)),))) == "messages"


def test_a_document_of_plain_text_is_text():
    [message] = messages(Media("file", text="Once upon", name="tale.txt"), Media("file", text="a time"))
    assert [part["text"] for part in message["content"]] == ["tale.txt\n\nOnce upon", "a time"]


def test_calls_and_results_go_back_with_the_plan_and_the_thoughts():
    turns = (
        HI,
        Turn(
            "assistant",
            (
                Thinking("Hm"),
                Text("I will "),
                Text("look"),
                ToolCall("c1", "my-tool", '{"a":1}'),
                ToolCall("c2", "f", ""),
            ),
        ),
        Turn(
            "user", (ToolResult("c1", (Text("one"),)), ToolResult("c2", (Text("bad"),), is_error=True), Text("Go on"))
        ),
    )
    made = encoded(*turns, tools=(FunctionTool("my-tool"), FunctionTool("my_tool", "It", SCHEMA)))
    assert made.document["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "Hm"}],
            "tool_plan": "I will look",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "my_tool_2", "arguments": '{"a":1}'}},
                {"id": "c2", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: bad"},
        {"role": "user", "content": "Go on"},
    ]
    assert made.names == {"my_tool_2": "my-tool"}
    assert [tool["function"] for tool in made.document["tools"]] == [
        {"name": "my_tool_2", "parameters": {"type": "object", "properties": {}}},
        {"name": "my_tool", "description": "It", "parameters": SCHEMA},
    ]


def test_a_result_in_several_pieces_is_documents_that_can_be_cited():
    result = ToolResult("c", (Text("one"), Media("file", text="two", name="b.txt"), Text("")), is_error=True)
    [message] = messages(result)
    assert message["content"] == [
        {"type": "text", "text": "Error:"},
        {"type": "document", "document": {"data": {"text": "one"}}},
        {"type": "document", "document": {"data": {"title": "b.txt", "text": "two"}}},
    ]
    assert messages(ToolResult("c"))[0]["content"] == ""


def test_images_of_a_result_follow_in_a_message_of_the_user():
    tool, user = messages(ToolResult("c", (Media("image", data=PNG),)), Text("And?"))
    assert tool["content"] == "See the images in the next message."
    assert [part["type"] for part in user["content"]] == ["text", "image_url", "text"]


def test_earlier_answers_keep_their_words_and_what_is_lost_is_told():
    made = encoded(
        HI,
        Turn("assistant", (Refusal("No."), Text("But", (Citation("https://e.example"),)), NativeBlock("x", {}, "ran"))),
        Turn("assistant", (Media("audio", data="AAAA", transcript="spoken"),)),
        Turn("assistant", (Thinking("theirs", Signature("sig", "anthropic")), WebSearchCall("w"), Text(""))),
        Turn("assistant", (Thinking("ours", Signature("sig", "cohere")),)),
        Turn("user", (Text("Hi"),), name="bob"),
    )
    contents = [message.get("content") for message in made.document["messages"]]
    assert contents == [
        "Hi",
        [{"type": "text", "text": text} for text in ("No.", "But", "ran")],
        [{"type": "text", "text": "spoken"}],
        [{"type": "thinking", "thinking": "ours"}],
        "Hi",
    ]
    assert told(made) == ["messages"] * 4
    assert refused(Turn("assistant", (NativeBlock("x", {}),))) == "messages"
    assert refused(Turn("assistant", (ToolResult("c"),))) == "messages"
    assert refused(Turn("assistant", ())) == "messages"


@pytest.mark.parametrize(
    ("choice", "word", "offered"),
    [
        (ToolChoice("auto"), None, ["f", "g"]),
        (ToolChoice("none"), "NONE", ["f", "g"]),
        (ToolChoice("required"), "REQUIRED", ["f", "g"]),
        (ToolChoice("one", ("g",)), "REQUIRED", ["g"]),
        (ToolChoice("subset", ("f",)), None, ["f"]),
        (ToolChoice("subset", ("f", "g"), must=True), "REQUIRED", ["f", "g"]),
    ],
)
def test_a_choice_that_cohere_cannot_say_is_made_by_offering_less(
    choice: ToolChoice, word: str | None, offered: list[str]
):
    document = encoded(tools=(FunctionTool("f"), FunctionTool("g")), tool_choice=choice).document
    assert document.get("tool_choice") == word
    assert [tool["function"]["name"] for tool in document["tools"]] == offered
    assert "tool_choice" not in encoded(tool_choice=choice).document if not choice.names else True


def test_tools_that_cohere_does_not_have_are_refused_by_name():
    others: tuple[Tool, ...] = (WebSearchTool(), NativeTool("openai.responses", {"type": "code_interpreter"}))
    for tool in others:
        assert refused(tools=(tool,)) == "tools"
    assert refused(tools=(FunctionTool("f"),), tool_choice=ToolChoice("one", ("g",))) == "tool_choice"


def test_a_tool_of_free_text_is_a_function_with_one_parameter():
    grammar = {"type": "grammar", "grammar": {"syntax": "lark"}}
    call = Turn("assistant", (ToolCall("c", "sh", "ls", custom=True),))
    made = encoded(HI, call, tools=(CustomTool("sh", "Run", grammar),))
    function = made.document["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert made.document["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"input":"ls"}'
    assert told(made) == ["tools"]


def test_strict_schemas_are_for_all_tools_or_none():
    strict, loose = FunctionTool("f", schema=SCHEMA, strict=True), FunctionTool("g", schema=SCHEMA)
    assert encoded(tools=(strict,)).document["strict_tools"] is True
    for tools in ((strict, loose), (FunctionTool("f", strict=True),)):
        made = encoded(tools=tools, parallel_tools=False)
        assert "strict_tools" not in made.document
        assert told(made) == ["tools", "parallel_tool_calls"]
    assert told(encoded(tools=(loose,), parallel_tools=True)) == []


def test_sampling_is_kept_inside_coheres_bounds():
    inside = encoded(
        sampling=Sampling(0.5, 0.9, 40, 7, 0.1, 0.2, logprobs=True), target=PLAIN._replace(limit=99), stop=("a",)
    )
    assert inside.document.items() >= {
        "temperature": 0.5, "p": 0.9, "k": 40, "seed": 7, "presence_penalty": 0.1, "frequency_penalty": 0.2,
        "logprobs": True, "max_tokens": 99, "stop_sequences": ["a"],
    }.items()  # fmt: skip
    assert inside.dropped == ()
    outside = encoded(sampling=Sampling(1.5, 1.0, 900, -1, -1.0, 2.0, {"5": 1}, logprobs=True, top_logprobs=3))
    assert outside.document.items() >= {
        "temperature": 1, "p": 0.99, "k": 500, "presence_penalty": 0, "frequency_penalty": 1,
    }.items()  # fmt: skip
    assert "seed" not in outside.document
    assert told(outside) == [
        "temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty", "seed", "logit_bias", "top_logprobs",
    ]  # fmt: skip
    assert not any(set(",;") & set(warning.reason) for warning in outside.dropped)


def test_more_stop_sequences_than_cohere_takes_are_left_to_the_gateway():
    made = encoded(stop=tuple("abcdefg"))
    assert made.document["stop_sequences"] == list("abcde")
    assert made.stop == ("f", "g")


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (Format("json"), {"type": "json_object"}),
        (Format("schema", SCHEMA, "answer", strict=True), {"type": "json_object", "json_schema": SCHEMA}),
    ],
)
def test_the_form_of_the_answer(form: Format, body: dict[str, Any]):
    assert encoded(format=form).document["response_format"] == body


@pytest.mark.parametrize(
    ("reasoning", "thinking"),
    [
        (None, None),
        (Reasoning(), None),
        (Reasoning(summary="auto"), None),
        (Reasoning(enabled=False), {"type": "disabled"}),
        (Reasoning(enabled=True), {"type": "enabled"}),
        (Reasoning(adaptive=True), {"type": "enabled"}),
        (Reasoning(effort="low"), {"type": "enabled", "token_budget": 4_096}),
        (Reasoning(enabled=True, budget=500), {"type": "enabled", "token_budget": 500}),
        (Reasoning(effort="max"), {"type": "enabled", "token_budget": 5_000}),
    ],
)
def test_how_much_a_model_thinks(reasoning: Reasoning | None, thinking: dict[str, Any] | None):
    made = encoded(reasoning=reasoning, target=THINKER._replace(limit=5_000))
    assert made.document.get("thinking") == thinking
    other = encoded(reasoning=reasoning)
    assert "thinking" not in other.document
    assert told(other) == (["reasoning_effort"] if thinking and thinking["type"] == "enabled" else [])


def test_what_cannot_be_had_is_refused_and_hints_are_told():
    assert refused(choices=2) == "n"
    assert refused(modalities=("text", "audio")) == "modalities"
    assert refused(speech=Speech("alloy")) == "audio"
    made = encoded(
        verbosity="low",
        user="u",
        metadata={"a": "b"},
        cache_key="k",
        service_tier="flex",
        modalities=("text",),
        image={"aspectRatio": "1:1"},
        system=(Text("s", cache=CacheMark()),),
        extras={"store": True, "safety_mode": "STRICT", "documents": ["d"], "citation_options": None},
    )
    assert sorted(told(made)) == sorted(
        ["verbosity", "prompt_cache_key", "user", "metadata", "image_config", "service_tier", "prompt_cache_breakpoint",
         "store"]
    )  # fmt: skip
    assert made.document["safety_mode"] == "STRICT"
    assert made.document["documents"] == ["d"]
    assert "citation_options" not in made.document
    assert told(encoded(service_tier="auto")) == []
