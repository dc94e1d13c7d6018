"""Clients without end: whoever sends or reads too slowly is let go. `hasty` gives 0.6 s to everybody.

Nothing here measures time: a test waits for the answer or the end of the connection, and fails when neither comes.
"""

import select
import threading
from collections.abc import Iterator

import pytest

from tests.edge.conftest import Edge
from tests.edge.wire import Wire, chat, prompt, request


def drip(wire: Wire, data: bytes, seconds: float) -> None:
    """Send byte by byte until the other side answers or all is sent."""
    for byte in data:
        wire.send(bytes((byte,)))
        if select.select([wire.socket], [], [], seconds)[0]:
            return


@pytest.fixture
def wire(hasty: Edge) -> Iterator[Wire]:
    with hasty.wire() as wire:
        yield wire


@pytest.mark.parametrize("path", ["/v1/models", "/healthz"])
def test_a_head_that_drips_in_gets_408(hasty: Edge, wire: Wire, path: str):
    drip(wire, request("GET", path, key=hasty.key), 0.02)
    answer = wire.answer()
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert wire.rest() == b""


def test_a_head_that_stops_gets_408_on_a_used_connection_too(hasty: Edge, wire: Wire):
    head = request("GET", "/v1/models", key=hasty.key)
    assert wire.send(head).answer().status == 200
    assert wire.send(head[:40]).answer().status == 408
    assert wire.rest() == b""


@pytest.mark.parametrize("framing", ["Content-Length: 300", "Transfer-Encoding: chunked"])
def test_a_body_that_drips_in_gets_408_and_nothing_is_charged(hasty: Edge, wire: Wire, framing: str):
    wire.send(request("POST", "/v1/chat/completions", framing, key=hasty.key))
    drip(wire, b"1\r\n{\r\n" * 40 if "chunked" in framing else prompt(), 0.02)
    answer = wire.answer()
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert wire.rest() == b""
    assert hasty.unharmed()
    row = hasty.gateway.log(answer.headers["x-request-id"])
    assert (row["status"], row["user"], row["cost_nanos"]) == (408, "alice", 0)


def test_a_body_for_the_control_plane_that_stops_gets_408(wire: Wire):
    wire.send(request("POST", "/admin/api/v1/users", "Content-Length: 300", body=b"{"))
    answer = wire.answer()
    assert answer.status in (401, 408)  # who asks is judged first, where that needs no body
    assert wire.rest() == b""


def test_a_body_that_goes_on_is_given_more_time(hasty: Edge, wire: Wire):
    body = prompt("a" * 600_000)
    wire.send(request("POST", "/v1/chat/completions", f"Content-Length: {len(body)}", key=hasty.key))
    pause = threading.Event()
    for at in range(0, len(body), 1 << 16):
        wire.send(body[at : at + (1 << 16)])
        pause.wait(0.08)
    assert wire.answer().status == 200


def test_a_connection_on_which_nothing_is_asked_is_closed(wire: Wire):
    assert wire.rest() == b""


def test_empty_lines_do_not_keep_a_connection_open(wire: Wire):
    drip(wire, b"\r\n" * 100, 0.02)
    assert wire.rest() == b""


def test_an_answer_may_take_longer_than_any_of_the_clients_deadlines(hasty: Edge, wire: Wire):
    wire.send(chat(key=hasty.key, model="sandbox-slow-first-token-900"))
    assert wire.answer().status == 200


def test_the_next_request_may_wait_for_a_long_answer(hasty: Edge, wire: Wire):
    slow = chat(key=hasty.key, model="sandbox-slow-first-token-900")
    wire.send(slow + request("POST", "/v1/chat/completions", body=prompt(), key=hasty.key)[:-1])
    assert wire.answer().status == 200
    assert wire.send(b"}").answer().status == 200


def test_half_a_request_behind_a_running_answer_never_writes_into_it(hasty: Edge, wire: Wire):
    wire.send(chat(key=hasty.key, model="sandbox-slow-first-token-900") + b"GET /v1/mod")
    answer = wire.answer()
    assert answer.status == 200
    assert answer.json["choices"][0]["message"]["content"] == "Hello"
    assert wire.rest() == b""


def test_a_client_that_does_not_read_is_cut_off_and_pays_for_what_it_was_sent(hasty: Edge):
    with hasty.wire(receive_buffer=4096) as wire:
        wire.send(chat(key=hasty.key, model="sandbox-huge-16", stream=True, max_tokens=None))
        head = wire.until(b"\r\n\r\n").decode()
        request_id = head.lower().split("x-request-id: ")[1].split("\r\n")[0]
        hasty.gateway.settled()  # not before the gateway has let go of the request
        with pytest.raises((ConnectionResetError, EOFError)):
            wire.exactly(16 << 20)
    row = hasty.gateway.log(request_id)
    assert row["status"] == 499
    assert row["cost_nanos"] > 0
    assert hasty.gateway.open_holds() == []
    assert hasty.gateway.audit().ok


def test_a_client_that_does_not_read_its_last_answer_is_cut_off(hasty: Edge):
    with hasty.wire(receive_buffer=4096) as wire:
        wire.send(chat("Connection: close", key=hasty.key, model="sandbox-huge-8", max_tokens=None))
        wire.until(b"\r\n\r\n")
        hasty.gateway.alone()
        with pytest.raises((ConnectionResetError, EOFError)):
            wire.exactly(8 << 20)
