"""Responses over a WebSocket: the official SDK and plain frames, several turns on one connection, and the money of each."""

import json
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from openai import OpenAI
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.bills import billed, settled
from tests.journeys.configuration import channel, configuration, token
from tests.patience import until

pytestmark = pytest.mark.usefixtures("forgotten")

NATIVE, KEPT = "gpt-4o", "claude-sonnet-4-5"
SLOWLY = " ".join(f"word{number}" for number in range(60))
both = pytest.mark.parametrize("model", [NATIVE, KEPT])


class House:
    """A gateway with a native and a translated model."""

    def __init__(self, gateway: TestGateway, upstreams: Sandbox) -> None:
        self.gateway = gateway
        self.upstreams = upstreams
        self.url = gateway.base_url.replace("http:", "ws:") + "/v1/responses"

    @contextmanager
    def open(self, **options: Any) -> Generator[ClientConnection]:
        headers = {"authorization": f"Bearer {self.gateway.key}", **options.pop("headers", {})}
        dial: Any = connect
        with dial(self.url, additional_headers=headers, proxy=None, **options) as link:
            yield link

    def newest(self, count: int = 1) -> list[dict[str, Any]]:
        return self.gateway.logs(limit=count)


@pytest.fixture(scope="module")
def house(upstreams: Sandbox, each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    claude = {
        "name": "claude",
        "provider": "anthropic",
        "base_url": upstreams.provider_url("anthropic"),
        "key": "sk-ant",
        "models": ["claude-*", "sandbox-a-hang", "sandbox-a-cut"],
        "model_map": {"sandbox-a-hang": "sandbox-hang-stream", "sandbox-a-cut": "sandbox-cut-stream"},
    }
    channels = [channel(upstreams, "one", "gpt-*", "sandbox-stop*", "sandbox-cut*", "sandbox-5*"), claude]
    config = configuration(channels, users=USERS, tokens=[{**token("bob"), "user": "bob"}])
    with running_gateway(config, tmp_path_factory.mktemp("socket"), database_url=each_database) as gateway:
        yield House(gateway, upstreams)
        upstreams.release()
        gateway.settled()
        assert gateway.audit().ok
        assert gateway.open_holds() == []


USERS = [{"name": "alice", "balance_usd": "10"}, {"name": "bob", "balance_usd": "0"}]


def ask(link: ClientConnection, **fields: Any) -> list[dict[str, Any]]:
    """All events of one turn."""
    link.send(json.dumps({"type": "response.create", **fields}))
    return answer(link)


def answer(link: ClientConnection) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] not in ("response.completed", "response.failed", "error"):
        events.append(json.loads(link.recv(30)))
    return events


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


@both
@pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")  # the SDK does not
def test_the_sdk_holds_a_conversation_on_one_connection(house: House, model: str):
    with (
        OpenAI(base_url=f"{house.gateway.base_url}/v1", api_key=house.gateway.key, max_retries=0) as client,
        client.responses.connect() as connection,
    ):
        previous: str | None = None
        for words in ("My name is Ann", "And then?", "Last"):
            connection.response.create(model=model, input=words, previous_response_id=previous)
            deltas: list[str] = []
            for event in connection:
                if event.type == "response.output_text.delta":
                    deltas.append(event.delta)
                if event.type == "response.completed":
                    previous = event.response.id
                    break
            assert "".join(deltas) == words
    rows = house.newest(3)
    assert [billed(house.gateway, row["request_id"])["model"] for row in rows] == [model] * 3
    sent = house.upstreams.requests[-1].json
    assert len(sent["messages" if model == KEPT else "input"]) == 5 or sent["previous_response_id"]


@both
def test_turns_that_are_not_stored_are_continued_on_their_connection_alone(house: House, model: str):
    with house.open() as link:
        first = ask(link, model=model, input="My name is Ann", store=False)
        name = first[-1]["response"]["id"]
        second = ask(link, model=model, input="And then?", store=False, previous_response_id=name)
        assert text_of(second) == "And then?"
    sent = json.dumps(house.upstreams.requests[-1].json)
    assert "My name is Ann" in sent
    assert name not in sent
    with house.open() as other:
        (error,) = ask(other, model=model, input="x", previous_response_id=second[-1]["response"]["id"])
    assert error["error"]["code"] == "previous_response_not_found"
    assert error["status"] == 400


@both
def test_a_client_may_ask_on_as_soon_as_it_has_seen_the_end(house: House, model: str):
    with house.open() as link:
        for number in range(20):
            assert text_of(ask(link, model=model, input=f"turn {number}", store=False)) == f"turn {number}"


def test_a_turn_that_generates_nothing_prepares_the_next(house: House):
    with house.open() as link:
        warm = ask(link, model=NATIVE, input="My name is Ann", generate=False)
        assert warm[-1]["type"] == "response.completed"
        assert list(house.upstreams.requests) == []
        name = warm[-1]["response"]["id"]
        assert text_of(ask(link, model=NATIVE, input="Hello", previous_response_id=name)) == "Hello"
    assert "My name is Ann" in json.dumps(house.upstreams.requests[-1].json)


WRONG: list[Any] = [
    ("not JSON", None),
    ("[1]", None),
    ('"text"', None),
    ("{}", "type"),
    ('{"type":"session.update"}', "type"),
    ('{"type":"response.create","model":"gpt-4o","input":"x","background":true}', "background"),
    ('{"type":"response.create","input":"x"}', "model"),
    ('{"type":"response.create","model":"gpt-4o","input":7}', "input"),
    ('{"type":"response.create","model":"nobody-knows","input":"x"}', "model"),
    ('{"type":"response.create","model":"gpt-4o","input":' + "[" * 200 + "]" * 200 + "}", None),
    ('{"type":"response.create","model":"gpt-4o","input":"\\ud800"}', None),
    (b"\xff\xfe", None),
]


@pytest.mark.parametrize(("message", "param"), WRONG)
def test_what_cannot_be_read_is_an_error_message_and_the_connection_goes_on(
    house: House, message: str | bytes, param: str | None
):
    with house.open() as link:
        link.send(message)
        (error,) = answer(link)
        assert error["type"] == "error"
        assert error["status"] in (400, 404)
        assert error["error"]["message"]
        assert param is None or error["error"]["param"] == param
        assert text_of(ask(link, model=NATIVE, input="Still here")) == "Still here"


def test_a_conversation_does_not_outgrow_what_a_request_may_hold(house: House, monkeypatch: pytest.MonkeyPatch):
    application = house.gateway.application
    assert application is not None
    assert application.running is not None
    gateway = application.running.gateway
    monkeypatch.setattr(gateway, "limits", replace(gateway.limits, max_body_bytes=1000))
    turn: dict[str, Any] = {"model": NATIVE, "generate": False, "input": "x" * 600}
    with house.open() as link:
        first = ask(link, **turn)[-1]["response"]
        last = ask(link, **turn, previous_response_id=first["id"])[-1]
        assert (last["status"], last["error"]["code"]) == (413, "request_too_large")
        assert ask(link, **turn)[-1]["type"] == "response.completed"


def test_an_upstreams_refusal_and_an_empty_purse_are_messages_too(house: House):
    with house.open() as link:
        (error,) = ask(link, model="sandbox-500", input="x")
        assert error["status"] == 500
        (row,) = house.newest()
        assert (row["status"], row["cost_nanos"]) == (500, 0)
        assert text_of(ask(link, model=NATIVE, input="Hello")) == "Hello"
    with house.open(headers={"authorization": "Bearer sk-test-bob"}) as link:
        (error,) = ask(link, model=NATIVE, input="x")
    assert (error["status"], error["error"]["code"]) == (429, "insufficient_quota")


@pytest.mark.parametrize("model", ["sandbox-cut-after-6000", "sandbox-a-cut"])
def test_an_answer_that_breaks_off_ends_with_an_error(house: House, model: str):
    with house.open() as link:
        events = ask(link, model=model, input=SLOWLY)
        assert events[-1]["type"] in ("error", "response.failed")
        if events[-1]["type"] == "error":
            assert events[-1]["status"] >= 500
            assert events[-1]["error"]["message"]
        assert text_of(ask(link, model=NATIVE, input="Hello")) == "Hello"
    broken = house.newest(2)[1]
    assert settled(house.gateway, broken["request_id"], status=200, evidence="counted")["cost_nanos"] > 0


@pytest.mark.parametrize("model", ["sandbox-stop-after-5000", "sandbox-a-hang"])
@pytest.mark.parametrize("polite", [True, False])
def test_a_client_that_leaves_in_the_middle_pays_for_what_it_got(house: House, model: str, polite: bool):
    with house.open() as link:
        link.send(json.dumps({"type": "response.create", "model": model, "input": SLOWLY}))
        got = [json.loads(link.recv(30))]
        while got[-1]["type"] != "response.output_text.delta":
            got.append(json.loads(link.recv(30)))
        if not polite:
            link.socket.shutdown(socket.SHUT_RDWR)
    until(lambda: house.newest()[:1] != [] and house.newest()[0]["model"] == model, "the request ends")
    row = settled(house.gateway, house.newest()[0]["request_id"], status=499, evidence="counted")
    assert row["usage"]["output"] > 0
    house.gateway.alone()  # nothing waits for it any more


def test_a_second_question_during_an_answer_is_refused_and_the_answer_goes_on(house: House):
    with house.open() as link:
        link.send(json.dumps({"type": "response.create", "model": "sandbox-stop-after-5000", "input": SLOWLY}))
        events = [json.loads(link.recv(30))]
        while events[-1]["type"] != "response.output_text.delta":
            events.append(json.loads(link.recv(30)))
        link.send(json.dumps({"type": "response.create", "model": NATIVE, "input": "Me too"}))
        while events[-1]["type"] != "error":
            events.append(json.loads(link.recv(30)))
        assert events.pop()["status"] == 400
        house.upstreams.release()
        events += answer(link)
        assert text_of(events) == SLOWLY


def test_a_slow_reader_gets_everything(house: House):
    text = "x" * 200 + " " + "many words " * 4000
    with house.open(max_queue=1) as link:
        assert text_of(ask(link, model=NATIVE, input=text)) == text.strip() or text


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer "}])
def test_without_a_key_no_connection_is_opened(house: House, headers: dict[str, str]):
    with pytest.raises(InvalidStatus) as caught:
        connect(house.url, additional_headers=headers, proxy=None)
    assert caught.value.response.status_code == 401
    assert json.loads(caught.value.response.body or b"{}")["error"]["code"] == "invalid_api_key"


def test_at_another_path_there_is_no_connection(house: House):
    with pytest.raises(InvalidStatus) as caught:
        connect(house.url + "/x", additional_headers={"authorization": f"Bearer {house.gateway.key}"}, proxy=None)
    assert caught.value.response.status_code == 404


def test_with_an_unknown_key_no_connection_is_opened(house: House):
    with pytest.raises(InvalidStatus) as caught:
        connect(house.url, additional_headers={"authorization": "Bearer sk-nobodys"}, proxy=None)
    assert caught.value.response.status_code == 401
    assert json.loads(caught.value.response.body or b"{}")["error"]["code"] == "invalid_api_key"


def test_a_browser_sends_its_key_as_a_subprotocol(house: House):
    offered = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{house.gateway.key}")]
    with connect(house.url, subprotocols=offered, proxy=None) as link:
        assert link.subprotocol == "realtime"
        assert text_of(ask(link, model=NATIVE, input="Hello")) == "Hello"
    assert house.gateway.key not in repr(list(house.upstreams.requests))


def test_the_path_still_takes_plain_requests(house: House):
    answered = httpx.get(house.url.replace("ws:", "http:"))
    assert answered.status_code == 405
