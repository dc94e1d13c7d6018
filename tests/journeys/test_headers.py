"""Which headers cross the gateway, and what stands on each of its answers."""

import re
from collections.abc import Iterator

import httpx
import pytest

from anygate.sandbox.answer import Answer
from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.configuration import channel, configuration

BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
STOPPED = {
    "Cookie": "session=1",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "inside.example",
    "Forwarded": "for=203.0.113.9",
    "Via": "1.1 proxy",
    "X-Real-IP": "203.0.113.9",
    "CF-Connecting-IP": "203.0.113.9",
    "OpenAI-Organization": "org-clients",
    "OpenAI-Project": "proj-clients",
    "Proxy-Authorization": "Basic eHg6eQ==",
    "X-Anygate-Anything": "1",
    "X-Request-Id": "theirs",
    "TE": "trailers",
    "X-Hop": "1",
    "Connection": "X-Hop",
}
PASSED = {
    "X-Stainless-Lang": "python",
    "OpenAI-Beta": "assistants=v2",
    "Idempotency-Key": "abc",
    "User-Agent": "theirs/1",
    "X-Custom": "kept",
    "Accept-Language": "zh",
}


@pytest.fixture(scope="module")
def gateway(upstreams: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    config = configuration([channel(upstreams, "main")])
    with running_gateway(config, tmp_path_factory.mktemp("headers")) as running:
        yield running


def test_private_headers_stop_here_and_unknown_ones_travel(gateway: TestGateway, upstreams: Sandbox):
    gateway.chat(BODY, headers={**STOPPED, **PASSED})
    received = {name: value for name, value in upstreams.requests[-1].headers}
    assert {name.lower() for name in STOPPED if received.get(name.lower()) == STOPPED[name]} == set()
    assert {name: received.get(name.lower()) for name in PASSED} == PASSED
    assert received["host"] == upstreams.base_url.removeprefix("http://")
    assert received["accept-encoding"] == "identity"
    assert received["authorization"] == "Bearer sk-main"
    assert not [name for name in received if name.startswith(("x-forwarded", "x-anygate", "cf-"))]
    assert gateway.key not in str(received)


@pytest.mark.parametrize("stream", [False, True])
def test_the_upstreams_account_is_not_shown(gateway: TestGateway, stream: bool):
    response = gateway.chat({**BODY, "stream": stream})
    for name in ("set-cookie", "openai-organization", "x-ratelimit-limit-requests", "server"):
        assert name not in response.headers
    assert response.headers["openai-processing-ms"] == "1"
    assert response.headers["content-type"] == ("text/event-stream; charset=utf-8" if stream else "application/json")


def answers(gateway: TestGateway) -> Iterator[httpx.Response]:
    """One answer of each kind."""
    client = gateway.client()
    yield gateway.chat(BODY)
    yield gateway.chat({**BODY, "stream": True})
    yield gateway.chat({**BODY, "model": "sandbox-400"})
    yield gateway.chat({**BODY, "model": "sandbox-500"})
    yield gateway.chat({**BODY, "model": "sandbox-garbage"})
    yield gateway.chat({"messages": []})
    yield client.post("/v1/chat/completions", content=b"{")
    yield client.get("/v1/models")
    yield client.get("/v1/models/none-such/at/all")
    yield client.get("/v1/chat/completions")
    yield client.get("/v1/nothing/here")
    yield client.get("/healthz")
    yield httpx.post(f"{gateway.base_url}/v1/chat/completions", json=BODY, trust_env=False, verify=False)


def test_every_answer_names_its_request_and_our_share_of_the_time(gateway: TestGateway):
    seen = set[str]()
    for response in answers(gateway):
        assert re.fullmatch(
            r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", response.headers["x-request-id"]
        )
        assert float(response.headers["x-anygate-overhead-ms"]) >= 0
        assert response.headers["date"]
        seen.add(response.headers["x-request-id"])
    assert len(seen) == 13


def test_secrets_and_addresses_of_channels_never_reach_a_client(gateway: TestGateway, upstreams: Sandbox):
    upstreams.script(
        Answer(200, (b"oops, sk-main at /secret/path",), (("content-type", "text/plain"),)), model="leaks", times=1
    )
    for response in [*answers(gateway), gateway.chat({**BODY, "model": "leaks"})]:
        everything = response.text + str(response.headers)
        for secret in ("sk-main", upstreams.base_url, "Traceback", "/work/", "secret/path"):
            assert secret not in everything
