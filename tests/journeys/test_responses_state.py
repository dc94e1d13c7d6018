"""Responses that are kept: by their upstream or by the gateway, for one user, and found again from every process."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response

from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway
from tests.journeys.bills import billed
from tests.journeys.configuration import channel, configuration, token
from tests.journeys.pair import House, running_house

NATIVE, KEPT = "gpt-4o", "claude-sonnet-4-5"
"""A model whose upstream keeps responses, and one for which the gateway does."""


def claude(upstreams: Sandbox) -> dict[str, Any]:
    base_url = upstreams.provider_url("anthropic")
    return {"name": "claude", "provider": "anthropic", "base_url": base_url, "key": "sk-ant", "models": ["claude-*"]}


@pytest.fixture(scope="module")
def house(upstreams: Sandbox, each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    channels = [channel(upstreams, "one", "gpt-*", "sandbox-*"), channel(upstreams, "two", "gpt-*"), claude(upstreams)]
    users = [{"name": "alice", "balance_usd": "10"}, {"name": "bob", "balance_usd": "10"}]
    config = configuration(channels, users=users, tokens=[{**token("bob"), "user": "bob"}])
    directory = tmp_path_factory.mktemp("gateways")
    with running_house(config, directory, each_database, upstreams) as house:
        yield house


@pytest.fixture(autouse=True)
def _forgotten(upstreams: Sandbox) -> None:
    upstreams.requests.clear()


both = pytest.mark.parametrize("model", [NATIVE, KEPT])


def code_of(caught: pytest.ExceptionInfo[openai.APIStatusError]) -> str | None:
    return caught.value.code


@both
@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_goes_on_by_its_id(house: House, model: str, stream: bool):
    client = house.client()
    first = asked(client, stream, model=model, input="My name is Ann")
    second = asked(client, stream, model=model, input="And then?", previous_response_id=first.id)
    third = asked(client, False, model=model, input="Last", previous_response_id=second.id)
    assert third.output_text == "Last"
    third_items = list(client.responses.input_items.list(third.id, order="asc"))
    assert texts(third_items[-1:]) == ["Last"]
    sent = [request.json for request in house.upstreams.requests if request.body]
    if model == NATIVE:
        assert sent[1]["previous_response_id"] == first.id
        used = {request.header("authorization") for request in house.upstreams.requests}
        assert len(used) == 1  # one channel, one key
        reasons = [attempt["reason"] for row in house.first.logs(limit=3) for attempt in row["attempts"]]
        assert "pinned" in reasons
    else:
        said = [(turn["role"], turn["content"][0]["text"]) for turn in sent[2]["messages"]]
        assert said == [
            ("user", "My name is Ann"),
            ("assistant", "My name is Ann"),
            ("user", "And then?"),
            ("assistant", "And then?"),
            ("user", "Last"),
        ]


def asked(client: OpenAI, stream: bool, **fields: Any) -> Response:
    if not stream:
        create: Any = client.responses.create
        return create(**fields)
    with client.responses.stream(**fields) as events:
        return events.get_final_response()


def texts(items: list[Any]) -> list[str]:
    return [part.text for item in items for part in item.content]


@both
def test_a_response_is_retrieved_listed_and_deleted(house: House, model: str):
    client = house.client()
    made = client.responses.create(model=model, input="Keep this", metadata={"a": "b"})
    found = client.responses.retrieve(made.id)
    assert (found.id, found.output_text, found.metadata) == (made.id, "Keep this", {"a": "b"})
    assert texts(list(client.responses.input_items.list(made.id))) == ["Keep this"]
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(made.id)
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.input_items.list(made.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=model, input="x", previous_response_id=made.id)
    assert code_of(caught) == "previous_response_not_found"


@both
def test_items_come_in_pages(house: House, model: str):
    client = house.client()
    words = [{"role": "user", "content": f"part {number}"} for number in range(5)]
    given: Any = words
    made = client.responses.create(model=model, input=given)
    page = client.responses.input_items.list(made.id, limit=2, order="asc")
    assert (texts(page.data), page.has_more) == (["part 0", "part 1"], True)
    assert texts(list(page)) == [f"part {number}" for number in range(5)]
    assert texts(client.responses.input_items.list(made.id, limit=1).data) == ["part 4"]
    with pytest.raises(openai.BadRequestError):
        client.responses.input_items.list(made.id, limit=0)


@both
def test_another_user_finds_none_of_it(house: House, model: str):
    made = house.client().responses.create(model=model, input="Alice's secret")
    stranger = house.stranger()
    with pytest.raises(openai.BadRequestError) as caught:
        stranger.responses.create(model=model, input="What did I say?", previous_response_id=made.id)
    assert code_of(caught) == "previous_response_not_found"
    for act in (stranger.responses.retrieve, stranger.responses.delete, stranger.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            act(made.id)
    with pytest.raises(openai.NotFoundError):
        stranger.responses.input_items.list(made.id)
    assert house.client().responses.retrieve(made.id).output_text == "Alice's secret"


@both
def test_an_unknown_id_is_told_as_openai_tells_it(house: House, model: str):
    with pytest.raises(openai.BadRequestError) as caught:
        house.client().responses.create(model=model, input="x", previous_response_id="resp_unknown")
    assert (code_of(caught), caught.value.param) == ("previous_response_not_found", "previous_response_id")
    for odd in ("resp_unknown", "%00", "..", "a%2Fb"):
        answer = house.first.client().get(f"/v1/responses/{odd}")
        assert answer.status_code == 404
    assert list(house.upstreams.requests) == []


@both
def test_all_values_of_a_parameter_reach_the_upstream(house: House, model: str):
    client = house.client()
    made = client.responses.create(model=model, input="x").id
    house.upstreams.requests.clear()
    client.responses.retrieve(made, include=["file_search_call.results", "message.output_text.logprobs"])
    queries = [request.target.partition("?")[2] for request in house.upstreams.requests]
    wanted = "include%5B%5D=file_search_call.results&include%5B%5D=message.output_text.logprobs"
    assert queries == ([wanted] if model == NATIVE else [])


@both
def test_what_shall_not_be_stored_is_not_kept(house: House, model: str):
    client = house.client()
    made = client.responses.create(model=model, input="Forget this", store=False)
    assert made.output_text == "Forget this"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=model, input="x", previous_response_id=made.id)
    assert code_of(caught) == "previous_response_not_found"


@both
def test_every_process_finds_what_another_keeps_and_misses_what_it_deletes(house: House, model: str):
    here, there = house.client(), house.client(house.second)
    made = here.responses.create(model=model, input="Shared")
    here.responses.retrieve(made.id)
    house.first.settled()
    written(house.first)
    assert there.responses.retrieve(made.id).output_text == "Shared"
    goes_on = there.responses.create(model=model, input="On", previous_response_id=made.id)
    assert goes_on.output_text == "On"
    there.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        here.responses.retrieve(made.id)


def written(gateway: TestGateway) -> None:
    """Return when all that is kept is in the database."""
    running = gateway.application.running if gateway.application is not None else None
    assert running is not None
    assert gateway.loop is not None
    assert asyncio.run_coroutine_threadsafe(running.keeper.settled(), gateway.loop).result(30)


def test_a_native_conversation_cannot_move_to_another_maker(house: House):
    client = house.client()
    made = client.responses.create(model=NATIVE, input="Here")
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=KEPT, input="There", previous_response_id=made.id)


def test_a_conversation_that_the_gateway_keeps_may_move(house: House):
    client = house.client()
    made = client.responses.create(model=KEPT, input="Here")
    moved = client.responses.create(model=NATIVE, input="There", previous_response_id=made.id)
    assert moved.output_text == "There"
    sent = house.upstreams.requests[-1].json
    assert "previous_response_id" not in sent
    assert [item["role"] for item in sent["input"]] == ["user", "assistant", "user"]


@both
def test_the_history_is_held_for_and_paid(house: House, model: str):
    client = house.client()
    raw = client.responses.with_raw_response.create(model=model, input="word " * 300)
    first: Any = raw.parse()
    raw = client.responses.with_raw_response.create(model=model, input="x", previous_response_id=first.id)
    row = billed(house.first, raw.headers["x-request-id"])
    assert row["usage"]["input"] + row["usage"]["cached_input"] >= first.usage.input_tokens


def test_a_kept_response_is_streamed_again(house: House):
    client = house.client()
    made = client.responses.create(model=KEPT, input="Once more")
    events = list(client.responses.retrieve(made.id, stream=True))
    assert [event.type for event in events][:2] == ["response.created", "response.in_progress"]
    last: Any = events[-1]
    assert (last.type, last.response.output_text) == ("response.completed", "Once more")
    rest = list(client.responses.retrieve(made.id, stream=True, starting_after=len(events) - 2))
    assert [event.type for event in rest] == ["response.completed"]


def test_compaction_is_served_by_who_can(house: House):
    raw = house.client().responses.with_raw_response.compact(model="gpt-5", input="A long story")
    made: Any = raw.parse()
    assert made.output[-1].type == "compaction"
    billed(house.first, raw.headers["x-request-id"])
    answer = house.first.client().post("/v1/responses/compact", json={"model": KEPT, "input": "x"})
    assert answer.status_code == 404
    assert "error" in answer.json()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/responses/resp_1"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel"),
        ("GET", "/v1/responses/resp_1/input_items"),
        ("POST", "/v1/responses/compact"),
    ],
)
def test_nothing_is_told_without_a_key(house: House, method: str, path: str):
    answer = httpx.request(method, house.first.base_url + path)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
