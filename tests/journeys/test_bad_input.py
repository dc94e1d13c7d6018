"""Bad input gets a clear error in OpenAI's shape: the right status and code, nothing charged, no row of success."""

import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
import trustme

from anygate.admin.tokens import switch_token
from anygate.sandbox.server import Sandbox
from tests.gateways import KEY, TestGateway, running_gateway
from tests.journeys.bills import refused
from tests.journeys.configuration import channel, configuration, token
from tests.patience import until
from tests.specs.openai import validate_error

HELLO = [{"role": "user", "content": "Hello"}]
GOOD: dict[str, Any] = {"model": "gpt-4o-mini", "messages": HELLO}
SERVER = {"max_body_mb": 1, "max_header_kb": 8, "head_timeout": 0.4, "body_timeout": 0.4}
PRICES = {"gpt-4o*": {"input": "1", "output": "2"}, "bad-*": {"input": "1", "output": "2"}}


@pytest.fixture(scope="module")
def imposter() -> Iterator[str]:
    """The base URL of an upstream whose certificate nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate: Any = trustme.CA().issue_cert("127.0.0.1")
    certificate.configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        context.wrap_socket(connection, server_side=True).close()
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture(scope="module")
def gateway(upstreams: Sandbox, imposter: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    channels = [
        channel(upstreams, "main", "gpt-4o", "gpt-4o-mini", "unpriced", "gpt-4o-sandbox"),
        channel(upstreams, "imposter", "bad-certificate", base_url=imposter),
        channel(upstreams, "nonsense", "bad-answer", key="sk-fault-garbage-http"),
        channel(upstreams, "garbled", "bad-json", key="sk-fault-garbage"),
        channel(upstreams, "wrong", "bad-error", key="sk-fault-error-event"),
    ]
    config = configuration(
        channels,
        server=SERVER,
        prices=PRICES,
        users=[{"name": "alice", "balance_usd": "10"}, {"name": "poor"}],
        tokens=[
            token("narrow", models=["gpt-4o"]),
            token("expired", expires="2020-01-01T00:00:00Z"),
            token("disabled"),
            {"user": "poor", "name": "poor", "key": "sk-test-poor"},
        ],
    )
    with running_gateway(config, tmp_path_factory.mktemp("bad")) as running:
        with running.database() as database:
            switch_token(database, "alice/disabled", disabled=True)
        yield running
        assert running.balance() == 10 * 10**9, "something was charged"
        assert running.open_holds() == []
        assert running.audit().ok


def post(gateway: TestGateway, body: Any, key: str | None = KEY) -> httpx.Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.post(
        f"{gateway.base_url}/v1/chat/completions", content=content, headers=headers, trust_env=False, verify=False
    )


def is_error(gateway: TestGateway, response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error object, in OpenAI's shape, with a row that is no success."""
    validate_error(response.content)
    error: dict[str, Any] = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code), error
    assert response.headers["content-type"] == "application/json"
    request_id = response.headers["x-request-id"]
    assert request_id in error["message"]
    refused(gateway, request_id, status=status)
    return error


@pytest.mark.parametrize("key", [None, "unknown", "sk-unknown", "sk-" + "x" * 1000, "sk-test-expired"])
def test_keys_that_are_none(gateway: TestGateway, key: str | None):
    is_error(gateway, post(gateway, GOOD, key), 401, "invalid_api_key")


def test_a_disabled_key(gateway: TestGateway):
    until(lambda: post(gateway, GOOD, "sk-test-disabled").status_code == 401, "the key is known to be disabled")
    error = is_error(gateway, post(gateway, GOOD, "sk-test-disabled"), 401, "invalid_api_key")
    assert "disabled" in error["message"]


def test_a_model_outside_the_keys_rights(gateway: TestGateway):
    error = is_error(gateway, post(gateway, GOOD, "sk-test-narrow"), 403, "model_not_allowed")
    assert error["param"] == "model"


def test_an_unknown_model_is_answered_with_the_nearest_names(gateway: TestGateway):
    error = is_error(gateway, post(gateway, {**GOOD, "model": "gpt-4o-mni"}), 404, "model_not_found")
    assert "gpt-4o-mini" in error["message"]
    error = is_error(gateway, post(gateway, {**GOOD, "model": "gpt-4x"}, "sk-test-narrow"), 403, "model_not_allowed")


def test_a_model_without_a_price_names_the_line_to_add(gateway: TestGateway):
    error = is_error(gateway, post(gateway, {**GOOD, "model": "unpriced"}), 404, "model_not_priced")
    assert '[prices."unpriced"]' in error["message"]


def test_no_quota(gateway: TestGateway):
    is_error(gateway, post(gateway, GOOD, "sk-test-poor"), 429, "insufficient_quota")


DEEP = b'{"model":"gpt-4o-mini","messages":' + b"[" * 1000 + b"]" * 1000 + b"}"
UNREADABLE = {
    "empty": b"",
    "no JSON": b"model=gpt-4o-mini",
    "half": b'{"model":"gpt-4o-mini","messages":[',
    "a list": b"[]",
    "a string": b'"gpt-4o-mini"',
    "two values": b"{} {}",
    "invalid UTF-8": b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"\xff\xfe"}]}',
    "a lone surrogate": b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"\\ud800"}]}',
    "UTF-16": '{"model":"gpt-4o-mini","messages":[]}'.encode("utf-16"),
    "NaN": b'{"model":"gpt-4o-mini","messages":[],"temperature":NaN}',
    "1,000 deep": DEEP,
    "100,000 deep": b'{"model":"gpt-4o-mini","messages":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    "model twice": b'{"model":"gpt-4o-mini","messages":[],"model":"gpt-4o"}',
    "model twice, once escaped": b'{"model":"gpt-4o-mini","messages":[],"mo\\u0064el":"gpt-4o"}',
    "stream twice": b'{"model":"gpt-4o-mini","messages":[],"stream":true,"stream":false}',
    "include_usage twice": (
        b'{"model":"gpt-4o-mini","messages":[],"stream":true,'
        b'"stream_options":{"include_usage":true,"include_usage":false}}'
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_bodies_that_cannot_be_read(gateway: TestGateway, upstreams: Sandbox, name: str):
    before = upstreams.requests.count
    is_error(gateway, post(gateway, UNREADABLE[name]), 400, "invalid_request")
    assert upstreams.requests.count == before


WRONG = [
    ("model", {"model": 5}),
    ("model", {"model": None}),
    ("model", {"model": ""}),
    ("model", {"model": ["gpt-4o"]}),
    ("messages", {"messages": "Hello"}),
    ("messages", {"messages": None}),
    ("messages", {"messages": ["Hello"]}),
    ("stream", {"stream": "yes"}),
    ("stream", {"stream": 1}),
    ("n", {"n": 0}),
    ("n", {"n": 129}),
    ("n", {"n": "2"}),
    ("n", {"n": 1.5}),
    ("max_tokens", {"max_tokens": -1}),
    ("max_tokens", {"max_tokens": "5"}),
    ("max_completion_tokens", {"max_completion_tokens": 1.5}),
    ("max_completion_tokens", {"max_completion_tokens": True}),
    ("stream_options", {"stream_options": "usage"}),
    ("stream_options", {"stream_options": {"include_usage": "yes"}}),
]


@pytest.mark.parametrize(("param", "fields"), WRONG)
def test_wrong_types_are_refused_by_the_name_of_their_field(gateway: TestGateway, param: str, fields: dict[str, Any]):
    error = is_error(gateway, post(gateway, GOOD | fields), 400, "invalid_request")
    assert error["param"] == param


@pytest.mark.parametrize("name", ["model", "messages"])
def test_fields_that_are_missing(gateway: TestGateway, name: str):
    document = {key: value for key, value in GOOD.items() if key != name}
    assert is_error(gateway, post(gateway, document), 400, "invalid_request")["param"] == name


def test_a_body_over_the_limit_is_refused_by_its_length(gateway: TestGateway):
    response = post(gateway, {**GOOD, "user": "x" * (1 << 20)})
    is_error(gateway, response, 413, "request_too_large")


def test_a_chunked_body_over_the_limit_is_refused_as_it_comes(gateway: TestGateway):
    def pieces() -> Iterator[bytes]:
        yield b'{"model":"gpt-4o-mini","messages":[],"user":"'
        for _ in range(40):
            yield b"x" * 32_768

    response = httpx.post(
        f"{gateway.base_url}/v1/chat/completions",
        content=pieces(),
        headers={"authorization": f"Bearer {KEY}"},
        trust_env=False,
        verify=False,
    )
    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("bad-certificate", 502, "upstream_unreachable"),
        ("bad-answer", 502, None),
        ("bad-json", 502, "upstream_invalid_answer"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_cannot_be_trusted_or_understood(
    gateway: TestGateway, model: str, status: int, code: str | None, stream: bool
):
    response = post(gateway, {**GOOD, "model": model, "stream": stream})
    validate_error(response.content)
    error = response.json()["error"]
    assert response.status_code == status
    assert error["code"].startswith("upstream_")
    assert code in (None, error["code"])
    row = gateway.log(response.headers["x-request-id"])
    assert (row["status"], row["cost_nanos"], row["evidence"]) == (status, 0, "none")
    assert sum(amount for _, _, amount in gateway.entries(row["request_id"])) == 0


def test_an_answer_that_is_an_error_in_disguise_is_free(gateway: TestGateway):
    response = post(gateway, {**GOOD, "model": "bad-error"})
    validate_error(response.content)
    row = gateway.log(response.headers["x-request-id"])
    assert (row["cost_nanos"], row["evidence"]) == (0, "none")
    assert row["attempts"][0]["reason"].endswith("; 200")


# On the wire

HEAD = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n".encode()
BODY = orjson.dumps({**GOOD, "model": "gpt-4o-sandbox"})
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY


def connect(gateway: TestGateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=10)


def answer_to(gateway: TestGateway, sent: bytes) -> tuple[int, dict[str, Any]]:
    """Status and error object of what comes back until the gateway closes the connection."""
    with connect(gateway) as connection:
        connection.sendall(sent)
        came = b""
        while piece := connection.recv(65536):
            came += piece
    head, _, body = came.partition(b"\r\n\r\n")
    validate_error(body)
    return int(head.split(b" ", 2)[1]), orjson.loads(body)["error"]


def test_a_client_that_stops_in_its_head_is_told_and_left(gateway: TestGateway):
    assert answer_to(gateway, HEAD)[0] == 408


def test_a_client_that_stops_in_its_body_is_told_and_left(gateway: TestGateway):
    status, error = answer_to(gateway, WHOLE[:-5])
    assert (status, error["code"]) == (408, "request_timeout")


def test_headers_over_the_limit(gateway: TestGateway):
    status, error = answer_to(gateway, HEAD + b"x-long: " + b"x" * 9000 + b"\r\n\r\n")
    assert (status, error["code"]) == (431, "request_too_large")
    status, error = answer_to(gateway, b"GET /v1/models?" + b"x" * 9000 + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (status, error["code"]) == (431, "request_too_large")


@pytest.mark.parametrize(
    "sent",
    [
        b"NONSENSE\r\n\r\n",
        HEAD + b"host: y\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n{}   ",
        HEAD + b"transfer-encoding: chunked\r\n\r\nZZ\r\n",
        HEAD + b"bad name: x\r\n\r\n",
    ],
)
def test_requests_that_are_no_http(gateway: TestGateway, sent: bytes):
    status, error = answer_to(gateway, sent)
    assert (status, error["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99, 1.0])
def test_a_client_that_disconnects_at_any_moment_costs_nothing(gateway: TestGateway, upstreams: Sandbox, share: float):
    upstreams.hold()
    before = upstreams.requests.count
    with connect(gateway) as connection:
        connection.sendall(WHOLE[: int(len(WHOLE) * share)])
        if share == 1.0:
            until(lambda: upstreams.requests.count > before, "the request reached the upstream")
    rows = gateway.logs(limit=1)
    upstreams.release()
    assert rows[0]["status"] >= 400
    assert gateway.balance() == 10 * 10**9


def test_the_gateway_serves_on(gateway: TestGateway):
    response = post(gateway, {**GOOD, "model": "gpt-4o", "messages": []})
    assert response.status_code == 400, "the upstream's own refusal of a request that we can read"
    assert gateway.log(response.headers["x-request-id"])["attempts"][0]["status"] == 400
