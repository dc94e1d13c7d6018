"""Heartbeats keep a silent stream open: comments of ours before the head and between events, never inside one."""

from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from anygate.sandbox.answer import Answer, Stop
from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.bills import billed, free
from tests.journeys.configuration import channel, configuration

pytestmark = pytest.mark.usefixtures("released")

BEAT = b": heartbeat\n\n"
REQUEST = {"messages": [{"role": "user", "content": "Hello there"}], "stream": True}
QUICK = {"first_byte": 0.6}
EVENTS = {"content-type": "text/event-stream"}


@pytest.fixture(scope="module")
def gateway(upstreams: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    channels = [
        channel(upstreams, "main", "gpt-4o-mini", "scripted", "sandbox-*"),
        channel(upstreams, "hangs", "m-hangs", key="sk-fault-hang-head", timeouts=QUICK),
        channel(upstreams, "hangs-first", "m-failover", key="sk-fault-hang-head", timeouts=QUICK, priority=1),
        channel(upstreams, "then-serves", "m-failover", model_map={"m-failover": "gpt-4o-mini"}),
    ]
    config = configuration(channels, server={"heartbeat": 0.15})
    with running_gateway(config, tmp_path_factory.mktemp("heartbeat")) as running:
        yield running
        assert running.audit().ok


def event(**fields: Any) -> bytes:
    return b"data: " + orjson.dumps(fields) + b"\n\n"


def delta(text: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}}])


USAGE = event(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
DONE = b"data: [DONE]\n\n"


def streamed(gateway: TestGateway, model: str, **fields: Any) -> Any:
    """The answer, open."""
    document = {"model": model, **REQUEST, **fields}
    return gateway.client().stream("POST", "/v1/chat/completions", json=document)


def read_until(chunks: Iterator[bytes], text: bytes) -> bytes:
    """What comes, up to and with `text`."""
    came = b""
    while text not in came:
        came += next(chunks)
    return came


def whole(response: httpx.Response) -> bytes:
    return b"".join(response.iter_raw())


def test_a_stream_whose_head_is_late_begins_with_comments_of_ours(gateway: TestGateway, upstreams: Sandbox):
    upstreams.hold()
    with streamed(gateway, "gpt-4o-mini") as response:
        chunks = response.iter_raw()
        began = read_until(chunks, BEAT + BEAT)
        upstreams.release()
        rest = b"".join(chunks)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert float(response.headers["x-anygate-overhead-ms"]) < 10_000
    assert began.replace(BEAT, b"") == b""
    assert rest.replace(BEAT, b"").startswith(b"data: {")
    assert rest.endswith(DONE)
    billed(gateway, response.headers["x-request-id"])


def test_silence_between_events_is_filled_and_no_event_is_split(gateway: TestGateway, upstreams: Sandbox):
    first, second = delta("a"), delta("b")
    blocks = (first, Stop(), second, USAGE, DONE)
    upstreams.script(Answer(200, blocks, tuple(EVENTS.items()), stream=True), model="scripted", times=1)
    with streamed(gateway, "scripted") as response:
        chunks = response.iter_raw()
        came = read_until(chunks, BEAT)
        upstreams.release()
        came += b"".join(chunks)
    assert came.replace(BEAT, b"") == first + second + DONE
    assert billed(gateway, response.headers["x-request-id"])["usage"]["output"] == 2


def test_no_comment_goes_inside_an_event_that_stands_half(gateway: TestGateway, upstreams: Sandbox):
    first, second = delta("a"), delta("b" * 40)
    blocks = (first, second[:30], Stop(), second[30:], USAGE, DONE)
    upstreams.script(Answer(200, blocks, tuple(EVENTS.items()), stream=True), model="scripted", times=1)
    with streamed(gateway, "scripted", stream_options={"include_usage": True}) as response:
        chunks = response.iter_raw()
        came = read_until(chunks, first)
        gateway.client().get("/v1/models")
        upstreams.release()
        came += b"".join(chunks)
    assert came.replace(BEAT, b"") == first + second + USAGE + DONE
    assert second in came


def test_after_heartbeats_a_failure_is_the_streams_last_event(gateway: TestGateway):
    with streamed(gateway, "m-hangs") as response:
        came = whole(response)
    assert response.status_code == 200
    assert came.startswith(BEAT)
    last = came.replace(BEAT, b"")
    error = orjson.loads(last.removeprefix(b"data: "))["error"]
    assert error["code"] == "upstream_timeout"
    assert response.headers["x-request-id"] in error["message"]
    free(gateway, response.headers["x-request-id"], status=200)


def test_after_heartbeats_a_refusal_is_the_streams_last_event(gateway: TestGateway, upstreams: Sandbox):
    upstreams.hold()
    with streamed(gateway, "sandbox-400") as response:
        chunks = response.iter_raw()
        read_until(chunks, BEAT)
        upstreams.release()
        last = b"".join(chunks).replace(BEAT, b"")
    assert orjson.loads(last.removeprefix(b"data: "))["error"]["code"] == "sandbox_refused"
    free(gateway, response.headers["x-request-id"], status=200)


def test_after_heartbeats_another_channel_may_still_serve(gateway: TestGateway):
    with streamed(gateway, "m-failover") as response:
        came = whole(response)
    assert came.startswith(BEAT)
    assert came.endswith(DONE)
    assert came.count(b'"role":"assistant"') == 1
    row = billed(gateway, response.headers["x-request-id"])
    assert [attempt["channel"] for attempt in row["attempts"]] == ["hangs-first", "then-serves"]


def test_a_plain_request_hears_nothing_before_its_answer(gateway: TestGateway):
    response = gateway.chat({"model": "sandbox-slow-first-token-500", **REQUEST, "stream": False})
    assert response.json()["choices"][0]["message"]["content"] == "Hello there"
    billed(gateway, response.headers["x-request-id"])
