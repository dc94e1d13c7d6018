"""How much to think, by what each family of models takes."""

from typing import Any

import pytest

from anygate.canonical.blocks import Signature, Text, Thinking, ToolCall, ToolResult
from anygate.canonical.chat import Chat, FunctionTool, Reasoning, Sampling, ToolChoice, Turn
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.anthropic_messages.capabilities import capabilities
from anygate.protocols.anthropic_messages.encode_request import encode_request
from anygate.protocols.chat_codec import Encoded, Target

OLD, BUDGET, SIX, NEW = "claude-3-5-haiku-20241022", "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-4-8"
ASK = Turn("user", (Text("Hello"),))
RESULT = Turn("user", (ToolResult("c", (Text("r"),)),))


def encode(reasoning: Reasoning, model: str, *turns: Turn, limit: int = 20_000, **fields: Any) -> Encoded:
    request = Chat("openai.chat", "m", turns or (ASK,), reasoning=reasoning, **fields)
    return encode_request(request, Target(model, "anthropic", limit))


def calling(signature: Signature | None) -> Turn:
    return Turn("assistant", (Thinking("t", signature), ToolCall("c", "f", "{}")))


@pytest.mark.parametrize(
    ("reasoning", "limit", "budget"),
    [
        (Reasoning(effort="minimal"), 20_000, 1024),
        (Reasoning(effort="low"), 20_000, 4096),
        (Reasoning(effort="max"), 20_000, 16_000),
        (Reasoning(enabled=True), 20_000, 10_240),
        (Reasoning(budget=3000), 20_000, 3000),
        (Reasoning(budget=100), 20_000, 1024),
        (Reasoning(budget=3000), 1100, 1024),
        (Reasoning(adaptive=True), 2000, 1600),
    ],
)
def test_a_model_that_takes_a_budget_gets_one_that_leaves_room(reasoning: Reasoning, limit: int, budget: int):
    document = encode(reasoning, BUDGET, limit=limit).document
    assert document["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert 1024 <= budget < document["max_tokens"]


@pytest.mark.parametrize(
    ("model", "reasoning", "effort"),
    [
        (NEW, Reasoning(effort="minimal"), "low"),
        (NEW, Reasoning(effort="xhigh"), "xhigh"),
        (SIX, Reasoning(effort="xhigh"), "high"),
        (SIX, Reasoning(effort="max"), "max"),
        (NEW, Reasoning(budget=24_000), "high"),
        (NEW, Reasoning(enabled=True), "medium"),
    ],
)
def test_a_model_that_decides_itself_gets_an_effort(model: str, reasoning: Reasoning, effort: str):
    document = encode(reasoning, model).document
    assert document["thinking"] == {"type": "adaptive"}
    assert document["output_config"] == {"effort": effort}


@pytest.mark.parametrize(
    ("reasoning", "display"),
    [(Reasoning(enabled=True, show=True), "summarized"), (Reasoning(enabled=True, show=False), "omitted")],
)
def test_whether_thoughts_are_shown_is_said(reasoning: Reasoning, display: str):
    assert encode(reasoning, NEW).document["thinking"]["display"] == display


def test_thinking_is_switched_off_where_it_may_be_on():
    assert encode(Reasoning(enabled=False), NEW).document["thinking"] == {"type": "disabled"}
    assert "thinking" not in encode(Reasoning(enabled=False), BUDGET).document


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (OLD, {}),
        (BUDGET, {"limit": 1024}),
        (BUDGET, {"tools": (FunctionTool("f"),), "tool_choice": ToolChoice("required")}),
        (NEW, {"tools": (FunctionTool("f"),), "tool_choice": ToolChoice("one", ("f",))}),
    ],
)
def test_where_thinking_cannot_be_had_the_client_is_told(model: str, fields: dict[str, Any]):
    encoded = encode(Reasoning(effort="high"), model, **fields)
    assert encoded.document.get("thinking", {"type": "disabled"}) == {"type": "disabled"}
    assert "output_config" not in encoded.document
    assert [entry.parameter for entry in encoded.dropped] == ["reasoning_effort"]


@pytest.mark.parametrize(
    ("turns", "thinks"),
    [
        ((ASK, calling(Signature("s", "anthropic")), RESULT), True),
        ((ASK, calling(Signature("s", "openai")), RESULT), False),
        ((ASK, calling(None), RESULT), False),
        ((ASK, calling(None), RESULT, Turn("assistant", (Text("done"),)), ASK), True),
        ((ASK, calling(Signature("s", "anthropic")), RESULT, calling(None), RESULT), False),
    ],
)
def test_a_loop_of_calls_without_signed_thoughts_goes_on_without_thinking(turns: tuple[Turn, ...], thinks: bool):
    encoded = encode(Reasoning(effort="low"), BUDGET, *turns, tools=(FunctionTool("f"),))
    assert ("thinking" in encoded.document) is thinks
    assert [entry.parameter for entry in encoded.dropped] == ([] if thinks else ["reasoning_effort"])


def test_signed_thoughts_go_back_byte_for_byte_before_their_call():
    redacted = Thinking("", Signature("Em+/==", "anthropic"), redacted=True)
    turn = Turn("assistant", (Thinking("a ", Signature("Eq+/=", "anthropic")), redacted, ToolCall("c", "f", "{}")))
    document = encode(Reasoning(effort="low"), BUDGET, ASK, turn, RESULT, tools=(FunctionTool("f"),)).document
    assert document["messages"][1]["content"][:2] == [
        {"type": "thinking", "thinking": "a ", "signature": "Eq+/="},
        {"type": "redacted_thinking", "data": "Em+/=="},
    ]


def test_a_signature_that_does_not_say_whose_it_is_counts_only_in_its_own_protocol():
    turns = (ASK, calling(Signature("s")), RESULT)
    own = Chat("anthropic.messages", "m", turns, reasoning=Reasoning(enabled=True, budget=2000))
    document = encode_request(own, Target(BUDGET, "anthropic", 20_000)).document
    assert document["messages"][1]["content"][0]["signature"] == "s"
    assert document["thinking"]["budget_tokens"] == 2000
    assert "thinking" not in encode(Reasoning(effort="low"), BUDGET, *turns).document


def test_with_thinking_nothing_is_drawn_differently():
    encoded = encode(Reasoning(effort="low"), BUDGET, sampling=Sampling(temperature=0.3, top_p=0.5, top_k=2))
    assert not {"temperature", "top_p", "top_k"} & encoded.document.keys()
    assert {entry.parameter for entry in encoded.dropped} == {"temperature", "top_p", "top_k"}
    assert encode(Reasoning(effort="low"), BUDGET, sampling=Sampling(top_p=0.97)).document["top_p"] == 0.97


def test_a_thinking_model_does_not_continue_an_answer():
    with pytest.raises(UnsupportedContent) as refusal:
        encode(Reasoning(effort="low"), BUDGET, ASK, Turn("assistant", (Text("Once"),)))
    assert refusal.value.param == "messages"


@pytest.mark.parametrize(
    ("model", "thinking"),
    [(BUDGET, {"type": "enabled", "budget_tokens": 10_240}), (NEW, {"type": "adaptive", "display": "summarized"})],
)
def test_an_ending_of_the_models_name_is_written_as_the_model_takes_it(model: str, thinking: dict[str, Any]):
    own = Chat(
        "anthropic.messages",
        "m",
        (ASK,),
        reasoning=Reasoning(enabled=True, show=True),
        sampling=Sampling(temperature=0.2),
    )
    encoded = encode_request(own, Target(model, "anthropic", 20_000))
    assert encoded.document["thinking"] == thinking
    assert "temperature" not in encoded.document


@pytest.mark.parametrize(
    ("model", "max_output", "adaptive", "prefill"),
    [
        ("claude-opus-4-8-20260528", 128_000, True, False),
        ("us.anthropic.claude-opus-4-6-v1:0", 128_000, True, False),
        ("claude-sonnet-4-5@20250929", 64_000, False, True),
        ("anthropic/claude-opus-4.1", 32_000, False, True),
        ("claude-sonnet-4-20250514", 64_000, False, True),
        ("claude-3-7-sonnet-latest", 64_000, False, True),
        ("claude-3-haiku-20240307", 4_096, False, True),
        ("claude-mythos-9", 128_000, True, False),
        ("deepseek-chat", 32_000, False, True),
    ],
)
def test_a_model_is_known_by_a_part_of_its_id(model: str, max_output: int, adaptive: bool, prefill: bool):
    can = capabilities(model)
    assert (can.max_output, can.adaptive, can.prefill) == (max_output, adaptive, prefill)
