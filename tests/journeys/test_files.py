"""Files and vector stores: made at one of several places, found again there, and nobody else's."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import openai
import pytest
from openai import OpenAI

from anygate.sandbox.answer import Answer
from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.bills import billed
from tests.journeys.configuration import channel, configuration, token

pytestmark = pytest.mark.usefixtures("forgotten")

SEINE = ("paris.txt", b"The river Seine runs through Paris.")
LINES = ("tasks.jsonl", b'{"custom_id": "1"}\n')
TIBER = ("rome.txt", b"The river Tiber runs through Rome.")


class House:
    """A gateway with two channels of one provider, and the clients of two users."""

    def __init__(self, gateway: TestGateway, upstreams: Sandbox, alice: OpenAI, bob: OpenAI) -> None:
        self.gateway = gateway
        self.upstreams = upstreams
        self.alice = alice
        self.bob = bob

    def keys(self, path: str) -> set[str]:
        """The upstream keys with which a path was asked for."""
        return {one.header("authorization") for one in self.upstreams.requests if path in one.target}


@pytest.fixture(scope="module")
def house(upstreams: Sandbox, each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    channels = [channel(upstreams, "one", "gpt-*"), channel(upstreams, "two", "gpt-*", priority=1)]
    users = [{"name": "alice", "balance_usd": "10"}, {"name": "bob", "balance_usd": "10"}]
    config = configuration(channels, users=users, tokens=[{**token("bob"), "user": "bob"}])
    with running_gateway(config, tmp_path_factory.mktemp("files"), database_url=each_database) as gateway:
        base_url = f"{gateway.base_url}/v1"
        with (
            OpenAI(base_url=base_url, api_key=gateway.key, max_retries=0) as alice,
            OpenAI(base_url=base_url, api_key="sk-test-bob", max_retries=0) as bob,
        ):
            yield House(gateway, upstreams, alice, bob)
        gateway.settled()
        assert gateway.audit().ok
        assert gateway.open_holds() == []


def upload(client: OpenAI, file: tuple[str, bytes] = SEINE) -> str:
    return client.files.create(file=file, purpose="assistants").id


def upload_lines(client: OpenAI) -> str:
    """Of this purpose files can be read again."""
    return client.files.create(file=LINES, purpose="batch").id


def test_a_file_is_made_read_and_deleted(house: House):
    name = upload_lines(house.alice)
    found = house.alice.files.retrieve(name)
    assert (found.filename, found.bytes) == ("tasks.jsonl", len(LINES[1]))
    assert house.alice.files.content(name).read() == LINES[1]
    assert house.alice.files.delete(name).deleted
    with pytest.raises(openai.NotFoundError):
        house.alice.files.retrieve(name)
    assert house.keys("/files") == {"Bearer sk-two"}


def test_a_large_part_of_a_file_is_read_whole(house: House):
    name, part = upload_lines(house.alice), b"0123456789abcdef" * 150_000
    span = (("content-type", "application/octet-stream"), ("content-range", f"bytes 0-{len(part) - 1}/9999999"))
    house.upstreams.script(Answer(206, (part,), span), times=1)
    raw = house.gateway.client().get(f"/v1/files/{name}/content", headers={"range": f"bytes=0-{len(part) - 1}"})
    assert (raw.status_code, raw.headers["content-range"]) == (206, f"bytes 0-{len(part) - 1}/9999999")
    assert raw.content == part


def test_a_large_file_is_read_whole_and_its_head_alone(house: House):
    lines = b'{"custom_id": "1"}\n' * 200_000
    name = house.alice.files.create(file=("large.jsonl", lines), purpose="batch").id
    assert house.alice.files.content(name).read() == lines
    raw = house.gateway.client().head(f"/v1/files/{name}/content")
    assert (raw.status_code, raw.content) == (200, b"")
    row = house.gateway.log(raw.headers["x-request-id"])
    assert (row["status"], row["cost_nanos"]) == (200, 0)


def test_a_store_is_searched_by_a_model_at_the_place_that_made_it(house: House):
    store = house.alice.vector_stores.create(name="rivers", file_ids=[upload(house.alice)])
    second = house.alice.vector_stores.files.create_and_poll(upload(house.alice, TIBER), vector_store_id=store.id)
    assert second.status == "completed"
    found = house.alice.vector_stores.search(store.id, query="Which river runs through Rome?")
    assert next(iter(found)).filename == "rome.txt"
    tools: list[Any] = [{"type": "file_search", "vector_store_ids": [store.id]}]
    for _ in range(4):  # drawn by chance it would go astray
        raw = house.alice.responses.with_raw_response.create(model="gpt-4o", input="river Paris?", tools=tools)
        answer: Any = raw.parse()
        assert "file_search_call" in [item.type for item in answer.output]
        assert "Seine" in answer.output_text
        row = billed(house.gateway, raw.headers["x-request-id"])
        assert row["attempts"][0]["reason"] == "pinned"
    assert house.keys("/responses") == {"Bearer sk-two"}


def test_what_was_made_elsewhere_is_reached_there(house: House):
    """The first channel refuses once, so the other one makes the file; both are well when it is asked for."""
    house.upstreams.inject("500", provider="openai")
    name = upload(house.alice)
    assert house.keys("/files") == {"Bearer sk-two", "Bearer sk-one"}
    house.upstreams.requests.clear()
    assert house.alice.files.retrieve(name).filename == "paris.txt"
    store = house.alice.vector_stores.create(file_ids=[name])
    house.alice.vector_stores.retrieve(store.id)
    assert house.keys("/") == {"Bearer sk-one"}


def test_things_of_two_places_are_not_mixed(house: House):
    here = upload(house.alice)
    house.upstreams.inject("500", provider="openai")
    there = upload(house.alice, TIBER)
    house.upstreams.requests.clear()
    with pytest.raises(openai.BadRequestError):
        house.alice.vector_stores.create(file_ids=[here, there])
    store = house.alice.vector_stores.create(file_ids=[here])
    with pytest.raises(openai.BadRequestError):
        house.alice.vector_stores.files.create(file_id=there, vector_store_id=store.id)
    files: list[Any] = [{"type": "input_file", "file_id": name} for name in (here, there)]
    with pytest.raises(openai.BadRequestError):
        house.alice.responses.create(model="gpt-4o", input=[{"role": "user", "content": files}])


def test_another_user_reaches_nothing(house: House):
    name = upload(house.alice)
    store = house.alice.vector_stores.create(file_ids=[name]).id
    own = house.bob.vector_stores.create().id
    own_file = upload(house.bob, TIBER)
    files: Any = house.bob.files
    stores: Any = house.bob.vector_stores
    tools: list[Any] = [{"type": "file_search", "vector_store_ids": [store]}]
    part: Any = {"role": "user", "content": [{"type": "input_file", "file_id": name}]}
    template: Any = {"id": "pmpt_1", "variables": {"file": {"type": "input_file", "file_id": name}}}
    turn: Any = {"role": "user", "content": [{"type": "file", "file": {"file_id": name}}]}
    house.upstreams.requests.clear()
    for act in (
        lambda: files.retrieve(name),
        lambda: files.content(name),
        lambda: files.delete(name),
        lambda: stores.retrieve(store),
        lambda: stores.update(store, name="mine"),
        lambda: stores.delete(store),
        lambda: stores.search(store, query="x"),
        lambda: stores.files.list(store),
        lambda: stores.files.retrieve(name, vector_store_id=store),
        lambda: stores.files.content(name, vector_store_id=store),
        lambda: stores.files.create(store, file_id=own_file),
        lambda: stores.create(file_ids=[name]),
        lambda: stores.files.create(own, file_id=name),
        lambda: stores.file_batches.create(own, file_ids=[own_file, name]),
        lambda: stores.file_batches.create(own, files=[{"file_id": name}]),
        lambda: house.bob.responses.create(model="gpt-4o", input="x", tools=tools),
        lambda: house.bob.responses.create(model="gpt-4o", input=[part]),
        lambda: house.bob.responses.create(model="gpt-4o", prompt=template),
        lambda: house.bob.chat.completions.create(model="gpt-4o", messages=[turn]),
    ):
        with pytest.raises(openai.NotFoundError):
            act()
    assert list(house.upstreams.requests) == []
    assert house.alice.files.retrieve(name).id == name


def test_no_file_is_reached_by_a_body_that_can_be_read_in_two_ways(house: House):
    name, own = upload(house.alice), upload(house.bob)
    store = house.bob.vector_stores.create().id
    house.upstreams.requests.clear()
    client = house.gateway.client(headers={"authorization": "Bearer sk-test-bob"})
    for path, body in (
        ("", b'{"file_ids": ["%b"], "file_ids": ["%b"]}' % (name.encode(), own.encode())),
        ("", b'{"file_ids": ["%b"], "metadata": NaN}' % name.encode()),
        ("", json.dumps({"file_ids": [name]}).encode("utf-16")),
        (f"/{store}/files", b'{"file_id": "%b", "file\\u005fid": "%b"}' % (name.encode(), own.encode())),
    ):
        answer = client.post(f"/v1/vector_stores{path}", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert list(house.upstreams.requests) == []


def test_a_chat_that_names_a_file_is_served_where_the_file_lies(house: House):
    house.upstreams.inject("500", provider="openai")
    name = upload(house.alice)  # at the channel that is not the first to be asked
    turn: Any = {"role": "user", "content": [{"type": "file", "file": {"file_id": name}}]}
    house.upstreams.requests.clear()
    raw = house.alice.chat.completions.with_raw_response.create(model="gpt-4o", messages=[turn])
    assert house.keys("/chat/completions") == {"Bearer sk-one"}
    assert billed(house.gateway, raw.headers["x-request-id"])["attempts"][0]["reason"] == "pinned"


def test_a_list_shows_ones_own_of_every_place_and_in_pages(house: House):
    for known in house.alice.files.list():
        house.alice.files.delete(known.id)
    others = [upload(house.bob) for _ in range(3)]
    mine = [upload(house.alice, (f"{number}.txt", b"x")) for number in range(4)]
    house.upstreams.inject("500", provider="openai")
    mine.append(upload(house.alice, ("elsewhere.txt", b"x")))
    listed = [one.id for one in house.alice.files.list()]
    assert sorted(listed) == sorted(mine)
    assert not set(listed) & set(others)
    page = house.alice.files.list(limit=2)
    assert ([one.id for one in page.data], page.has_more) == (listed[:2], True)
    assert [one.id for one in page] == listed
    turned = [one.id for one in house.alice.files.list(order="asc", limit=1)]
    assert (sorted(turned), turned[0]) == (sorted(mine), mine[0])
    stores = [house.alice.vector_stores.create(name=str(number)).id for number in range(3)]
    assert {one.id for one in house.alice.vector_stores.list(limit=2)} >= set(stores)
    assert set(stores).isdisjoint(one.id for one in house.bob.vector_stores.list())
    with pytest.raises(openai.BadRequestError):
        house.alice.files.list(limit=0)
    with pytest.raises(openai.BadRequestError):
        house.alice.files.list(after=others[0])


def test_a_file_that_the_operator_owns_is_not_anybodys_to_delete(house: House):
    """What the gateway did not make may be used, and joins a store, but stays the operator's."""
    with OpenAI(base_url=house.upstreams.provider_url("openai") + "/v1", api_key="sk-two", max_retries=0) as operator:
        name = upload(operator)
    store = house.alice.vector_stores.create()
    house.alice.vector_stores.files.create(file_id=name, vector_store_id=store.id)
    for act in (house.alice.files.retrieve, house.alice.files.delete):
        with pytest.raises(openai.NotFoundError):
            act(name)


@pytest.mark.parametrize("odd", ["..", "%2e%2e", "a%2Fb", "%2e%2e%2ffiles", "%00", "file%20x", "x" * 300])
def test_ids_that_a_path_could_mistake_are_unknown(house: House, odd: str):
    store = house.alice.vector_stores.create().id
    house.upstreams.requests.clear()
    link = HTTPConnection("127.0.0.1", house.gateway.port, timeout=30)  # it sends paths as they are
    for path in (f"/v1/files/{odd}", f"/v1/vector_stores/{store}/files/{odd}", f"/v1/vector_stores/{odd}/search"):
        method = "POST" if path.endswith("search") else "GET"
        link.request(method, path, headers={"authorization": f"Bearer {house.gateway.key}"})
        answer = link.getresponse()
        answer.read()
        assert answer.status == 404
    link.close()
    assert list(house.upstreams.requests) == []


def test_an_upstreams_refusal_passes_as_it_came_but_not_what_it_says_of_the_key(house: House):
    with pytest.raises(openai.BadRequestError) as caught:
        house.alice.files.create(file=SEINE, purpose="no purpose")  # pyright: ignore[reportArgumentType] the point of it
    assert "purpose" in caught.value.message
    name = upload(house.alice)
    house.upstreams.inject("429", provider="openai")
    with pytest.raises(openai.RateLimitError):
        house.alice.files.retrieve(name)
    house.upstreams.inject("401", provider="openai")
    with pytest.raises(openai.InternalServerError) as refused:
        house.alice.files.retrieve(name)
    assert refused.value.code == "upstream_refused_key"
    answer = house.gateway.client().get(f"/v1/files/{name}")
    row = house.gateway.log(answer.headers["x-request-id"])
    assert (row["status"], row["cost_nanos"], row["channel"]) == (200, 0, "two")
    assert "set-cookie" not in answer.headers


def test_a_large_body_may_wait_for_a_hundred_continue(house: House):
    body = (
        b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nHello\r\n--b--\r\n'
    )
    head = (
        f"POST /v1/files HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {house.gateway.key}\r\nexpect: 100-continue\r\n"
        f"content-type: multipart/form-data; boundary=b\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", house.gateway.port), timeout=30) as link:
        link.sendall(head.encode())
        assert link.recv(1024).startswith(b"HTTP/1.1 100")
        link.sendall(body)
        answer = b"".join(iter(lambda: link.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["bytes"] == 5
