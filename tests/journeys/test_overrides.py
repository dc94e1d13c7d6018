"""What an operator declares for a channel reaches its upstream: model names, headers, parameters."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from anygate.sandbox.recorded import Recorded
from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.configuration import channel, configuration
from tests.specs.openai import validate_chat_request

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def gateway(upstreams: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    channels = [
        channel(upstreams, "renames", "fast", model_map={"fast": "gpt-4o-mini-2024-07-18", "also": "gpt-4o"}),
        channel(
            upstreams, "sets", "sets", set_body={"service_tier": "flex", "temperature": 0.5, "metadata": {"a": "b"}}
        ),
        channel(upstreams, "drops", "drops", drop_body=["user", "logit_bias"]),
        channel(upstreams, "heads", "heads", headers={"X-Team": "blue", "User-Agent": "ours/1"}),
        channel(upstreams, "silent", "silent", options={"stream_usage": False}),
        channel(upstreams, "plain", "plain"),
    ]
    with running_gateway(configuration(channels), tmp_path_factory.mktemp("overrides")) as running:
        yield running


def sent(gateway: TestGateway, upstreams: Sandbox, body: bytes, **headers: str) -> Recorded:
    """What the upstream received of a request with this body."""
    response = gateway.client(headers=headers).post("/v1/chat/completions", content=body)
    assert response.status_code == 200, response.text
    received = upstreams.requests[-1]
    validate_chat_request(received.body)
    return received


def test_only_the_models_name_changes_between_the_clients_bytes_and_the_upstreams(
    gateway: TestGateway, upstreams: Sandbox
):
    body = b'{ "temperature":1.0,\t"model" : "fast", "max_tokens":9,"messages":[{"role":"user","content":"\\u00e9"}]}\n'
    expected = body.replace(b'"fast"', b'"gpt-4o-mini-2024-07-18"')
    assert sent(gateway, upstreams, body).body == expected


def test_a_mapped_name_is_served_under_every_name_that_is_mapped(gateway: TestGateway, upstreams: Sandbox):
    response = gateway.chat({"model": "also", "messages": HELLO})
    assert upstreams.requests[-1].json["model"] == "gpt-4o"
    assert response.json()["model"] == "gpt-4o", "answers carry the upstream's name"
    assert gateway.log(response.headers["x-request-id"])["model"] == "also"


def test_parameters_are_set_over_the_clients(gateway: TestGateway, upstreams: Sandbox):
    document = {"model": "sets", "messages": HELLO, "temperature": 1, "max_tokens": 5}
    received: dict[str, Any] = sent(gateway, upstreams, orjson.dumps(document)).json
    assert received == {**document, "temperature": 0.5, "service_tier": "flex", "metadata": {"a": "b"}}


def test_parameters_are_left_out(gateway: TestGateway, upstreams: Sandbox):
    kept = {"model": "drops", "messages": HELLO, "max_tokens": 5}
    document = {"user": "x", **kept, "logit_bias": {"1": 2}}
    assert sent(gateway, upstreams, orjson.dumps(document)).json == kept


def test_headers_are_added_and_win_over_the_clients(gateway: TestGateway, upstreams: Sandbox):
    document = {"model": "heads", "messages": HELLO}
    received = sent(gateway, upstreams, orjson.dumps(document), **{"User-Agent": "theirs/1", "X-Team": "red"})
    kept = sorted(pair for pair in received.headers if pair[0] in ("x-team", "user-agent"))
    assert kept == [("user-agent", "ours/1"), ("x-team", "blue")]


@pytest.mark.parametrize(("model", "asked"), [("silent", None), ("plain", {"include_usage": True})])
def test_usage_is_asked_for_only_where_the_upstream_takes_the_option(
    gateway: TestGateway, upstreams: Sandbox, model: str, asked: dict[str, bool] | None
):
    response = gateway.chat({"model": model, "messages": HELLO, "stream": True})
    assert '"usage":{' not in response.text
    assert upstreams.requests[-1].json.get("stream_options") == asked
    row = gateway.log(response.headers["x-request-id"])
    assert row["evidence"] == ("counted" if asked is None else "reported")
    assert row["cost_nanos"] > 0


def test_megabytes_of_base64_travel_untouched(gateway: TestGateway, upstreams: Sandbox):
    picture = "data:image/png;base64," + "QUJD" * (1 << 20)
    parts = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": picture}}]
    body = orjson.dumps({"messages": [{"role": "user", "content": parts}], "max_tokens": 9, "model": "fast"})
    assert sent(gateway, upstreams, body).body == body.replace(b'"fast"', b'"gpt-4o-mini-2024-07-18"')
