"""A head known by its bytes changes nothing: the same bytes, cut anywhere, are served alike with the parser alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from anygate.edge.exchange import RelayExchange
from anygate.edge.same_head import same_head
from anygate.edge.test_lines import JSON, Begun, Limits, Line, Timeline, connect

PATH = b"/v1/chat/completions"
LINES = (b"Host: a", b"Authorization: Bearer k", b"Content-Length: %d", b"Accept: */*")
STATE = ("_phase", "_deaf", "_due", "_timer_at", "_progress", "_lingers_until")


def post(body: bytes, lines: Sequence[bytes] = LINES, start: bytes = b"POST %b HTTP/1.1" % PATH) -> bytes:
    """A request; `%d` in a line is the body's length."""
    return b"\r\n".join((start, *(line.replace(b"%d", b"%d" % len(body)) for line in lines), b"", body))


def with_line(at: int, *lines: bytes) -> tuple[bytes, ...]:
    return (*LINES[:at], *lines, *LINES[at + 1 :])


bodies = st.one_of(
    st.binary(min_size=1, max_size=30),
    st.sampled_from([b"{}", b"a" * 9, b"a" * 10, b"a" * 99, b"a" * 100, b"a" * 20_000, b"\r\n\r\n", post(b"{}")]),
)
USUAL = bodies.map(post)
ODD_LINES: list[tuple[bytes, ...]] = [
    with_line(0, b"HOST: a"),
    with_line(0, b"Host:a"),
    with_line(0, b"Host: b"),
    with_line(0, b"Host: a", b"Host: a"),
    with_line(0),
    with_line(1, b"Authorization: Bearer l"),
    with_line(1, b"Authorization: Bearer k", b"Authorization: Bearer k"),
    with_line(1, b"X-Long: " + b"a" * 300),
    with_line(2),
    with_line(2, b"content-length: %d"),
    with_line(2, b"Content-Length: 0%d"),
    with_line(2, b"Content-Length:  %d"),
    with_line(2, b"Content-Length: %d "),
    with_line(2, b"Content-Length: +%d"),
    with_line(2, b"Content-Length: 1%d"),
    with_line(2, b"Content-Length: 1"),
    with_line(2, b"Content-Length: 0"),
    with_line(2, b"Content-Length:"),
    with_line(2, b"Content-Length: %d\nX: y"),
    with_line(2, b"Content-Length: %d", b"Content-Length: %d"),
    with_line(2, b"Content-Length: %d", b"Transfer-Encoding: chunked"),
    with_line(2, b"Transfer-Encoding: chunked"),
    with_line(3, b"Accept: */*", b"Connection: close"),
    with_line(3, b"Accept: */*", b"Connection: keep-alive"),
    with_line(3, b"Accept: */*", b"Connection: Upgrade", b"Upgrade: h2c"),
    with_line(3, b"Accept: */*", b"Upgrade: h2c"),
    with_line(3, b"Accept: */*", b"Expect: 100-continue"),
    (LINES[1], LINES[0], LINES[2], LINES[3]),
]
STARTS = [
    b"POST %b HTTP/1.0" % PATH,
    b"PUT %b HTTP/1.1" % PATH,
    b"POST %b?a=b HTTP/1.1" % PATH,
    b"POST  %b HTTP/1.1" % PATH,
    b"\r\nPOST %b HTTP/1.1" % PATH,
    b"POST /healthz HTTP/1.1",
]
ODD = st.one_of(
    st.builds(post, bodies, st.sampled_from(ODD_LINES)),
    st.builds(post, bodies, start=st.sampled_from(STARTS)),
    st.sampled_from(
        [
            post(b"2\r\n{}\r\n0\r\n\r\n", with_line(2, b"Transfer-Encoding: chunked")),
            b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n",
            *(b"\r\n", b"\r", b"\0"),
        ]
    ),
)


@st.composite
def flipped(draw: st.DrawFn) -> bytes:
    """A usual request with one byte too many, too few, or another."""
    data = draw(USUAL)
    at = draw(st.integers(0, len(data) - 1))
    put = draw(st.sampled_from([b"", b"\r", b"\n", b" ", b"0", b"1", b":", b"\t", b"a", b"\xff"]))
    return data[:at] + put + data[at + draw(st.integers(0, 1)) :]


@st.composite
def broken_off(draw: st.DrawFn) -> bytes:
    """The beginning of a usual request: what comes next belongs to it."""
    data = draw(USUAL)
    return data[: draw(st.integers(1, min(len(data), 150)))]


@dataclass(frozen=True)
class Step:
    """A request; where its bytes are cut; whether its last piece comes with the next request; what happens then."""

    data: bytes
    cuts: list[int] = field(default_factory=list[int])
    joined: bool = False
    answers: int = 1
    seconds: float = 0.0


FIRST = [Step(post(b"abc"))] * 2  # now the head is known
rarely = st.sampled_from([False] * 7 + [True])
STEPS = st.lists(
    st.builds(
        Step,
        st.one_of(USUAL, USUAL, USUAL, USUAL, ODD, flipped(), broken_off()),
        st.one_of(st.just([]), st.just([]), st.lists(st.integers(0, 200), max_size=3)),
        rarely,
        st.sampled_from([1, 1, 1, 0, 2]),
        st.sampled_from([0.0, 0.0, 1.0, 9.5, 20.0]),
    ),
    min_size=2,
    max_size=9,
)
LIMITS = st.builds(
    Limits,
    max_body_bytes=st.sampled_from([1 << 20, 1 << 20, 30, 99]),
    max_header_bytes=st.one_of(st.just(1 << 16), st.integers(-3, 9).map(lambda more: len(post(b"")) + more)),
    max_connections=st.sampled_from([0, 0, 1]),
)


def pieces(steps: Sequence[Step]) -> list[tuple[bytes, Step]]:
    """What is received at once, and the step that it ends."""
    found: list[tuple[bytes, Step]] = []
    held = b""
    for step in steps:
        begin = 0
        for cut in sorted(min(cut, len(step.data)) for cut in step.cuts):
            if cut > begin:
                found.append((held + step.data[begin:cut], Step(b"", answers=0)))
                held, begin = b"", cut
        held += step.data[begin:]
        if held and not step.joined:
            found.append((held, step))
            held = b""
    return [*found, (held, Step(b""))] if held else found


def of_exchange(exchange: RelayExchange) -> dict[str, Any]:
    body = exchange.body
    names = ("method", "path", "query", "headers", "named", "keep_alive", "more_body", "expect_continue", "http_1_0")
    more = ("parameters", "writable", "started", "disconnected", "response_started", "response_complete", "bytes_sent")
    return {
        **{name: getattr(exchange, name) for name in (*names, *more)},
        "route": exchange.route.id,
        "body": (body.size, body.complete, bytes(body.buffer()) if body.complete else b""),
    }


def answer(line: Line) -> None:
    """Answer whoever is served."""
    served = line.protocol._serving  # pyright: ignore[reportPrivateUsage]
    if isinstance(served, RelayExchange):
        if len(line.gateway.exchanges) % 3:
            served.answer(200, JSON, b"{}")
        else:
            served.head(200, JSON, b"one")
            served.block(b"two")
            served.end()
    elif isinstance(served, RequestResponseCycle):
        served.response_complete = True
        served.on_response()


def history(steps: Sequence[Step], limits: Limits, *, known: bool) -> list[Any]:
    """Everything that can be seen of a connection, after each read; `known`: heads are known by their bytes."""
    told: list[Any] = []
    timeline = Timeline()
    gateway = Begun(lambda exchange: told.append(of_exchange(exchange)), limits=limits)
    with patch("anygate.edge.protocol.same_head", same_head if known else never):
        line = connect(gateway, timeline)
        for data, step in pieces(steps):
            if line.transport.closed:
                break
            line.receive(data)
            told.append(seen(line, timeline))
            for _ in range(step.answers):
                answer(line)
            timeline.advance(step.seconds)
            told.append(seen(line, timeline))
    told.append([of_exchange(exchange) for exchange in gateway.exchanges])
    return told


def never(*_: object) -> None:
    """No head is ever known."""


def seen(line: Line, timeline: Timeline) -> list[Any]:
    protocol, transport = line.protocol, line.transport
    served: Any = getattr(protocol, "_serving")  # noqa: B009
    cycle: Any = protocol.cycle
    return [
        *(getattr(protocol, name) for name in STATE),
        *(sorted(handle.when() for handle in timeline.handles), line.state.total_requests, len(protocol.pipeline)),
        *(type(served), type(cycle), cycle is served, cycle is not None and cycle.response_complete),
        *(transport.written, transport.writes, transport.reading),
        *(transport.closed, transport.aborted, transport.ended),
    ]


@settings(max_examples=400, deadline=None)
@given(STEPS, LIMITS)
def test_whether_a_head_is_known_by_its_bytes_cannot_be_seen(steps: list[Step], limits: Limits):
    steps = [*FIRST, *steps]
    assert history(steps, limits, known=True) == history(steps, limits, known=False)


@pytest.mark.parametrize("lines", ODD_LINES)
@pytest.mark.parametrize("answers", [0, 1])
def test_an_odd_head_after_known_ones_is_read_by_the_parser(lines: tuple[bytes, ...], answers: int):
    usual = [Step(post(b"a" * size), answers=answers) for size in (10, 4)]
    odd = [Step(post(b"{}", lines)) for _ in range(4)]
    steps = [*FIRST, *usual, *odd, *FIRST, *usual]
    assert history(steps, Limits(), known=True) == history(steps, Limits(), known=False)


@pytest.mark.parametrize("end", range(1, len(post(b"abc"))))
def test_a_known_head_within_another_request_is_a_part_of_that(end: int):
    for outer in (post(b"abc"), post(b"a" * 300), post(post(b"{}") * 2)):
        steps = [*FIRST, Step(outer[:end]), *FIRST]
        assert history(steps, Limits(), known=True) == history(steps, Limits(), known=False)


@pytest.mark.parametrize("cut", range(1, len(post(b"{}"))))
def test_a_known_head_may_be_cut_anywhere(cut: int):
    steps = [*FIRST, Step(post(b"{}"), cuts=[cut]), *FIRST]
    assert history(steps, Limits(), known=True) == history(steps, Limits(), known=False)


def test_from_the_third_time_on_a_head_needs_no_parser():
    line = connect(Begun(lambda exchange: exchange.answer(200, JSON, b"{}")), Timeline())
    for size in (1, 22):
        line.receive(post(b"a" * size))
    line.protocol.parser = None  # type: ignore[assignment]
    for size in (1, 333, 20_000):
        line.receive(post(b"a" * size))
        assert line.exchange.body.buffer() == b"a" * size
    assert line.transport.written.count(b"HTTP/1.1 200 ") == 5
