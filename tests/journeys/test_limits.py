"""Limits of a token: a minute's requests and tokens, a day's money, and how many run at once."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from anygate.app import Ports
from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.bills import refused
from tests.journeys.configuration import channel, configuration, token
from tests.patience import until

pytestmark = pytest.mark.usefixtures("released")


class Clock:
    """Stands in the middle of a UTC minute until a test moves it."""

    def __init__(self) -> None:
        self.began = int(time.time()) // 60 * 60 + 30.0
        self.moved = 0

    def __call__(self) -> float:
        return self.began + self.moved


@pytest.fixture(scope="module")
def clock(each_database: str) -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def gateway(
    upstreams: Sandbox, each_database: str, clock: Clock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestGateway]:
    tokens = [
        token("rpm", limits={"rpm": 2}),
        token("tpm", limits={"tpm": 300}),
        token("few", limits={"concurrency": 2}),
        token("day", limits={"usd_per_day": "0.001"}),
        token("gifts", limits={"concurrency": 1}),
    ]
    config = configuration(
        [channel(upstreams, "main")],
        tokens=tokens,
        prices={"*": {"input": "1", "output": "2"}, "gift": {"free": True}},
    )
    ports = Ports(environ={}, request_lines=None, clock=clock)
    directory = tmp_path_factory.mktemp("limits")
    with running_gateway(config, directory, database_url=each_database, ports=ports) as running:
        yield running
        assert running.audit().ok


def ask(gateway: TestGateway, name: str, **fields: Any) -> httpx.Response:
    document = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100, **fields}
    return gateway.chat(document, headers={"authorization": f"Bearer sk-test-{name}"})


def is_refused(response: httpx.Response, code: str, seconds: int) -> str:
    """429 with the code, to be repeated after so many seconds at most. Returns the request's id."""
    assert (response.status_code, response.json()["error"]["code"]) == (429, code)
    assert 0 < int(response.headers["retry-after"]) <= seconds
    return response.headers["x-request-id"]


def test_requests_per_minute_begin_anew_with_the_minute(gateway: TestGateway, clock: Clock):
    assert [ask(gateway, "rpm").status_code for _ in range(2)] == [200, 200]
    refused(gateway, is_refused(ask(gateway, "rpm"), "rate_limit_exceeded", 60 + clock.moved), status=429)
    clock.moved += 60
    assert [ask(gateway, "rpm").status_code for _ in range(3)] == [200, 200, 429]


def test_tokens_per_minute_are_counted_as_held_and_corrected_by_usage(gateway: TestGateway, clock: Clock):
    assert ask(gateway, "tpm").status_code == 200
    too_many = ask(gateway, "tpm", max_tokens=1000)
    refused(gateway, is_refused(too_many, "rate_limit_exceeded", 60 + clock.moved), status=429)
    gateway.settled()
    # The first request used a handful of the 101 tokens that it was counted with.
    assert [ask(gateway, "tpm", max_tokens=250).status_code] == [200]
    clock.moved += 60


@pytest.mark.parametrize(("name", "most", "model"), [("few", 2, "gpt-4o-mini"), ("gifts", 1, "gift")])
def test_only_so_many_run_at_once(gateway: TestGateway, upstreams: Sandbox, name: str, most: int, model: str):
    upstreams.hold()
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(gateway, name, model=model))) for _ in range(most)]
    for thread in threads:
        thread.start()
    until(lambda: upstreams.waiting == most, "all that may run do")
    one_more = is_refused(ask(gateway, name, model=model), "rate_limit_exceeded", 60)
    upstreams.release()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * most
    refused(gateway, one_more, status=429)
    assert ask(gateway, name, model=model).status_code == 200


def test_a_days_money_begins_anew_with_the_day(gateway: TestGateway, clock: Clock):
    asked = {"model": "sandbox-words-400", "max_tokens": 400}
    assert ask(gateway, "day", **asked).status_code == 200
    gateway.settled()
    refused(gateway, is_refused(ask(gateway, "day", **asked), "insufficient_quota", 86_400 + clock.moved), status=429)
    clock.moved += 86_400
    assert ask(gateway, "day", **asked).status_code == 200
