"""Canonical words -> a request for an upstream: what is said, what is told to be dropped, what is refused."""

from typing import Any

import pytest
from msgspec.structs import replace

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
from anygate.protocols.openai_chat.encode import encode_request
from anygate.protocols.openai_chat.encode_parts import inlines

HELLO = Turn("user", (Text("Hi"),))
ASKED = Chat("anthropic.messages", "claude", (HELLO,))
OPENAI = frozenset({"openai_models", "developer_role"})
PNG = Media("image", "image/png", "iVBORw0KGgoAAAANSUhEUgAA")


def encoded(chat: Chat, *traits: str, model: str = "m", maker: str = "up", limit: int | None = None) -> Encoded:
    return encode_request(chat, Target(model, maker, limit, "max_tokens", traits=frozenset(traits)))


def turns(*given: Turn) -> Chat:
    return replace(ASKED, turns=given)


def user(*blocks: Block) -> Chat:
    return turns(Turn("user", blocks))


def assistant(*blocks: Block) -> Chat:
    return turns(HELLO, Turn("assistant", blocks))


def messages(chat: Chat, *traits: str, maker: str = "up") -> Any:
    found = encoded(chat, *traits, maker=maker)
    assert found.dropped == ()
    return found.document["messages"]


def dropped(chat: Chat, *traits: str, model: str = "m") -> list[str]:
    return [entry.parameter for entry in encoded(chat, *traits, model=model).dropped]


def refused(chat: Chat, *traits: str) -> str | None:
    with pytest.raises(UnsupportedContent) as caught:
        encoded(chat, *traits)
    return caught.value.param


def test_a_minimal_request_says_no_more_than_was_asked():
    assert encoded(ASKED) == Encoded({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})


def test_system_text_is_one_message_and_later_ones_keep_their_place():
    chat = replace(ASKED, system=(Text("A"), Text("B")), turns=(HELLO, Turn("system", (Text("C"),))))
    assert [(one["role"], one["content"]) for one in messages(chat)] == [
        ("system", "A\n\nB"),
        ("user", "Hi"),
        ("system", "C"),
    ]
    assert [one["role"] for one in messages(chat, "developer_role")] == ["developer", "user", "developer"]


def test_results_follow_their_calls_before_the_users_words():
    result = ToolResult("c1", (Text("18C"), Text("sunny")))
    failure = ToolResult("c2", (Text("no"),), is_error=True)
    assert messages(user(Text("and?"), result, failure)) == [
        {"role": "tool", "tool_call_id": "c1", "content": "18C\nsunny"},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: no"},
        {"role": "user", "content": "and?"},
    ]


def test_an_image_in_a_result_goes_into_a_user_message_unless_the_upstream_takes_it():
    chat = user(ToolResult("c1", (Text("see"), PNG)), ToolResult("c2", (PNG,)), Text("and?"))
    first, second, third = messages(chat)
    assert (first["content"], second["content"]) == ("see", "See the attachments in the next message.")
    assert [part["type"] for part in third["content"]] == ["text", "image_url", "text", "image_url", "text"]
    assert "c1" in third["content"][0]["text"]
    taken = messages(chat, "tool_images")
    assert [part["type"] for part in taken[0]["content"]] == ["text", "image_url"]
    assert taken[-1] == {"role": "user", "content": "and?"}


def test_an_assistant_keeps_both_its_words_and_its_calls():
    chat = assistant(Text("Let me "), Text("see"), ToolCall("c", "f", ""), Refusal("no"))
    assert messages(chat)[1] == {
        "role": "assistant",
        "content": "Let me see",
        "refusal": "no",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    assert messages(assistant(ToolCall("c", "f", "{}")))[1]["content"] is None
    assert len(messages(assistant(Text("")))) == 1


def test_thoughts_go_back_only_as_the_upstream_knows_them():
    own = Thinking("hm", Signature('{"type":"reasoning.text","format":"f","index":0}', "up"))
    chat = assistant(own, Thinking("foreign", Signature("x", "other")), Text("a"))
    assert messages(chat)[1]["reasoning_details"] == [
        {"type": "reasoning.text", "format": "f", "index": 0, "text": "hm"}
    ]
    unsigned = assistant(Thinking("hm", Signature("x", "other")), Thinking(redacted=True), Text("a"))
    assert messages(unsigned)[1] == {"role": "assistant", "content": "a"}
    assert messages(unsigned, "reasoning_content")[1] == {
        "role": "assistant",
        "content": "a",
        "reasoning_content": "hm",
    }
    assert messages(unsigned, "thinking_parts")[1]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
    ]


def test_a_calls_signature_goes_to_its_maker_alone():
    call = ToolCall("c", "f", "{}", signature=Signature("s", "google"))
    (sent,) = messages(assistant(call), maker="google")[1]["tool_calls"]
    assert sent["extra_content"] == {"google": {"thought_signature": "s"}}
    assert "extra_content" not in messages(assistant(call), maker="up")[1]["tool_calls"][0]
    raw = assistant(replace(call, signature=Signature("s")))
    assert "extra_content" not in messages(raw, maker="google")[1]["tool_calls"][0]
    own = replace(raw, protocol="openai.chat")
    assert "extra_content" in messages(own, maker="google")[1]["tool_calls"][0]


@pytest.mark.parametrize(
    ("media", "part"),
    [
        (PNG, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG.data}"}}),
        (
            Media("image", data=PNG.data),
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG.data}"}},
        ),
        (Media("image", url="https://x.y/a"), {"type": "image_url", "image_url": {"url": "https://x.y/a"}}),
        (
            Media("audio", "audio/mpeg", "AAAA"),
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        ),
        (
            Media("file", "application/pdf", "JVBERi0="),
            {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        ),
        (Media("file", text="words", name="a.txt"), {"type": "text", "text": "a.txt\n\nwords"}),
    ],
)
def test_media_of_every_kind(media: Media, part: dict[str, Any]):
    assert messages(user(media, Text("?")))[0]["content"] == [part, {"type": "text", "text": "?"}]


@pytest.mark.parametrize(
    "block",
    [
        Media("video", "video/mp4", "AAAA"),
        Media("file", url="https://x.y/a.pdf"),
        Media("audio", url="https://x.y/a.mp3"),
        Media("image", url="gs://bucket/a"),
        Media("file", file_id="file-1"),
    ],
)
def test_media_that_no_part_can_hold_are_refused(block: Media):
    assert refused(user(block)) == "messages"


def test_sound_that_openai_does_not_take_is_refused():
    assert refused(user(Media("audio", "audio/ogg", "AAAA")), "openai_models") == "messages"
    assert messages(user(Media("audio", "audio/ogg", "AAAA")))[0]["content"][0]["input_audio"]["format"] == "ogg"


def test_films_and_documents_go_where_they_are_taken():
    film = user(Media("video", url="https://x.y/a.mp4"))
    assert messages(film, "video_url")[0]["content"][0] == {
        "type": "video_url",
        "video_url": {"url": "https://x.y/a.mp4"},
    }
    paper = user(Media("file", "application/pdf", "JVBERi0="))
    assert messages(paper, "document_url")[0]["content"][0]["type"] == "document_url"


@pytest.mark.parametrize(
    ("media", "fetched"),
    [
        (Media("image", url="https://x.y/a.png"), False),
        (Media("video", url="https://x.y/a.mp4"), False),
        (Media("audio", url="https://x.y/a.mp3"), True),
        (Media("file", url="https://x.y/a.pdf"), True),
        (Media("file", data="AAAA", url="https://x.y/a.pdf"), False),
        (Media("file", file_id="f"), False),
    ],
)
def test_sound_and_documents_by_url_are_fetched_first(media: Media, fetched: bool):
    assert inlines(media) is fetched


@pytest.mark.parametrize(
    "block",
    [
        NativeBlock("anthropic.messages", {"type": "mcp_tool_use"}),
        Media("image", "image/png", "AAAA"),
        ToolResult("c", (Text("x"),)),
    ],
)
def test_what_an_assistants_message_cannot_hold_is_refused(block: Block):
    assert refused(assistant(block)) == "messages"


def test_what_is_left_out_of_a_history_is_told():
    searched = assistant(WebSearchCall("w", "q"), Text("a", (Citation("https://x.y"),)))
    assert dropped(searched) == ["messages", "messages"]
    assert messages(assistant(NativeBlock("x", {}, "shown")))[1]["content"] == "shown"


def test_cache_marks_go_where_they_are_known():
    chat = user(Text("a", cache=CacheMark("1h")), Text("b", cache=CacheMark()))
    assert dropped(chat) == ["cache_control"]
    parts = messages(chat, "cache_control")[0]["content"]
    assert [part["cache_control"] for part in parts] == [{"type": "ephemeral", "ttl": "1h"}, {"type": "ephemeral"}]
    assert messages(chat, "openai_models")[0]["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit"}


TOOLS: tuple[Tool, ...] = (FunctionTool("a.b", "d", {"type": "object"}), FunctionTool("c"), CustomTool("free"))


def tooled(choice: ToolChoice | None = None) -> Chat:
    call = Turn("assistant", (ToolCall("1", "a.b", "{}"), ToolCall("2", "free", "text", custom=True)))
    return replace(ASKED, turns=(HELLO, call), tools=TOOLS, tool_choice=choice, parallel_tools=False)


def test_names_that_upstreams_refuse_are_changed_everywhere():
    found = encoded(tooled(ToolChoice("one", ("a.b",))))
    assert found.names == {"a_b": "a.b"}
    assert found.document["tools"][0] == {
        "type": "function",
        "function": {"name": "a_b", "description": "d", "parameters": {"type": "object"}},
    }
    assert found.document["tool_choice"] == {"type": "function", "function": {"name": "a_b"}}
    assert found.document["messages"][1]["tool_calls"][0]["function"]["name"] == "a_b"
    assert found.document["parallel_tool_calls"] is False


def test_a_tool_of_free_text_is_a_function_where_only_functions_are_known():
    found = encoded(tooled()).document
    assert found["tools"][2]["function"]["parameters"]["properties"] == {"input": {"type": "string"}}
    assert found["messages"][1]["tool_calls"][1]["function"] == {"name": "free", "arguments": '{"input":"text"}'}
    own = encoded(tooled(ToolChoice("one", ("free",))), "openai_models", model="gpt-4o").document
    assert own["tools"][2] == {"type": "custom", "custom": {"name": "free"}}
    assert own["tool_choice"] == {"type": "custom", "custom": {"name": "free"}}
    assert own["messages"][1]["tool_calls"][1]["custom"] == {"name": "free", "input": "text"}


def test_a_grammar_of_responses_is_nested():
    tool = CustomTool("g", format={"type": "grammar", "syntax": "lark", "definition": "x"})
    (sent,) = encoded(replace(ASKED, tools=(tool,)), "openai_models").document["tools"]
    assert sent["custom"]["format"] == {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}
    assert dropped(replace(ASKED, tools=(tool,))) == ["tools"]


def test_a_choice_among_some_tools_offers_only_these():
    choice = ToolChoice("subset", ("c",), must=True)
    found = encoded(tooled(choice)).document
    assert [tool["function"]["name"] for tool in found["tools"]] == ["c"]
    assert found["tool_choice"] == "required"
    own = encoded(tooled(choice), "openai_models").document
    assert len(own["tools"]) == 3
    assert own["tool_choice"]["allowed_tools"]["mode"] == "required"


def test_a_web_search_is_asked_for_as_the_upstream_knows_it():
    chat = replace(ASKED, tools=(WebSearchTool("low", ("x.y",), location={"country": "NL"}, max_uses=2),))
    assert refused(chat) == "tools"
    assert encoded(chat, "web_plugin").document["plugins"] == [{"id": "web"}]
    beside = replace(chat, tools=(*chat.tools, FunctionTool("f")))
    for trait in ("web_plugin", "cache_control"):
        assert "plugins" not in encoded(beside, trait).document
        assert "tools" in {item.parameter for item in encoded(beside, trait).dropped}
    found = encoded(chat, "openai_models", model="gpt-4o-search-preview")
    assert found.document["web_search_options"] == {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"country": "NL"}},
    }
    assert [entry.parameter for entry in found.dropped] == ["tools", "tools"]


def test_a_built_in_tool_of_another_protocol_is_refused():
    assert refused(replace(ASKED, tools=(NativeTool("anthropic.messages", {"type": "bash_20250124"}),))) == "tools"


SAMPLED = replace(
    ASKED,
    sampling=Sampling(0.5, 0.9, 4, 7, 0.1, 0.2, {"5": 1}, logprobs=True, top_logprobs=2),
    stop=("a", "b", "c", "d", "e"),
    choices=2,
)


def test_sampling_for_upstreams_of_which_nothing_is_known():
    found = encoded(SAMPLED, limit=9)
    assert found.document | {"model": "", "messages": []} == {
        "model": "",
        "messages": [],
        "max_tokens": 9,
        "n": 2,
        "stop": ["a", "b", "c", "d", "e"],
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "logit_bias": {"5": 1},
        "logprobs": True,
        "top_logprobs": 2,
    }
    assert [entry.parameter for entry in found.dropped] == ["top_k"]
    assert encoded(SAMPLED, "top_k").document["top_k"] == 4


@pytest.mark.parametrize("model", ["o3", "o4-mini-2025-04-16", "gpt-5.2", "gpt-5-mini", "openai/gpt-5"])
def test_openais_reasoning_models_get_nothing_that_they_refuse(model: str):
    found = encoded(SAMPLED, *OPENAI, model=model, limit=9)
    assert found.document.keys() == {"model", "messages", "max_completion_tokens", "n", "seed"}
    assert found.stop == SAMPLED.stop
    assert {entry.parameter for entry in found.dropped} == {
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_k",
    }


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5-chat-latest", "chatgpt-4o-latest"])
def test_openais_other_models_take_sampling_and_four_stops(model: str):
    found = encoded(SAMPLED, *OPENAI, model=model, limit=9)
    assert (found.document["temperature"], found.document["max_tokens"]) == (0.5, 9)
    assert (found.document["stop"], found.stop) == (["a", "b", "c", "d"], ("e",))


@pytest.mark.parametrize(
    ("wanted", "traits", "model", "expected"),
    [
        (Reasoning(True, "high"), (), "m", {"reasoning_effort": "high"}),
        (Reasoning(True, budget=10_000), (), "m", {"reasoning_effort": "medium"}),
        (Reasoning(True), (), "m", {}),
        (Reasoning(False), (), "m", {"reasoning_effort": "none"}),
        (Reasoning(False), OPENAI, "gpt-5", {"reasoning_effort": "minimal"}),
        (Reasoning(False), OPENAI, "gpt-5.1", {"reasoning_effort": "none"}),
        (Reasoning(False), OPENAI, "o3", {"reasoning_effort": "low"}),
        (Reasoning(False), OPENAI, "gpt-4o", {}),
        (Reasoning(True, budget=99), ("reasoning_object",), "m", {"reasoning": {"max_tokens": 99}}),
        (
            Reasoning(True, "low", show=False),
            ("reasoning_object",),
            "m",
            {"reasoning": {"effort": "low", "exclude": True}},
        ),
        (Reasoning(False), ("reasoning_object",), "m", {"reasoning": {"effort": "none"}}),
        (Reasoning(False, "high"), ("thinking_object",), "m", {"thinking": {"type": "disabled"}}),
        (Reasoning(True), ("thinking_object",), "m", {"thinking": {"type": "enabled"}}),
        (Reasoning(True, "low"), ("enable_thinking",), "m", {"enable_thinking": True, "thinking_budget": 4096}),
        (Reasoning(False, "low"), ("enable_thinking",), "m", {"enable_thinking": False}),
    ],
)
def test_reasoning_is_asked_for_in_the_upstreams_dialect(
    wanted: Reasoning, traits: tuple[str, ...], model: str, expected: dict[str, Any]
):
    found = encoded(replace(ASKED, reasoning=wanted), *traits, model=model)
    assert found.document == {"model": model, "messages": [{"role": "user", "content": "Hi"}]} | expected
    assert found.dropped == ()


def test_an_effort_for_a_model_without_reasoning_is_told():
    assert dropped(replace(ASKED, reasoning=Reasoning(True, "high")), *OPENAI, model="gpt-4o") == ["thinking"]


def test_forms_of_the_answer():
    schema = Format("schema", {"type": "object"}, "my answer", "d", strict=True)
    assert encoded(replace(ASKED, format=schema)).document["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "my_answer", "description": "d", "schema": {"type": "object"}, "strict": True},
    }
    assert encoded(replace(ASKED, format=Format("json"))).document["response_format"] == {"type": "json_object"}
    spoken = encoded(replace(ASKED, modalities=("audio",), speech=Speech("Kore"))).document
    assert (spoken["modalities"], spoken["audio"]) == (["text", "audio"], {"voice": "Kore", "format": "wav"})
    streamed = encoded(replace(ASKED, modalities=("audio",), stream=True)).document
    assert streamed["audio"] == {"voice": "alloy", "format": "pcm16"}
    assert refused(replace(ASKED, modalities=("image",)), "openai_models") == "modalities"


def test_hints_go_to_those_who_take_them_and_are_told_otherwise():
    chat = replace(
        ASKED,
        verbosity="low",
        cache_key="k",
        user="u",
        metadata={"a": "b"},
        service_tier="standard_only",
        image={"aspectRatio": "1:1"},
        extras={"container": "c", "nothing": None},
    )
    assert sorted(dropped(chat)) == [
        "cache_key",
        "container",
        "image",
        "metadata",
        "metadata.user_id",
        "service_tier",
        "verbosity",
    ]
    found = encoded(chat, *OPENAI).document
    assert {name: found[name] for name in ("verbosity", "prompt_cache_key", "user", "service_tier")} == {
        "verbosity": "low",
        "prompt_cache_key": "k",
        "user": "u",
        "service_tier": "default",
    }
    assert encoded(chat, "reasoning_object").document["image_config"] == {"aspect_ratio": "1:1"}


def test_a_stream_always_asks_for_its_usage_unless_the_field_is_refused():
    chat = replace(ASKED, stream=True)
    assert encoded(chat).document["stream_options"] == {"include_usage": True}
    assert "stream_options" not in encoded(chat, "no_stream_options").document


def test_a_conversation_without_a_message_is_refused():
    assert refused(turns(Turn("user", ()))) == "messages"


@pytest.mark.parametrize(
    ("protocol", "tier", "sent"),
    [
        ("anthropic.messages", "standard_only", "on_demand"),
        ("openai.responses", "default", "on_demand"),
        ("openai.responses", "auto", "auto"),
        ("openai.responses", "flex", "flex"),
        ("openai.responses", "priority", None),
        ("openai.chat", "default", "on_demand"),
        ("openai.chat", "performance", "performance"),
        ("openai.chat", "priority", None),
    ],
)
def test_groqs_tiers_have_names_of_their_own(protocol: str, tier: str, sent: str | None):
    found = encoded(replace(ASKED, protocol=protocol, service_tier=tier), "on_demand_tier")
    assert found.document.get("service_tier") == sent
    assert [item.parameter for item in found.dropped] == ([] if sent else ["service_tier"])
