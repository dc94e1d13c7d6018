import asyncio
import logging
from typing import Any

import pytest

from anygate.canonical.errors import RequestTooLarge, ShuttingDown
from anygate.edge.exchange import RelayExchange
from anygate.edge.routes import Found, Routes
from anygate.edge.test_lines import JSON, Begun, Limits, Line, Timeline, connect, in_a_loop
from anygate.protocols.registry import all_protocols

MODELS = b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


def answer(exchange: RelayExchange) -> None:
    exchange.answer(200, JSON, b"{}")


class BrokenRoutes(Routes):
    def find(self, method: str, path: bytes) -> Found | None:
        raise LookupError("a defect")


@in_a_loop
async def test_a_whole_request_is_begun_at_once_with_its_body():
    line = connect()
    line.receive(CHAT)
    assert line.exchange.body.buffer() == b"{}"
    assert (line.exchange.method, line.exchange.path) == ("POST", b"/v1/chat/completions")


@in_a_loop
async def test_a_request_whose_large_body_is_under_way_is_begun_too():
    line = connect()
    line.receive(CHAT.replace(b": 2", b": 70000"))
    assert not line.exchange.body.complete
    waiting = asyncio.ensure_future(line.exchange.receive())
    await asyncio.sleep(0)
    line.receive(b"}" * 69_998)
    assert (await waiting).size == 70_000


@in_a_loop
async def test_a_small_body_that_is_sent_apart_from_its_head_is_waited_for():
    line = connect()
    line.receive(CHAT[:-2])
    line.receive(CHAT[-2:-1])
    assert line.gateway.exchanges == []
    line.receive(CHAT[-1:])
    assert line.exchange.body.buffer() == b"{}"


@in_a_loop
async def test_whose_small_body_is_under_way_hears_that_the_process_ends():
    line = connect(Begun(lambda exchange: exchange.answer(503, JSON, b"{}")))
    line.receive(CHAT[:-1])
    assert line.protocol.end(ShuttingDown()) is None
    assert line.transport.written.startswith(b"HTTP/1.1 503 ")
    assert line.transport.ended


@in_a_loop
async def test_a_defect_in_a_callback_is_a_500_and_logged(caplog: pytest.LogCaptureFixture):
    line = connect(Begun(routes=BrokenRoutes(all_protocols())))
    line.receive(MODELS)
    assert line.transport.written.startswith(b"HTTP/1.1 500 ")
    assert b'"internal_error"' in line.transport.written
    assert line.transport.ended
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "a defect" in str(record.exc_info)


@in_a_loop
async def test_a_defect_where_a_request_is_begun_is_a_500_and_logged(caplog: pytest.LogCaptureFixture):
    def fail(_: RelayExchange) -> None:
        raise LookupError("a defect")

    line = connect(Begun(fail))
    line.receive(MODELS + MODELS)
    assert line.transport.written.count(b"HTTP/1.1 500 ") == 2
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 2


@in_a_loop
async def test_a_defect_behind_a_running_answer_is_not_written_into_it():
    line = connect()
    line.receive(CHAT)
    line.gateway.routes = BrokenRoutes(all_protocols())
    line.receive(MODELS)
    assert line.transport.written == b""
    answer(line.exchange)
    assert line.transport.written.count(b"HTTP/1.1") == 1
    assert b"connection: close" in line.transport.written


@in_a_loop
async def test_reading_is_paused_only_by_a_request_that_waits():
    line = connect()
    line.receive(CHAT)
    assert line.transport.reading
    line.receive(MODELS)
    assert not line.transport.reading
    answer(line.exchange)
    assert line.transport.reading
    assert line.exchange.path == b"/v1/models"


@in_a_loop
async def test_reading_goes_on_only_when_nobody_waits_any_more():
    line = connect()
    line.receive(CHAT + MODELS + MODELS)
    answer(line.exchange)
    assert not line.transport.reading
    answer(line.exchange)
    assert line.transport.reading


@in_a_loop
async def test_a_slow_reader_pauses_the_exchange_that_is_served_not_the_one_that_waits():
    line = connect()
    line.receive(CHAT + MODELS)
    (served,) = line.gateway.exchanges
    told: list[str] = []
    served.on_paused = lambda: told.append("paused")
    served.on_writable = lambda: told.append("writable")
    line.protocol.pause_writing()
    assert (told, served.writable) == (["paused"], False)
    line.protocol.resume_writing()
    assert (told, served.writable) == (["paused", "writable"], True)


@in_a_loop
async def test_an_exchange_that_starts_on_a_full_socket_knows_it():
    line = connect()
    line.receive(CHAT + MODELS)
    line.protocol.pause_writing()
    answer(line.exchange)
    assert not line.exchange.writable
    line.protocol.resume_writing()
    assert line.exchange.writable


@in_a_loop
async def test_everyone_is_told_that_the_client_is_gone():
    line = connect()
    line.receive(CHAT + CHAT + HEALTH)
    gone: list[str] = []
    line.exchange.on_gone = lambda: gone.append("served")
    waiting = [cycle for cycle, _ in line.protocol.pipeline]
    line.protocol.connection_lost(None)
    assert gone == ["served"]
    assert [cycle.disconnected for cycle in waiting] == [True, True]
    assert len(line.gateway.exchanges) == 1  # nobody begins what nobody will read
    kept: Any = waiting[1].body
    assert kept.buffer() == b""  # nor keeps its body


@in_a_loop
async def test_the_application_is_told_that_the_client_is_gone_while_a_relayed_request_waits():
    line = connect()
    line.receive(HEALTH)
    cycle: Any = line.protocol.cycle
    line.receive(CHAT)
    line.protocol.connection_lost(ConnectionResetError())
    assert cycle.disconnected
    assert line.gateway.exchanges == []


@in_a_loop
async def test_a_body_that_is_too_large_fails_the_one_who_waits_for_it():
    line = connect(Begun(limits=Limits(max_body_bytes=10)))
    line.receive(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
    line.exchange.proceed()
    with pytest.raises(Exception, match="larger"):
        await line.exchange.receive()
    assert line.transport.written == b""  # no 100 for a body that is not wanted


@in_a_loop
async def test_a_fault_behind_an_upgrade_that_is_ignored_is_the_clients():
    line = connect(Begun(limits=Limits(max_body_bytes=1)))
    line.receive(CHAT.replace(b"Host", b"Connection: Upgrade\r\nUpgrade: h2c\r\nHost"))
    with pytest.raises(RequestTooLarge):
        await line.exchange.receive()


def test_a_partial_head_is_not_charged_with_the_request_before_it():
    line = connect(Begun(answer, limits=Limits(max_header_bytes=1_000)), Timeline())
    line.receive(CHAT.replace(b"Length: 2", b"Length: 700")[:-2] + b" " * 700 + MODELS[:30])
    line.receive(MODELS[30:-2] + b"X: %b" % (b"a" * 500))
    line.receive(b"\r\n\r\n")
    assert line.transport.written.count(b"HTTP/1.1 200 ") == 2


@in_a_loop
async def test_the_date_is_the_servers_newest():
    line = connect(Begun(answer))
    line.receive(MODELS)
    line.state.default_headers = [(b"date", b"later")]
    line.receive(MODELS)
    assert line.transport.written.count(b"date: now\r\n") == line.transport.written.count(b"date: later\r\n") == 1


@in_a_loop
async def test_a_whole_request_costs_one_write_and_no_new_timer():
    line = connect(Begun(answer))
    line.receive(MODELS)
    timers = asyncio.get_running_loop()
    before = scheduled(timers)
    for _ in range(10):
        line.receive(MODELS)
    assert line.transport.writes == 11
    assert scheduled(timers) == before


@in_a_loop
async def test_a_server_that_shuts_down_closes_idle_connections_and_lets_answers_end():
    idle, busy = connect(), connect()
    busy.receive(CHAT)
    for line in (idle, busy):
        line.protocol.shutdown()
    assert idle.transport.closed
    assert not busy.transport.closed
    answer(busy.exchange)
    assert busy.transport.closed
    assert b"connection: close" in busy.transport.written


@pytest.mark.parametrize("cut", range(1, len(CHAT), 5))
@in_a_loop
async def test_where_a_request_is_cut_does_not_matter(cut: int):
    line: Line = connect(Begun(answer))
    line.receive(CHAT[:cut])
    line.receive(CHAT[cut:])
    line.receive(CHAT)
    assert line.transport.written.count(b"HTTP/1.1 200") == 2 if cut < len(CHAT) - 2 else 1


def scheduled(loop: asyncio.AbstractEventLoop) -> int:
    return len(getattr(loop, "_scheduled"))  # noqa: B009 - asyncio's own list of timers


def post(*lines: bytes, target: bytes = b"/v1/chat/completions", version: bytes = b"1.1", body: bytes = b"{}") -> bytes:
    head = (b"POST %b HTTP/%b" % (target, version), b"Host: a", *lines, b"Content-Length: %d" % len(body))
    return b"\r\n".join((*head, b"", body))


@in_a_loop
async def test_the_same_head_again_is_known_and_its_body_is_not_the_last_ones():
    line = connect(Begun(answer))
    for body in (b"{}", b'{"a":1}', b""):
        line.receive(post(b"Authorization: Bearer k", body=body))
        assert line.exchange.body.buffer() == body
    first, second, third = line.gateway.exchanges
    assert first.known is second.known is third.known
    assert (third.method, third.path, third.keep_alive) == ("POST", b"/v1/chat/completions", True)


@pytest.mark.parametrize(
    "other",
    [
        post(b"Authorization: Bearer l"),
        post(b"Authorization: Bearer k", target=b"/v1/chat/completions?a=b"),
        post(b"Authorization: Bearer k", b"X-More: 1"),
        post(b"Authorization: Bearer k", b"Authorization: Bearer k"),
        post(),
        post(b"Authorization: Bearer k", version=b"1.0"),
        post(b"Authorization: Bearer k").replace(b"POST", b"PUT"),
    ],
)
@in_a_loop
async def test_a_head_that_differs_is_looked_at_anew(other: bytes):
    line = connect(Begun(answer))
    line.receive(post(b"Authorization: Bearer k"))
    line.receive(other)
    first, second = line.gateway.exchanges
    assert first.known is not second.known
    assert second.headers == [
        (name.lower(), value)
        for name, _, value in (text.partition(b": ") for text in other.split(b"\r\n\r\n")[0].split(b"\r\n")[1:])
    ]


@pytest.mark.parametrize("name", [b"Connection", b"Proxy-Connection"])
@in_a_loop
async def test_the_version_counts_where_both_say_keep_alive(name: bytes):
    line = connect(Begun(answer))
    says = name + b": keep-alive"
    line.receive(post(says))
    line.receive(post(says, version=b"1.0"))
    newer, older = line.gateway.exchanges
    assert (newer.keep_alive, newer.http_1_0) == (True, False)
    assert (older.keep_alive, older.http_1_0) == (False, True)
    assert line.transport.closed
