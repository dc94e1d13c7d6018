"""Signatures through protocols without a field for them: loops of tools that a strict upstream would refuse without.

The simulated upstreams refuse a thought or a call whose signature is missing or was changed, so a loop that comes to its end
proves that every byte came back.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI

from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.bills import billed
from tests.journeys.configuration import configuration

pytestmark = pytest.mark.usefixtures("forgotten")

CLAUDE, GEMINI, EITHER = "claude-sonnet-4-5", "gemini-3-pro-preview", "either"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NAMES = ("get_weather", "get_time")
ORDERS = """Tell me of two cities.
sandbox: call get_weather {"city": "Rome"}
sandbox: call get_time {"city": "Rome"}
sandbox: call get_weather {"city": "Oslo"}
"""


class House:
    """A gateway with a channel for each maker."""

    def __init__(self, gateway: TestGateway, upstreams: Sandbox, openai: OpenAI, anthropic: Anthropic) -> None:
        self.gateway = gateway
        self.upstreams = upstreams
        self.openai = openai
        self.anthropic = anthropic

    def bodies(self, provider: str) -> list[Any]:
        """What a provider was sent."""
        return [one.json for one in self.upstreams.requests if one.target.startswith(f"/{provider}/")]


@pytest.fixture(scope="module")
def house(upstreams: Sandbox, each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    def of(provider: str, model: str, priority: int) -> dict[str, Any]:
        place = {"name": provider, "provider": provider, "base_url": upstreams.provider_url(provider)}
        names = {"models": [model, EITHER], "model_map": {EITHER: model}, "priority": priority}
        return {**place, "key": f"sk-{provider}", **names}

    config = configuration([of("anthropic", CLAUDE, 1), of("gemini", GEMINI, 0)])
    with running_gateway(config, tmp_path_factory.mktemp("signed"), database_url=each_database) as gateway:
        url, key = gateway.base_url, gateway.key
        with (
            OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as openai,
            Anthropic(base_url=url, api_key=key, max_retries=0) as anthropic,
        ):
            yield House(gateway, upstreams, openai, anthropic)
        gateway.settled()
        assert gateway.audit().ok


CHAT_TOOLS: list[Any] = [{"type": "function", "function": {"name": name, "parameters": CITY}} for name in NAMES]
RESPONSES_TOOLS: list[Any] = [{"type": "function", "name": name, "parameters": CITY, "strict": False} for name in NAMES]
ANTHROPIC_TOOLS: list[Any] = [{"name": name, "input_schema": CITY} for name in NAMES]


def chat_turn(house: House, model: str, messages: list[Any], *, stream: bool) -> dict[str, Any]:
    """The model's message, cut down to what any client keeps: role, content and tool calls."""
    create: Any = house.openai.chat.completions.with_raw_response.create
    fields = {"model": model, "messages": messages, "tools": CHAT_TOOLS, "reasoning_effort": "high"}
    raw = create(**fields, stream=stream)
    if stream:
        message = joined([choice.delta for chunk in raw.parse() for choice in chunk.choices])
    else:
        whole = raw.parse().choices[0].message
        made: list[Any] = whole.tool_calls or []
        calls = [call.model_dump(include={"id", "type", "function"}) for call in made]
        message = {"role": "assistant", "content": whole.content, "tool_calls": calls}
    billed(house.gateway, raw.headers["x-request-id"])
    return {name: value for name, value in message.items() if value or name == "content"}


def joined(deltas: list[Any]) -> dict[str, Any]:
    calls: dict[int, dict[str, Any]] = {}
    pieces: list[Any] = [piece for delta in deltas if delta.tool_calls for piece in delta.tool_calls]
    for piece in pieces:
        call = calls.setdefault(piece.index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
        call["id"] += piece.id or ""
        call["function"]["name"] += piece.function.name or ""
        call["function"]["arguments"] += piece.function.arguments or ""
    text = "".join(delta.content or "" for delta in deltas)
    return {"role": "assistant", "content": text or None, "tool_calls": [calls[index] for index in sorted(calls)]}


def chat_loop(house: House, model: str, messages: list[Any], *, stream: bool, most: int = 8) -> list[str]:
    """Answer calls until the model answers in words; the names of the calls."""
    called: list[str] = []
    for _ in range(most):
        message = chat_turn(house, model, messages, stream=stream)
        messages.append(message)
        if "tool_calls" not in message:
            return called
        for call in message["tool_calls"]:
            called.append(call["function"]["name"])
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": f"result {len(called)}"})
    raise AssertionError("the loop does not end")


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_client_that_keeps_no_thoughts_comes_to_the_end_of_its_loop(house: House, model: str, stream: bool):
    messages: list[Any] = [{"role": "user", "content": ORDERS}]
    assert chat_loop(house, model, messages, stream=stream) == ["get_weather", "get_time", "get_weather"]
    assert "result" in messages[-1]["content"]
    if model == CLAUDE:
        turns = house.bodies("anthropic")[-1]["messages"]
        (first, *_) = [turn for turn in turns if turn["role"] == "assistant"]
        assert first["content"][0]["type"] == "thinking"
        assert first["content"][0]["signature"]
    else:
        parts = [part for turn in house.bodies("gemini")[-1]["contents"] for part in turn["parts"]]
        assert all(part.get("thoughtSignature") for part in parts if "functionCall" in part)
    messages.append({"role": "user", "content": "Thank you"})
    assert chat_turn(house, model, messages, stream=stream)["content"]


def test_redacted_thoughts_come_back_too(house: House):
    house.upstreams.inject("redacted-thinking", times=10, provider="anthropic")
    messages: list[Any] = [{"role": "user", "content": ORDERS}]
    assert len(chat_loop(house, CLAUDE, messages, stream=True)) == 3
    turns = house.bodies("anthropic")[-1]["messages"]
    (first, *_) = [turn for turn in turns if turn["role"] == "assistant"]
    assert first["content"][0]["type"] == "redacted_thinking"


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
@pytest.mark.parametrize("keeps", [False, True])
def test_a_responses_client_may_keep_reasoning_or_drop_it(house: House, model: str, keeps: bool):
    items: list[Any] = [{"role": "user", "content": ORDERS}]
    answer: Any = None
    calls = 0
    for _ in range(8):
        answer = house.openai.responses.create(
            model=model, input=items, tools=RESPONSES_TOOLS, reasoning={"effort": "high"}, store=False,
            include=["reasoning.encrypted_content"],
        )  # fmt: skip
        output = [item.model_dump(exclude_none=True) for item in answer.output]
        items += [item for item in output if keeps or item["type"] != "reasoning"]
        made = [item for item in output if item["type"] == "function_call"]
        if not made:
            break
        for call in made:
            calls += 1
            items.append({"type": "function_call_output", "call_id": call["call_id"], "output": f"result {calls}"})
    assert calls == 3
    assert "result" in answer.output_text


@pytest.mark.parametrize("keeps", [False, True])
def test_an_anthropic_client_may_keep_thoughts_of_gemini_or_drop_them(house: House, keeps: bool):
    messages: list[Any] = [{"role": "user", "content": ORDERS}]
    calls = 0
    for _ in range(8):
        answer: Any = house.anthropic.messages.create(
            model=GEMINI,
            max_tokens=4096,
            messages=messages,
            tools=ANTHROPIC_TOOLS,
            thinking={"type": "enabled", "budget_tokens": 1024},
        )
        content = [block.model_dump(exclude_none=True) for block in answer.content]
        messages.append(
            {"role": "assistant", "content": [one for one in content if keeps or "thinking" not in one["type"]]}
        )
        used = [one for one in content if one["type"] == "tool_use"]
        if not used:
            break
        results = [{"type": "tool_result", "tool_use_id": one["id"], "content": "18C"} for one in used]
        calls += len(used)
        messages.append({"role": "user", "content": results})
    assert calls == 3
    sent = json.dumps(house.bodies("gemini")[-1])
    assert sent.count("thoughtSignature") >= 3


def test_after_a_failover_to_another_maker_nothing_foreign_is_sent(house: House):
    messages: list[Any] = [{"role": "user", "content": ORDERS}]
    message = chat_turn(house, EITHER, messages, stream=False)
    messages += [message, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "18C"}]
    message = chat_turn(house, EITHER, messages, stream=False)
    messages += [message, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "noon"}]
    sent = house.bodies("anthropic")[-1]["messages"]
    signatures = [part["signature"] for turn in sent for part in turn["content"] if part["type"] == "thinking"]
    assert signatures
    assert house.bodies("gemini") == []
    house.upstreams.inject("529", provider="anthropic")
    message = chat_turn(house, EITHER, messages, stream=False)
    (foreign,) = house.bodies("gemini")
    assert not any(signature in json.dumps(foreign) for signature in signatures)
    # Back at the first maker: its own are there again, and the other's are not.
    messages += [message, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "18C"}]
    assert "tool_calls" not in chat_turn(house, EITHER, messages, stream=False)
    newest = json.dumps(
        house.bodies("anthropic")[-1] if len(house.bodies("gemini")) == 1 else house.bodies("gemini")[-1]
    )
    assert [row["status"] for row in house.gateway.logs(limit=4)] == [200] * 4
    assert (signatures[0] in newest) == (len(house.bodies("gemini")) == 1)


def test_another_user_of_the_same_ids_gets_no_signature(house: House):
    """A call that the user never got has no signature; Claude takes a turn without thoughts where none is known."""
    call = {"id": "toolu_unknown", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages: list[Any] = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "toolu_unknown", "content": "18C"},
    ]
    assert chat_turn(house, CLAUDE, messages, stream=False)["content"]
