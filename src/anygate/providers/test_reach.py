"""The way back from a full path, and that every recorded chat path can be reached by a channel."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from anygate.providers.reach import Reach, reach
from anygate.providers.registry import all_providers, provider, target
from anygate.providers.table import COMMON_OPTIONS

SHARED = Path(os.environ.get("ANYGATE_SHARED", "../shared")) / "recordings"
ORIGIN = "https://upstream.example"


def slug_of(company: str, protocol: str) -> str:
    """Our provider for a folder of the recordings; those without a table of their own speak through the generic one."""
    slug = company.replace("-", "_")
    table = all_providers().get(slug)
    if table is None or (company == "bedrock" and protocol.startswith("openai.")):
        return "openai_compatible"  # Bedrock's other hosts speak OpenAI's protocols alone
    return slug


def recorded_chats() -> list[tuple[str, str, str, str]]:
    """(company, protocol, target, model) of every recorded chat call whose request and path are known."""
    found: set[tuple[str, str, str, str]] = set()
    for path in sorted(SHARED.glob("*/*/*.json")):
        api = path.parent.name
        if api not in PROTOCOLS:
            continue
        record: dict[str, Any] = orjson.loads(path.read_bytes())
        method, _, recorded = str(record["endpoint"]).partition(" ")
        request: dict[str, Any] = record["request"] or {}
        if method != "POST" or not recorded.startswith("/") or "json" not in request:
            continue
        protocol = PROTOCOLS[api]
        if api in ("invoke", "models"):  # of any maker's models
            protocol = "anthropic.messages" if "anthropic" in recorded and "count-tokens" not in recorded else ""
        if protocol:
            found.add((record["provider"], protocol, recorded, str(request["json"].get("model") or "none")))
    return sorted(found)


PROTOCOLS = {
    "chat": "openai.chat",
    "responses": "openai.responses",
    "messages": "anthropic.messages",
    "generateContent": "google.gemini",
    "chat-native": "cohere.chat",
    "completions": "openai.completions",
    "invoke": "",
    "models": "",
}
"""Folder of the recordings -> the protocol spoken there."""

UNKNOWN = (
    "/v1/chat",  # Cohere's first version
    "/v1/responses/compact",  # another operation
)


def test_every_recorded_chat_path_is_reached_by_a_base_url_and_options():
    chats = recorded_chats()
    if not chats:
        assert "ANYGATE_SHARED" not in os.environ, f"ANYGATE_SHARED is set, and there is nothing in {SHARED}"
        pytest.skip(f"no recordings in {SHARED}: set ANYGATE_SHARED")
    protocols: set[str] = set()
    for company, protocol, recorded, model in chats:
        if recorded in UNKNOWN:
            continue
        table = provider(slug_of(company, protocol))
        operation = next((name for name, found in table.endpoints.items() if found.protocol == protocol), None)
        assert operation is not None, (company, protocol)
        found = reach(table, operation, recorded)
        assert found is not None, (company, recorded)
        for name, value in found.options.items():
            option = table.options.get(name) or COMMON_OPTIONS[name]
            assert not option.choices or value in option.choices, (company, recorded)
        ways = [
            target(table, operation, ORIGIN + found.base_path, found.options, found.model or model, stream=stream)
            for stream in (False, True)
        ]
        if protocol == "openai.chat":
            assert found.model in ("", model)
            assert ways[0].target == recorded, company
        # The other SDKs send queries of their own (`beta=true`), and some spell the path's model another way.
        assert any(bare(way.target) == bare(recorded) for way in ways), (company, recorded, ways)
        protocols.add(protocol)
    assert protocols == set(PROTOCOLS.values()) - {""}


def bare(address: str) -> str:
    """A path without its query and without escapes."""
    return unquote(address.partition("?")[0])


@pytest.mark.parametrize(
    ("slug", "recorded", "found"),
    [
        ("openai", "/v1/chat/completions", Reach("")),
        ("deepseek", "/chat/completions", Reach("")),
        ("deepseek", "/v1/chat/completions", Reach("/v1")),
        ("zhipu", "/api/coding/paas/v4/chat/completions", Reach("/api/coding/paas/v4")),
        ("huggingface", "/hyperbolic/v1/chat/completions", Reach("/hyperbolic")),
        ("openai_compatible", "/v1beta/openai/chat/completions", Reach("", {"prefix": "/v1beta/openai"})),
        ("openai_compatible", "/chat/completions", Reach("", {"prefix": ""})),
        ("azure", "/openai/v1/chat/completions", Reach("", {"api": "v1"})),
        (
            "azure",
            "/models/chat/completions?api-version=2024-05-01-preview",
            Reach("", {"api": "models", "api_version": "2024-05-01-preview"}),
        ),
        (
            "azure",
            "/openai/deployments/gpt%2F5/chat/completions?api-version=2024-02-01",
            Reach("", {"api_version": "2024-02-01"}, "gpt/5"),
        ),
        ("openai", "/v1/images/generations", None),
    ],
)
def test_a_full_path_is_taken_apart(slug: str, recorded: str, found: Reach | None):
    assert reach(provider(slug), "chat", recorded) == found


def test_an_operation_that_is_not_served_has_no_way():
    assert reach(provider("openai"), "video.create", "/v1/videos") is None
