"""Answers that are made in the background: at once a promise, later the answer, whoever looks and whatever breaks."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response

from anygate.relay import background_run
from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.bills import billed, free, settled
from tests.journeys.configuration import channel, configuration, token
from tests.journeys.pair import House, running_house
from tests.patience import until

NATIVE, KEPT = "gpt-4o", "claude-sonnet-4-5"
SLOWLY = " ".join(f"word{number}" for number in range(60))
both = pytest.mark.parametrize("model", [NATIVE, KEPT])


@pytest.fixture(scope="module")
def house(upstreams: Sandbox, each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    claude = {
        "name": "claude",
        "provider": "anthropic",
        "base_url": upstreams.provider_url("anthropic"),
        "key": "sk-ant",
        "models": ["claude-*", "sandbox-a-hang"],
        "model_map": {"sandbox-a-hang": "sandbox-hang-stream"},
    }
    channels = [channel(upstreams, "one", "gpt-*", "sandbox-500", "sandbox-stop*"), claude]
    users = [{"name": "alice", "balance_usd": "10"}, {"name": "bob", "balance_usd": "0"}]
    config = configuration(channels, users=users, tokens=[{**token("bob"), "user": "bob"}])
    directory = tmp_path_factory.mktemp("gateways")
    with running_house(config, directory, each_database, upstreams) as house:
        yield house
        upstreams.release()


@pytest.fixture(autouse=True)
def _open_gate(upstreams: Sandbox) -> Iterator[None]:
    upstreams.requests.clear()
    yield
    upstreams.release()


def begun(client: OpenAI, **fields: Any) -> tuple[Response, str]:
    """The promise, and the request's id."""
    create: Any = client.responses.with_raw_response.create
    raw = create(background=True, **fields)
    made: Any = raw.parse()
    assert (made.status, made.background, made.output, made.usage) == ("queued", True, [], None)
    return made, raw.headers["x-request-id"]


def ended(client: OpenAI, name: str) -> Response:
    """The answer when it is no longer being made."""
    found: list[Response] = []

    def over() -> bool:
        found.append(client.responses.retrieve(name))
        return found[-1].status not in ("queued", "in_progress")

    until(over, f"{name} ends")
    return found[-1]


@both
def test_the_promise_is_kept_and_paid_once(house: House, model: str):
    client = house.client()
    made, request_id = begun(client, model=model, input="Later", metadata={"a": "b"}, instructions="Be brief")
    answer = ended(client, made.id)
    assert (answer.id, answer.status, answer.output_text) == (made.id, "completed", "Later")
    assert (answer.background, answer.metadata, answer.instructions) == (True, {"a": "b"}, "Be brief")
    row = billed(house.first, request_id)
    assert answer.usage is not None
    assert row["usage"]["output"] == answer.usage.output_tokens
    (sent,) = [request.json for request in house.upstreams.requests]
    assert "background" not in sent
    assert sent["stream"] is True


@both
def test_it_is_made_while_its_client_is_gone_and_is_seen_to_run(house: House, model: str):
    house.upstreams.hold()
    with OpenAI(base_url=f"{house.first.base_url}/v1", api_key=house.first.key, max_retries=0) as client:
        made, request_id = begun(client, model=model, input="Later")
    other = house.client()
    house.upstreams.wait(lambda: house.upstreams.waiting == 1)
    assert other.responses.retrieve(made.id).status == "queued"
    house.upstreams.release()
    assert ended(other, made.id).output_text == "Later"
    billed(house.first, request_id)


@pytest.mark.parametrize("model", ["sandbox-stop-after-5000", "sandbox-a-hang"])
def test_it_is_in_progress_when_the_model_speaks_and_stops_when_it_is_cancelled(house: House, model: str):
    client = house.client()
    made, request_id = begun(client, model=model, input=SLOWLY)
    until(lambda: client.responses.retrieve(made.id).status == "in_progress", "it speaks")
    assert house.client(house.second).responses.retrieve(made.id).status in ("queued", "in_progress")
    stopped = client.responses.cancel(made.id)
    assert (stopped.id, stopped.status) == (made.id, "cancelled")
    assert client.responses.retrieve(made.id).status == "cancelled"
    assert client.responses.cancel(made.id).status == "cancelled"
    row = settled(house.first, request_id, status=499, evidence="counted")
    assert row["usage"]["output"] > 0
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=model, input="x", previous_response_id=made.id)


def test_another_process_cancels_it(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(background_run, "LEASE_SECONDS", 0.03)  # how often it looks
    client, other = house.client(), house.client(house.second)
    made, request_id = begun(client, model="sandbox-stop-after-5000", input=SLOWLY)
    assert other.responses.cancel(made.id).status == "cancelled"
    until(lambda: house.first.logs(request_id) != [], "the request ends")
    settled(house.first, request_id, status=499, evidence=house.first.log(request_id)["evidence"])
    assert client.responses.retrieve(made.id).status == "cancelled"


@both
def test_one_that_is_too_large_to_be_kept_is_stopped(house: House, model: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(background_run, "MOST_BYTES", 4000)
    client = house.client()
    made, request_id = begun(client, model=model, input=SLOWLY)
    answer = ended(client, made.id)
    assert (answer.status, answer.error and "too large" in answer.error.message) == ("failed", True)
    cost = house.first.log(request_id)["cost_nanos"]
    assert cost > 0  # for what was delivered
    assert sum(amount for _, _, amount in house.first.entries(request_id)) == -cost


@both
def test_what_has_ended_stays_as_it_is(house: House, model: str):
    client = house.client()
    made, _ = begun(client, model=model, input="Quick")
    ended(client, made.id)
    assert client.responses.cancel(made.id).status == "completed"


@both
def test_a_background_answer_is_continued(house: House, model: str):
    client = house.client()
    first = client.responses.create(model=model, input="My name is Ann")
    made, _ = begun(client, model=model, input="Later", previous_response_id=first.id)
    assert made.previous_response_id == first.id
    answer = ended(client, made.id)
    assert answer.previous_response_id == first.id
    written(house.first)
    second = house.client(house.second).responses.create(model=model, input="Now", previous_response_id=made.id)
    assert second.output_text == "Now"
    sent = house.upstreams.requests[-1].json
    if model == KEPT:
        assert [turn["content"][0]["text"] for turn in sent["messages"]][::2] == ["My name is Ann", "Later", "Now"]
    else:
        assert sent["previous_response_id"] not in ("", made.id)


def test_what_is_not_complete_is_not_continued(house: House):
    client = house.client()
    house.upstreams.hold()
    made, _ = begun(client, model=KEPT, input="Later")
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=KEPT, input="x", previous_response_id=made.id)
    assert caught.value.param == "previous_response_id"
    house.upstreams.release()
    assert ended(client, made.id).status == "completed"


def test_an_upstream_that_refuses_makes_it_fail(house: House):
    client = house.client()
    made, request_id = begun(client, model="sandbox-500", input="x")
    answer = ended(client, made.id)
    assert answer.status == "failed"
    assert answer.error is not None
    assert answer.error.message
    free(house.first, request_id, status=500)


def test_what_cannot_be_begun_is_refused_at_once(house: House):
    client = house.client()
    create: Any = client.responses.create
    with pytest.raises(openai.BadRequestError) as caught:
        create(model=NATIVE, input="x", background=True, store=False)
    assert caught.value.param == "store"
    with pytest.raises(openai.NotFoundError):
        create(model="nobody-knows", input="x", background=True)
    with pytest.raises(openai.RateLimitError) as poor:
        house.client(key="sk-test-bob").responses.create(model=NATIVE, input="x", background=True)
    assert poor.value.code == "insufficient_quota"
    assert list(house.upstreams.requests) == []


@both
def test_a_stream_of_it_may_be_left_and_taken_up_again(house: House, model: str):
    client = house.client()
    text = "a text of several words that comes in several pieces"
    house.upstreams.hold()
    stream: Any = client.responses.create(model=model, input=text, background=True, stream=True)
    stream.close()
    house.upstreams.release()
    (row,) = [row for row in house.first.logs(limit=1)]
    name = "resp_" + row["request_id"].replace("-", "")
    assert ended(client, name).output_text == text
    billed(house.first, row["request_id"])


@pytest.mark.parametrize("model", ["sandbox-stop-after-5000", "sandbox-a-hang"])
def test_its_events_are_watched_by_several_from_any_point(house: House, model: str):
    client = house.client()
    text = SLOWLY
    stream: Any = client.responses.create(model=model, input=text, background=True, stream=True)
    seen = [next(stream), next(stream)]
    name = seen[0].response.id
    assert [event.type for event in seen] == ["response.created", "response.in_progress"]
    late: list[Any] = []

    def watch() -> None:
        events: Any = house.client().responses.retrieve(name, stream=True, starting_after=seen[1].sequence_number)
        for event in events:
            late.append(event)

    watching = threading.Thread(target=watch)
    watching.start()
    until(lambda: late != [], "the second watcher sees something")
    with pytest.raises(openai.BadRequestError):
        house.client(house.second).responses.retrieve(name, stream=True)
    house.upstreams.release()
    rest = list(stream)
    watching.join(30)
    assert [event.sequence_number for event in [*seen, *rest]] == list(range(len(seen) + len(rest)))
    assert [event.model_dump() for event in late] == [event.model_dump() for event in rest]
    assert rest[-1].type == "response.completed"
    assert (rest[-1].response.id, rest[-1].response.output_text) == (name, text)
    assert client.responses.retrieve(name).output_text == text


def test_it_is_deleted_while_it_is_made(house: House):
    client = house.client()
    made, request_id = begun(client, model="sandbox-stop-after-5000", input=SLOWLY)
    until(lambda: client.responses.retrieve(made.id).status == "in_progress", "it speaks")
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    settled(house.first, request_id, status=499, evidence="counted")
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_another_user_neither_sees_nor_stops_it(house: House):
    made, _ = begun(house.client(), model=KEPT, input="Secret")
    stranger = house.client(key="sk-test-bob")
    for act in (stranger.responses.retrieve, stranger.responses.cancel, stranger.responses.delete):
        with pytest.raises(openai.NotFoundError):
            act(made.id)
    assert ended(house.client(), made.id).status == "completed"


def test_what_a_dead_process_has_left_has_failed(house: House, monkeypatch: pytest.MonkeyPatch):
    """The process that makes it says no more that it does: for others it is dead."""
    monkeypatch.setattr(background_run, "LEASE_SECONDS", 0.0)

    async def silent(_: object) -> None:
        """A process that is dead renews nothing."""

    monkeypatch.setattr(background_run.Run, "_beat", silent)
    house.upstreams.hold()
    client = house.client(house.second)
    made, _ = begun(house.client(), model=KEPT, input="x")
    answer = client.responses.retrieve(made.id)
    assert answer.status == "failed"
    assert answer.error is not None
    assert answer.error.code == "server_error"


def written(gateway: TestGateway) -> None:
    """Return when all that is kept is in the database."""
    running = gateway.application.running if gateway.application is not None else None
    assert running is not None
    assert gateway.loop is not None
    assert asyncio.run_coroutine_threadsafe(running.keeper.settled(), gateway.loop).result(30)


def test_a_process_that_shuts_down_leaves_it_failed(house: House, upstreams: Sandbox, tmp_path_factory: Any):
    config = configuration([channel(upstreams, "one")])
    directory = tmp_path_factory.mktemp("short")
    upstreams.hold()
    with running_gateway(config, directory) as gateway:
        client = house.client(gateway)
        made, _ = begun(client, model=NATIVE, input="x")
        upstreams.wait(lambda: upstreams.waiting == 1)
    with running_gateway(config, directory) as gateway:
        answer = house.client(gateway).responses.retrieve(made.id)
        assert answer.status == "failed"
        assert gateway.audit().ok
