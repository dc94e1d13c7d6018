"""Models that a request names for the case that its own cannot answer."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.configuration import channel, configuration

CHEAP_ONLY = "sk-test-cheap-only"
CHEAP, DEAR = {"input": "1", "output": "2"}, {"input": "1", "output": "3"}


@pytest.fixture(scope="module")
def gateway(upstreams: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    channels = [
        channel(upstreams, slug, *models, provider=slug, base_url=upstreams.provider_url(slug))
        for slug, models in {"openrouter": ["cheap", "dear"], "vercel_gateway": ["frugal"]}.items()
    ]
    tokens = [{"user": "alice", "name": "cheap-only", "key": CHEAP_ONLY, "models": ["cheap"]}]
    prices = {"cheap": CHEAP, "frugal": CHEAP, "dear": DEAR}
    config = configuration(channels, tokens=tokens, prices=prices)
    with running_gateway(config, tmp_path_factory.mktemp("further")) as running:
        yield running


ROUTES = ["/v1/chat/completions", "/v1/responses", "/v1/messages"]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("model", "fields", "param"),
    [
        ("cheap", {"models": ["cheap", "dear"]}, "models"),
        ("cheap", {"models": ["unpriced"]}, "models"),
        ("frugal", {"providerOptions": {"gateway": {"models": ["dear"]}}}, "providerOptions.gateway.models"),
    ],
)
def test_a_further_model_is_not_dearer_than_the_one_that_is_paid(
    gateway: TestGateway, upstreams: Sandbox, path: str, model: str, fields: dict[str, Any], param: str
):
    answer = asked(gateway, upstreams, path, {"model": model, **fields})
    assert answer.status_code == 400
    assert param in answer.json()["error"]["message"]
    assert list(upstreams.requests) == []
    assert gateway.log(answer.headers["x-request-id"])["cost_nanos"] == 0


def test_a_further_model_that_the_key_may_not_use_is_refused(gateway: TestGateway, upstreams: Sandbox):
    answer = asked(gateway, upstreams, ROUTES[0], {"model": "cheap", "models": ["frugal"]}, key=CHEAP_ONLY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")
    assert list(upstreams.requests) == []


def test_further_models_that_cost_no_more_travel(gateway: TestGateway, upstreams: Sandbox):
    answer = asked(gateway, upstreams, ROUTES[0], {"model": "dear", "models": ["cheap"]})
    assert answer.status_code == 200
    assert upstreams.requests[0].json["models"] == ["cheap"]


def asked(gateway: TestGateway, upstreams: Sandbox, path: str, fields: dict[str, Any], key: str = "") -> httpx.Response:
    upstreams.requests.clear()
    messages = [{"role": "user", "content": "Hello"}]
    document = {"messages": messages, "input": "Hello", "max_tokens": 9, **fields}
    headers = {"authorization": f"Bearer {key or gateway.key}"}
    return gateway.client(headers=headers).post(path, json=document)
