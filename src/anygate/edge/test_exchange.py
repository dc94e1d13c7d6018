import asyncio

import pytest

from anygate.canonical.errors import RequestTimeout
from anygate.edge.exchange import RelayExchange
from anygate.edge.test_lines import JSON, Line, connect, in_a_loop

HEAD = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
LONG = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n"


def begun(head: str = HEAD, body: str = "{}") -> tuple[Line, RelayExchange]:
    line = connect()
    line.receive(f"{head}\r\n{body}".encode())
    return line, line.exchange


@in_a_loop
async def test_a_plain_answer_is_one_write_with_its_length():
    line, exchange = begun()
    exchange.answer(200, JSON, b'{"a":1}')
    assert line.transport.written == (
        b'HTTP/1.1 200 OK\r\ndate: now\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{"a":1}'
    )
    assert line.transport.writes == 1
    assert exchange.bytes_sent == 7


@in_a_loop
async def test_a_large_answer_is_not_copied_behind_its_head():
    line, exchange = begun()
    exchange.answer(200, JSON, b"a" * 100_000)
    assert line.transport.writes == 2
    assert line.transport.written.endswith(b"\r\n\r\n" + b"a" * 100_000)


@pytest.mark.parametrize("status", [204, 304])
@in_a_loop
async def test_an_answer_without_a_body_has_no_length(status: int):
    line, exchange = begun()
    exchange.answer(status, [], b"")
    assert b"content-length" not in line.transport.written


@in_a_loop
async def test_an_unknown_status_has_no_phrase():
    line, exchange = begun()
    exchange.answer(599, [], b"")
    assert line.transport.written.startswith(b"HTTP/1.1 599 \r\n")


@in_a_loop
async def test_a_stream_is_chunked_and_its_first_block_travels_with_the_head():
    line, exchange = begun()
    exchange.head(200, [], b"one")
    exchange.block(b"")
    exchange.block(b"three")
    exchange.end()
    assert line.transport.written == (
        b"HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n"
    )
    assert (exchange.bytes_sent, exchange.response_complete, line.transport.closed) == (8, True, False)


@in_a_loop
async def test_a_stream_for_http_1_0_is_bare_and_ends_by_closing():
    line, exchange = begun(HEAD.replace("1.1", "1.0"))
    exchange.head(200, [], b"one")
    exchange.block(b"two")
    exchange.end()
    assert line.transport.written == b"HTTP/1.1 200 OK\r\ndate: now\r\nconnection: close\r\n\r\nonetwo"
    assert line.transport.closed


@in_a_loop
async def test_only_one_answer_is_ever_written():
    line, exchange = begun()
    exchange.answer(200, JSON, b"{}")
    before = line.transport.written
    exchange.answer(500, JSON, b"{}")
    exchange.head(500, JSON)
    exchange.block(b"more")
    exchange.end()
    exchange.abort()
    assert line.transport.written == before
    assert not line.transport.aborted


@in_a_loop
async def test_nothing_is_written_to_a_client_that_is_gone():
    line, exchange = begun()
    line.protocol.connection_lost(None)
    exchange.answer(200, JSON, b"{}")
    exchange.head(200, JSON)
    exchange.block(b"more")
    exchange.end()
    exchange.proceed()
    assert line.transport.written == b""


@in_a_loop
async def test_gone_is_told_once_and_not_after_the_answer():
    told: list[int] = []
    line, exchange = begun()
    exchange.on_gone = lambda: told.append(1)
    exchange.gone()
    exchange.gone()
    assert told == [1]
    line, exchange = begun()
    exchange.on_gone = lambda: told.append(2)
    exchange.answer(200, JSON, b"{}")
    line.protocol.connection_lost(None)
    assert told == [1]


@in_a_loop
async def test_an_answer_that_cannot_be_completed_is_cut():
    line, exchange = begun()
    exchange.head(200, [], b"one")
    exchange.abort()
    assert line.transport.aborted


@in_a_loop
async def test_an_early_answer_closes_cleanly_behind_itself():
    line, exchange = begun(LONG, "{")
    exchange.answer(401, JSON, b"{}")
    assert b"connection: close" in line.transport.written
    assert line.transport.ended  # this side has said all
    assert not line.transport.closed  # and reads on until the client has, too
    line.receive(b"}" * 99_999)
    line.receive(f"{HEAD}\r\n{{}}".encode())
    assert len(line.gateway.exchanges) == 1


@in_a_loop
async def test_whoever_waits_for_a_body_hears_that_it_will_not_come():
    _, exchange = begun(LONG, "{")
    waiting = asyncio.ensure_future(exchange.receive())
    await asyncio.sleep(0)
    exchange.fail(RequestTimeout())
    with pytest.raises(RequestTimeout):
        await waiting
    with pytest.raises(RequestTimeout):
        await exchange.receive()


@in_a_loop
async def test_whoever_waits_for_the_body_of_a_client_that_leaves_gets_it_incomplete():
    line, exchange = begun(LONG, "{")
    waiting = asyncio.ensure_future(exchange.receive())
    await asyncio.sleep(0)
    line.protocol.connection_lost(None)
    assert not (await waiting).complete


@in_a_loop
async def test_a_client_that_expects_100_gets_it_when_told_to_proceed():
    line, exchange = begun(HEAD + "Expect: 100-continue\r\n", body="")
    assert line.transport.written == b""
    exchange.proceed()
    assert line.transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(("head", "body"), [(LONG, ""), (HEAD + "Expect: 100-continue\r\n", "{}")])
@in_a_loop
async def test_nobody_else_gets_a_100(head: str, body: str):
    line, exchange = begun(head, body)
    exchange.proceed()
    assert line.transport.written == b""
