"""The next channel serves what the first could not, as long as no byte of an answer has reached the client."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from anygate.sandbox.answer import Answer
from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.bills import billed, free
from tests.journeys.configuration import channel, configuration

pytestmark = pytest.mark.usefixtures("released")

FAULTS = [
    "401",
    "402",
    "403",
    "404-model",
    "408",
    "429",
    "500",
    "502",
    "503",
    "529",
    "garbage",
    "garbage-http",
    "error-event",
]
"""What a first channel can answer that is not the request's fault."""

STREAM_FAULTS = ["hang-head", "slow-first-token", "cut-after-1", "cut-after-700"]
"""How a first channel's stream can fail before its first token; 700 bytes are the head and the role."""

QUICK = {"first_byte": 0.3}
REQUEST = {"messages": [{"role": "user", "content": "Hello there"}]}


def pair(sandbox: Sandbox, fault: str) -> list[dict[str, Any]]:
    """A first channel whose key makes the sandbox fail, and a healthy second, for a model of their own."""
    model = f"m-{fault}"
    options = {"model_map": {model: "gpt-4o-mini"}, "timeouts": QUICK}
    first = channel(sandbox, f"first-{fault}", model, key=f"sk-fault-{fault}", priority=1, **options)
    return [first, channel(sandbox, f"second-{fault}", model, model_map={model: "gpt-4o-mini"})]


@pytest.fixture(scope="module")
def gateway(upstreams: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    channels = [made for fault in (*FAULTS, *STREAM_FAULTS) for made in pair(upstreams, fault)]
    channels += [
        channel(upstreams, "refuses", "m-400", key="sk-fault-400", priority=1),
        channel(upstreams, "spare", "m-400"),
        channel(upstreams, "gone", "m-gone", base_url="http://127.0.0.1:9", priority=1),
        channel(upstreams, "behind", "m-gone", model_map={"m-gone": "gpt-4o-mini"}),
        channel(upstreams, "key-1", "m-both-500", key="sk-fault-500-a", priority=1),
        channel(upstreams, "key-2", "m-both-500", key="sk-fault-503-b"),
        channel(upstreams, "alone-401", "m-alone-401", key="sk-fault-401"),
        channel(upstreams, "alone-429", "m-alone-429", key="sk-fault-429-7"),
        channel(upstreams, "alone-hang", "m-alone-hang", key="sk-fault-hang-head", timeouts=QUICK),
        channel(upstreams, "alone-gone", "m-alone-gone", base_url="http://127.0.0.1:9"),
        channel(upstreams, "alone-garbage", "m-alone-garbage", key="sk-fault-garbage"),
        channel(upstreams, "alone-html", "m-alone-html"),
        channel(upstreams, "breaks", "m-breaks", key="sk-fault-cut-stream", priority=1),
        channel(upstreams, "too-late", "m-breaks"),
        channel(
            upstreams,
            "translated",
            "m-warned",
            provider="anthropic",
            base_url=upstreams.provider_url("anthropic"),
            model_map={"m-warned": "claude-sonnet-4-6"},
            key="sk-fault-500",
            priority=1,
        ),
        channel(upstreams, "native", "m-warned", model_map={"m-warned": "gpt-4o-mini"}),
    ]
    with running_gateway(configuration(channels), tmp_path_factory.mktemp("failover")) as running:
        yield running
        assert running.audit().ok


def ask(gateway: TestGateway, model: str, **fields: Any) -> httpx.Response:
    return gateway.chat({"model": model, **REQUEST, **fields})


def served_by_the_second(gateway: TestGateway, response: httpx.Response, fault: str) -> list[Any]:
    """The attempts of a request that the second channel served and that was paid once."""
    assert response.status_code == 200, response.text
    assert "Hell" in response.text  # a stream's pieces are of four letters
    row = billed(gateway, response.headers["x-request-id"])
    assert row["channel"] == f"second-{fault}"
    attempts = row["attempts"]
    assert [attempt["channel"] for attempt in attempts] == [f"first-{fault}", f"second-{fault}"]
    assert attempts[1]["reason"].startswith("failover: ")
    return attempts


@pytest.mark.parametrize(
    ("fault", "stream"),
    [(fault, stream) for fault in FAULTS for stream in (False, True) if (fault, stream) != ("error-event", True)],
)
def test_the_next_channel_serves_what_the_first_could_not(gateway: TestGateway, fault: str, stream: bool):
    attempts = served_by_the_second(gateway, ask(gateway, f"m-{fault}", stream=stream), fault)
    status = fault.partition("-")[0]
    if status.isdigit():
        assert attempts[0]["status"] == int(status)
        assert attempts[1]["reason"] == f"failover: {status}"


@pytest.mark.parametrize("fault", STREAM_FAULTS)
def test_a_stream_without_a_first_token_goes_to_the_next_channel(gateway: TestGateway, fault: str):
    response = ask(gateway, f"m-{fault}", stream=True)
    served_by_the_second(gateway, response, fault)
    assert response.text.endswith("data: [DONE]\n\n")
    assert response.text.count('"role":"assistant"') == 1, "the first channel's role chunk was relayed too"


def test_a_channel_that_cannot_be_reached_is_passed_over(gateway: TestGateway):
    row = billed(gateway, ask(gateway, "m-gone").headers["x-request-id"])
    assert [(attempt["channel"], attempt["status"]) for attempt in row["attempts"]] == [("gone", 0), ("behind", 200)]
    assert row["attempts"][1]["reason"] == "failover: upstream_unreachable"


def test_a_refusal_that_the_request_caused_is_never_tried_elsewhere(gateway: TestGateway):
    response = ask(gateway, "m-400")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "sandbox_refused"
    row = free(gateway, response.headers["x-request-id"], status=400)
    assert [attempt["channel"] for attempt in row["attempts"]] == ["refuses"]


def test_when_all_fail_the_last_answer_passes_as_it_came(gateway: TestGateway):
    response = ask(gateway, "m-both-500")
    assert response.status_code == 503
    assert response.json()["error"]["message"] == "The engine is currently overloaded, please try again later."
    row = free(gateway, response.headers["x-request-id"], status=503)
    assert [attempt["status"] for attempt in row["attempts"]] == [500, 503]


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("m-alone-401", 502, "upstream_refused_key"),
        ("m-alone-hang", 504, "upstream_timeout"),
        ("m-alone-gone", 502, "upstream_unreachable"),
        ("m-alone-garbage", 502, "upstream_invalid_answer"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_no_channel_could_serve_is_a_clear_error_of_ours(
    gateway: TestGateway, model: str, status: int, code: str, stream: bool
):
    response = ask(gateway, model, stream=stream)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    request_id = response.headers["x-request-id"]
    assert request_id in response.json()["error"]["message"]
    assert "127.0.0.1" not in response.text
    assert "sk-fault" not in response.text
    free(gateway, request_id, status=status)


def test_a_rate_limit_passes_with_its_retry_after(gateway: TestGateway):
    response = ask(gateway, "m-alone-429")
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert response.json()["error"]["code"] == "rate_limit_exceeded"


def test_a_page_that_is_no_answer_is_not_handed_on(gateway: TestGateway, upstreams: Sandbox):
    page = Answer(200, (b"<html>Login</html>",), (("content-type", "text/html"),))
    upstreams.script(page, model="m-alone-html", times=1)
    response = ask(gateway, "m-alone-html")
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_invalid_answer")


def test_a_stream_that_breaks_after_its_first_token_ends_with_an_error_event(gateway: TestGateway):
    response = ask(gateway, "m-breaks", stream=True, model_map={})
    assert response.status_code == 200
    events = [event for event in response.text.split("\n\n") if event]
    assert '"code":"upstream_unreachable"' in events[-1]
    assert "[DONE]" not in response.text
    row = billed(gateway, response.headers["x-request-id"], evidence="counted")
    assert [attempt["channel"] for attempt in row["attempts"]] == ["breaks"]


def test_what_a_failed_channel_could_not_carry_is_not_told_of_the_next(gateway: TestGateway):
    response = ask(gateway, "m-warned", seed=7)
    assert response.status_code == 200
    assert "x-anygate-warnings" not in response.headers
    row = billed(gateway, response.headers["x-request-id"])
    assert [(attempt["channel"], attempt["status"]) for attempt in row["attempts"]] == [
        ("translated", 500),
        ("native", 200),
    ]
