"""Variants of chat that clients of other relays know: names that ask for thinking, searches, models of the website."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.asked import PRICES, REQUEST_NANOS, Json, ask, channels
from tests.journeys.bills import billed, settled
from tests.journeys.configuration import channel, configuration
from tests.patience import until


@pytest.fixture(scope="module")
def gateway(upstreams: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    """One for all tests, which ask in turn."""
    config = configuration(channels(upstreams), prices=PRICES)
    with running_gateway(config, tmp_path_factory.mktemp("variants")) as running:
        yield running


# Names that ask for thinking


@pytest.mark.parametrize(
    ("name", "model", "member"),
    [
        ("claude-sonnet-4-5-thinking", "claude-sonnet-4-5", ("thinking", "type", "enabled")),
        ("claude-sonnet-4-5-thinking-2048", "claude-sonnet-4-5", ("thinking", "budget_tokens", 2048)),
        ("deepseek-chat-thinking", "deepseek-chat", ("thinking", "type", "enabled")),
        ("deepseek-chat-nothinking", "deepseek-chat", ("thinking", "type", "disabled")),
        ("kimi-k2-nothinking", "kimi-k2", ("thinking", "type", "disabled")),
        ("gpt-5.1-high", "gpt-5.1", ("reasoning_effort", "", "high")),
        ("gpt-5.1-none", "gpt-5.1", ("reasoning_effort", "", "none")),
        ("qwen-max-thinking-512", "qwen-max", ("thinking_budget", "", 512)),
    ],
)
def test_an_ending_asks_for_thinking(
    gateway: TestGateway, upstreams: Sandbox, name: str, model: str, member: tuple[str, str, Any]
):
    asked = ask(gateway, upstreams, name, max_tokens=4096)
    assert asked.sent["model"] == model
    outer, inner, value = member
    assert (asked.sent[outer][inner] if inner else asked.sent[outer]) == value
    assert billed(gateway, asked.request_id)["model"] == name  # the log says what was asked


@pytest.mark.parametrize(
    ("ending", "config"),
    [
        ("thinking", {"thinkingBudget": -1, "includeThoughts": True}),
        ("thinking-1024", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("nothinking", {"thinkingBudget": 0}),
    ],
)
def test_an_ending_asks_gemini_for_thinking(gateway: TestGateway, upstreams: Sandbox, ending: str, config: Json):
    asked = ask(gateway, upstreams, f"gemini-2.5-flash-{ending}")
    assert asked.path == "/gemini/v1beta/models/gemini-2.5-flash:generateContent"
    assert asked.sent["generationConfig"]["thinkingConfig"] == config
    assert ("reasoning_content" in asked.message) == ("includeThoughts" in config)
    row = billed(gateway, asked.request_id)
    assert (row["usage"]["reasoning"] > 0) == ("includeThoughts" in config)


def test_an_ending_is_read_where_a_wildcard_serves_a_name_that_the_table_knows(
    upstreams: Sandbox, tmp_path_factory: pytest.TempPathFactory
):
    wild = channel(upstreams, "wild", "claude-*", provider="anthropic", base_url=upstreams.provider_url("anthropic"))
    with running_gateway(configuration([wild]), tmp_path_factory.mktemp("wild")) as running:
        asked = ask(running, upstreams, "claude-sonnet-4-5-thinking-2048", max_tokens=4096)
        assert (asked.sent["model"], asked.sent["thinking"]["budget_tokens"]) == ("claude-sonnet-4-5", 2048)
        asked = ask(running, upstreams, "claude-unheard-of-thinking", max_tokens=4096)
        assert asked.sent["model"] == "claude-unheard-of-thinking"


def test_thoughts_are_shown_and_charged_as_output(gateway: TestGateway, upstreams: Sandbox):
    asked = ask(gateway, upstreams, "claude-sonnet-4-5-thinking", max_tokens=4096)
    assert asked.message["reasoning_content"]
    assert asked.message["content"] == "Hello there"
    usage = asked.answer["usage"]
    assert usage["completion_tokens"] == billed(gateway, asked.request_id)["usage"]["output"]


def test_an_ending_is_read_in_every_protocol(gateway: TestGateway, upstreams: Sandbox):
    upstreams.requests.clear()
    body: Json = {"model": "claude-sonnet-4-5-thinking", "max_tokens": 4096}
    body["messages"] = [{"role": "user", "content": "Hello there"}]
    response = gateway.client().post("/v1/messages", json=body)
    assert [block["type"] for block in response.json()["content"]] == ["thinking", "text"]
    assert upstreams.requests[-1].json["model"] == "claude-sonnet-4-5"
    billed(gateway, response.headers["x-request-id"])


@pytest.mark.parametrize("name", ["kimi-k2-thinking", "qwen-max-high"], ids=["listed", "priced"])
def test_a_name_that_is_listed_or_priced_as_it_stands_has_no_ending(
    gateway: TestGateway, upstreams: Sandbox, name: str
):
    asked = ask(gateway, upstreams, name)
    assert asked.sent["model"] == name
    assert not asked.sent.keys() & {"thinking", "enable_thinking", "thinking_budget", "reasoning_effort"}
    assert billed(gateway, asked.request_id)["model"] == name


# Searches


@pytest.mark.parametrize(
    ("model", "tool"),
    [
        ("claude-sonnet-4-5", {"type": "web_search_20250305", "name": "web_search"}),
        ("gemini-2.5-flash", {"googleSearch": {}}),
    ],
)
def test_web_search_options_search_with_any_provider(gateway: TestGateway, upstreams: Sandbox, model: str, tool: Json):
    asked = ask(gateway, upstreams, model, web_search_options={"search_context_size": "low"})
    (sent,) = asked.sent["tools"]
    assert {name: sent.get(name) for name in tool} == tool
    cited = asked.message["annotations"][0]["url_citation"]
    assert cited.keys() >= {"start_index", "end_index", "title", "url"}
    assert 0 <= cited["start_index"] < cited["end_index"] <= len(asked.message["content"])
    assert "tool_calls" not in asked.message
    assert billed(gateway, asked.request_id)["usage"]["searches"] == 1


def test_openais_search_models_get_the_options_as_they_came(gateway: TestGateway, upstreams: Sandbox):
    options = {"search_context_size": "low"}
    asked = ask(gateway, upstreams, "gpt-4o-search-preview", web_search_options=options)
    assert asked.sent["web_search_options"] == options
    assert asked.message["annotations"][0]["type"] == "url_citation"
    billed(gateway, asked.request_id)


@pytest.mark.parametrize(("name", "built_in"), [("googleSearch", "googleSearch"), ("codeExecution", "codeExecution")])
def test_a_function_of_googles_name_switches_googles_own_tool_on(
    gateway: TestGateway, upstreams: Sandbox, name: str, built_in: str
):
    tools = [{"type": "function", "function": {"name": name}}]
    asked = ask(gateway, upstreams, "gemini-2.5-flash", tools=tools)
    assert asked.sent["tools"] == [{built_in: {}}]
    assert "tool_calls" not in asked.message
    assert ("annotations" in asked.message) == (name == "googleSearch")
    billed(gateway, asked.request_id)


def test_the_same_name_is_a_function_like_any_other_elsewhere(gateway: TestGateway, upstreams: Sandbox):
    tools = [{"type": "function", "function": {"name": "googleSearch", "parameters": {"type": "object"}}}]
    asked = ask(gateway, upstreams, "claude-sonnet-4-5", tools=tools)
    assert [tool["name"] for tool in asked.sent["tools"]] == ["googleSearch"]
    assert asked.message["tool_calls"][0]["function"]["name"] == "googleSearch"
    billed(gateway, asked.request_id)


def test_xais_live_search_is_served_with_the_tools_of_its_responses(gateway: TestGateway, upstreams: Sandbox):
    search = {
        "mode": "auto",
        "max_search_results": 10,
        "sources": [{"type": "web", "excluded_websites": ["a.example"]}],
    }
    asked = ask(gateway, upstreams, "grok-4", search_parameters=search)
    assert asked.path == "/xai/v1/responses"
    assert asked.sent["tools"] == [{"type": "web_search", "filters": {"excluded_domains": ["a.example"]}}]
    assert asked.warnings == "search_parameters.max_search_results;the provider's protocol has no such field"
    cited = [note["url_citation"]["url"] for note in asked.message["annotations"]]
    assert cited
    assert asked.answer["citations"] == cited
    assert billed(gateway, asked.request_id)["usage"]["searches"] >= 1


def test_xais_live_search_is_streamed_with_its_sources_at_the_end(gateway: TestGateway, upstreams: Sandbox):
    search = {"mode": "on", "sources": [{"type": "x"}, {"type": "web"}]}
    asked = ask(gateway, upstreams, "grok-4", search_parameters=search, stream=True)
    assert asked.sent["tools"] == [{"type": "web_search"}, {"type": "x_search"}]
    assert asked.body.count(b'"citations":["https://') == 1
    assert asked.body.endswith(b"data: [DONE]\n\n")
    assert billed(gateway, asked.request_id)["usage"]["searches"] >= 1


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"search_parameters": None}, "/xai/v1/chat/completions"),
        ({"search_parameters": {"mode": "off"}}, "/xai/v1/responses"),
        ({"web_search_options": {}}, "/xai/v1/responses"),
    ],
)
def test_xais_chat_is_not_sent_what_it_has_dropped(gateway: TestGateway, upstreams: Sandbox, fields: Json, path: str):
    asked = ask(gateway, upstreams, "grok-4", **fields)
    assert asked.path == path
    searches = "web_search_options" in fields
    assert asked.sent.get("tools") == ([{"type": "web_search"}] if searches else None)
    assert "citations" not in asked.answer
    billed(gateway, asked.request_id)


def test_a_channel_that_speaks_chat_only_hands_xais_refusal_on(
    upstreams: Sandbox, tmp_path_factory: pytest.TempPathFactory
):
    url = upstreams.provider_url("xai")
    only_chat = channel(upstreams, "xai", "grok-4", provider="xai", base_url=url, protocols=["chat"])
    with running_gateway(configuration([only_chat]), tmp_path_factory.mktemp("only_chat")) as running:
        body: Json = {"model": "grok-4", "messages": [{"role": "user", "content": "News?"}]}
        body["search_parameters"] = {}
        response = running.chat(body)
        assert (response.status_code, response.json()["error"]["param"]) == (410, "search_parameters")
        assert running.log(response.headers["x-request-id"])["cost_nanos"] == 0


def test_a_deep_research_model_is_served_to_chat_clients_through_responses(gateway: TestGateway, upstreams: Sandbox):
    asked = ask(gateway, upstreams, "o4-mini-deep-research", web_search_options={})
    assert asked.path == "/openai/v1/responses"
    assert [tool["type"] for tool in asked.sent["tools"]] == ["web_search"]
    assert asked.message["content"]
    billed(gateway, asked.request_id)


def test_deep_research_in_the_background_is_fetched_by_its_id(gateway: TestGateway):
    with OpenAI(base_url=f"{gateway.base_url}/v1", api_key=gateway.key, max_retries=0) as client:
        queued = client.responses.create(
            model="o4-mini-deep-research",
            input="Impact of X on Y",
            background=True,
            tools=[{"type": "web_search_preview"}],
        )
        assert queued.status == "queued"
        until(lambda: client.responses.retrieve(queued.id).status not in ("queued", "in_progress"), "it ends")
        done = client.responses.retrieve(queued.id)
    assert (done.status, done.model) == ("completed", "o4-mini-deep-research")
    assert done.output_text
    assert gateway.audit().ok


# Models of the website


@pytest.mark.parametrize("model", ["gpt-4-all", "gpt-4-gizmo-g-2fkFE8rbu"])
@pytest.mark.parametrize("stream", [False, True])
def test_models_of_the_website_are_paid_by_the_call_and_read_files_by_url(
    gateway: TestGateway, upstreams: Sandbox, model: str, stream: bool
):
    content = [
        {"type": "text", "text": "https://example.com/cat.png What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/report.pdf"}},
    ]
    asked = ask(gateway, upstreams, model, content, stream=stream)
    assert asked.sent["model"] == model
    assert asked.sent["messages"][0]["content"] == content
    assert settled(gateway, asked.request_id, status=200, evidence="reported")["cost_nanos"] == REQUEST_NANOS


# Requests that are written anew for a provider of the client's own protocol


def test_a_rewritten_stream_has_no_usage_chunk_that_nobody_asked_for(gateway: TestGateway, upstreams: Sandbox):
    asked = ask(gateway, upstreams, "gpt-5.1-high", stream=True)
    assert asked.sent["stream_options"] == {"include_usage": True}
    assert b'"choices":[]' not in asked.body.replace(b" ", b"")
    assert asked.body.endswith(b"data: [DONE]\n\n")
    assert billed(gateway, asked.request_id)["evidence"] == "reported"
    wanted = ask(gateway, upstreams, "gpt-5.1-high", stream=True, stream_options={"include_usage": True})
    assert b'"choices":[]' in wanted.body.replace(b" ", b"")


def test_a_rewritten_request_keeps_the_clients_headers(gateway: TestGateway, upstreams: Sandbox):
    upstreams.requests.clear()
    body = {"model": "claude-sonnet-4-5-thinking", "max_tokens": 4096, "messages": [{"role": "user", "content": "Hi"}]}
    response = gateway.client().post(
        "/v1/messages",
        json=body,
        headers={"anthropic-version": "2023-06-01", "anthropic-beta": "context-1m-2025-08-07"},
    )
    assert response.status_code == 200, response.text
    (received,) = upstreams.requests
    assert received.json["thinking"]["type"] == "enabled"
    assert received.header("anthropic-beta") == "context-1m-2025-08-07"
    assert received.header("anthropic-version") == "2023-06-01"
