"""A client that leaves: the upstream is cancelled, or read on for its usage, as its channel says."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from anygate.sandbox.answer import Answer, Pause, Step, Stop
from anygate.sandbox.server import Sandbox
from tests.gateways import KEY, TestGateway, running_gateway
from tests.journeys.bills import billed, free
from tests.journeys.configuration import channel, configuration, token
from tests.patience import until

REQUEST = {"messages": [{"role": "user", "content": "Hello there, tell me more"}]}
EVENTS = (("content-type", "text/event-stream"),)


def event(**fields: Any) -> bytes:
    return b"data: " + orjson.dumps(fields) + b"\n\n"


TEXT = event(choices=[{"index": 0, "delta": {"content": "seventeen letters"}}])
USAGE = event(choices=[], usage={"prompt_tokens": 30, "completion_tokens": 500, "total_tokens": 530})
DONE = b"data: [DONE]\n\n"


@pytest.fixture(scope="module")
def gateway(upstreams: Sandbox, each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    channels = [
        channel(upstreams, "cancels", "m-cancel"),
        channel(upstreams, "drains", "m-drain", on_disconnect="drain", drain_seconds=30),
        channel(upstreams, "drains-a-bit", "m-drain-a-bit", on_disconnect="drain", drain_seconds=0.2),
        channel(upstreams, "drains-first", "m-drain-first", on_disconnect="drain", drain_seconds=30, priority=1),
        channel(upstreams, "drains-next", "m-drain-first", on_disconnect="drain", drain_seconds=30),
    ]
    config = configuration(channels, tokens=[token("poor", quota_usd="0.02")])
    with running_gateway(config, tmp_path_factory.mktemp("gone"), database_url=each_database) as running:
        yield running
        assert running.audit().ok


def leave_after(
    gateway: TestGateway, upstreams: Sandbox, model: str, *blocks: Step, text: bytes = TEXT, key: str = KEY
) -> str:
    """Read a stream of these blocks up to `text`, then close the connection. Returns the request's id."""
    upstreams.script(Answer(200, blocks, EVENTS, stream=True), model=model, times=1)
    # A connection of its own: to close it is to leave.
    with (
        httpx.Client(base_url=gateway.base_url, trust_env=False, verify=False) as client,
        client.stream(
            "POST",
            "/v1/chat/completions",
            json={"model": model, **REQUEST, "stream": True},
            headers={"authorization": f"Bearer {key}"},
        ) as response,
    ):
        came, chunks = b"", response.iter_raw()
        while text not in came:
            came += next(chunks)
    gateway.client().get("/v1/models")  # its answer comes after the gateway has seen the connection close
    return response.headers["x-request-id"]


def test_a_cancelled_stream_is_paid_by_what_was_delivered(gateway: TestGateway, upstreams: Sandbox):
    request_id = leave_after(gateway, upstreams, "m-cancel", TEXT, Stop(), USAGE, DONE)
    row = billed(gateway, request_id, status=499, evidence="counted")
    assert row["usage"]["output"] == 5  # 17 bytes / 4
    until(lambda: upstreams.requests[-1].outcome == "gone", "the upstream was left too")


def test_a_drained_stream_is_paid_as_reported(gateway: TestGateway, upstreams: Sandbox):
    request_id = leave_after(gateway, upstreams, "m-drain", TEXT, Stop(), TEXT, USAGE, DONE)
    upstreams.release()
    row = billed(gateway, request_id, status=499, evidence="drained")
    assert (row["usage"]["input"], row["usage"]["output"]) == (30, 500)


def test_draining_ends_after_its_time(gateway: TestGateway, upstreams: Sandbox):
    request_id = leave_after(gateway, upstreams, "m-drain-a-bit", TEXT, Stop(), USAGE, DONE)
    row = billed(gateway, request_id, status=499, evidence="counted")
    assert row["usage"]["output"] == 5
    until(lambda: upstreams.requests[-1].outcome == "gone", "the upstream was left too")


def test_usage_that_came_before_the_client_left_is_what_is_paid(gateway: TestGateway, upstreams: Sandbox):
    request_id = leave_after(gateway, upstreams, "m-cancel", TEXT + USAGE, Stop(), DONE)
    row = billed(gateway, request_id, status=499)
    assert row["usage"]["output"] == 500


def test_a_client_that_leaves_at_the_last_event_has_its_whole_answer(gateway: TestGateway, upstreams: Sandbox):
    request_id = leave_after(gateway, upstreams, "m-cancel", TEXT, USAGE, DONE, Pause(0.05), text=DONE)
    assert billed(gateway, request_id)["usage"]["output"] == 500
    assert upstreams.requests[-1].outcome == "answered", "its connection can be used again"


def leave_plain(gateway: TestGateway, upstreams: Sandbox, model: str) -> str:
    """Ask for a plain answer and leave before it comes. Returns the request's id."""
    upstreams.hold()
    failures: list[httpx.HTTPError] = []

    def ask() -> None:
        try:
            httpx.post(
                f"{gateway.base_url}/v1/chat/completions",
                json={"model": model, **REQUEST},
                headers={"authorization": f"Bearer {gateway.key}"},
                timeout=httpx.Timeout(30, read=0.3),
                trust_env=False,
                verify=False,
            )
        except httpx.ReadTimeout as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: upstreams.waiting == 1, "the request reached the upstream")
    thread.join()
    assert failures
    gateway.client().get("/v1/models")
    (subject,) = [subject for subject, _ in gateway.open_holds()] or [""]
    upstreams.release()
    return subject or gateway.logs(limit=2)[1]["request_id"]


def test_a_plain_request_that_nobody_waits_for_is_free(gateway: TestGateway, upstreams: Sandbox):
    free(gateway, leave_plain(gateway, upstreams, "m-cancel"), status=499)


def test_a_plain_request_that_is_drained_is_paid_as_reported(gateway: TestGateway, upstreams: Sandbox):
    row = billed(gateway, leave_plain(gateway, upstreams, "m-drain"), status=499, evidence="drained")
    assert row["usage"]["output"] > 0


def test_nobody_else_is_asked_when_the_upstream_that_is_drained_fails(gateway: TestGateway, upstreams: Sandbox):
    upstreams.script(Answer(500, (b'{"error": {"message": "down"}}',)), model="m-drain-first", times=1)
    row = free(gateway, leave_plain(gateway, upstreams, "m-drain-first"), status=499)
    assert [attempt["channel"] for attempt in row["attempts"]] == ["drains-first"]


MUCH = event(choices=[{"index": 0, "delta": {"content": "x" * 50_000}}])
"""More than a request without a limit holds for."""


def test_a_drained_stream_that_outgrows_its_hold_is_held_for_again(gateway: TestGateway, upstreams: Sandbox):
    request_id = leave_after(gateway, upstreams, "m-drain", TEXT, Stop(), MUCH, Stop(), USAGE, DONE)
    upstreams.release()
    until(lambda: "hold-2" in [step for step, _, _ in gateway.entries(request_id)], "more is held")
    upstreams.release()
    billed(gateway, request_id, status=499, evidence="drained")


def test_draining_ends_with_the_money(gateway: TestGateway, upstreams: Sandbox):
    blocks: list[Step] = [MUCH, Pause(0.05)] * 20
    request_id = leave_after(gateway, upstreams, "m-drain", TEXT, Stop(), *blocks, Stop(), key="sk-test-poor")
    upstreams.release()
    until(lambda: upstreams.requests[-1].outcome == "gone", "the upstream was left")
    row = gateway.log(request_id)
    assert (row["status"], row["evidence"]) == (499, "counted")
    assert row["usage"]["output"] < 20 * 50_000 // 4
