"""Reading answers out of bytes, wherever they are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.upstream.answer import HEAD_LIMIT, PARSER_ERRORS, AnswerReader

CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nX-Empty:\r\n\r\n"
    b"5\r\nhello\r\n7;name=value\r\n, world\r\n0\r\nX-Trailer: late\r\n\r\n"
)
COUNTED = b"HTTP/1.1 201 Created\r\nContent-Length: 11\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nhello world"


def feed(reader: AnswerReader, data: bytes) -> None:
    """As `Connection.data_received` does."""
    headless = not reader.head_done
    try:
        reader.parse(data)
    except PARSER_ERRORS:
        reader.fault()
    if headless or not reader.parts:
        reader.weigh(len(data), headless)
    else:
        reader.loose = 0


def read(*pieces: bytes) -> tuple[AnswerReader, bytes]:
    reader, body = AnswerReader(), b""
    for piece in pieces:
        feed(reader, piece)
        body += b"".join(reader.parts)
        reader.parts.clear()
    return reader, body


@pytest.mark.parametrize("wire", [CHUNKED, COUNTED], ids=["chunked", "counted"])
def test_one_cut_anywhere_changes_nothing(wire: bytes):
    whole, body = read(wire)
    assert (whole.complete, whole.broken, whole.reusable) == (True, "", True)
    for cut in range(1, len(wire)):
        reader, cut_body = read(wire[:cut], wire[cut:])
        assert (reader.status, reader.headers, cut_body) == (whole.status, whole.headers, body)
        assert (reader.complete, reader.broken, reader.reusable) == (True, "", True)


@given(st.sampled_from([CHUNKED, COUNTED]), st.lists(st.integers(0, 300)))
def test_any_slicing_changes_nothing(wire: bytes, cuts: list[int]):
    edges = [0, *sorted(cut for cut in cuts if cut < len(wire)), len(wire)]
    reader, body = read(*(wire[a:b] for a, b in pairwise(edges) if a < b))
    assert (reader.complete, reader.broken, body) == (True, "", read(wire)[1])


@pytest.mark.parametrize("wire", [CHUNKED, COUNTED], ids=["chunked", "counted"])
def test_no_proper_beginning_is_complete(wire: bytes):
    for cut in range(1, len(wire)):
        assert not read(wire[:cut])[0].complete


def test_interim_answers_and_trailers_leave_no_headers_and_repeated_ones_stay():
    assert read(CHUNKED)[0].headers == [
        (b"content-type", b"text/event-stream"),
        (b"transfer-encoding", b"chunked"),
        (b"x-empty", b""),
    ]
    assert read(COUNTED)[0].headers[1:] == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_are_complete_with_their_head(status: int):
    reader, body = read(b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n" % status)
    assert (reader.complete, reader.reusable, body) == (True, True, b"")


def test_one_reader_reads_one_answer_after_the_other():
    reader, _ = read(CHUNKED)
    reader.expect()
    feed(reader, COUNTED)
    assert (reader.status, b"".join(reader.parts), reader.complete) == (201, b"hello world", True)


@pytest.mark.parametrize("stray", [b"x", b"HTTP/1.1 200 OK\r\n", COUNTED])
def test_bytes_behind_an_answer_do_not_change_it_but_end_the_connection(stray: bytes):
    reader, body = read(COUNTED + stray)
    assert (reader.status, body, reader.complete, reader.broken) == (201, b"hello world", True, "")
    assert not reader.reusable


@pytest.mark.parametrize(
    ("head", "reusable", "until_close"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n", False, False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n", False, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n", False, False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n", True, False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", False, True),
        (b"HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\n", True, False),
    ],
)
def test_the_head_says_whether_the_connection_may_be_used_again(head: bytes, reusable: bool, until_close: bool):
    reader, _ = read(head)
    assert (reader.head_done, reader.reusable, reader.until_close) == (True, reusable, until_close)


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nabc",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_nonsense_is_no_answer(wire: bytes):
    reader, body = read(wire)
    assert reader.broken == "is not HTTP/1.1"
    assert (reader.head_done, reader.complete, reader.reusable, body) == (False, False, False, b"")


def test_a_chunk_that_breaks_the_framing_comes_after_the_good_ones():
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nzz\r\n"
    for cut in range(1, len(wire)):
        reader, body = read(wire[:cut], wire[cut:])
        assert (reader.status, body, reader.complete) == (200, b"hi", False)
        assert reader.broken == "breaks its own framing"


def test_a_head_over_the_limit_is_refused_whether_it_comes_at_once_or_slowly():
    line = b"X-Long: %b\r\n" % (b"a" * 1000)
    wire = b"HTTP/1.1 200 OK\r\n" + line * (HEAD_LIMIT // len(line) + 2) + b"Content-Length: 2\r\n\r\nhi"
    for size in (len(wire), 1000):
        reader, _ = read(*(wire[at : at + size] for at in range(0, len(wire), size)))
        assert (reader.broken, reader.head_done, reader.complete) == ("has too large a head", False, False)


def test_a_large_read_with_a_small_head_is_no_large_head():
    size = 3 * HEAD_LIMIT
    reader, body = read(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    assert (reader.broken, reader.complete, len(body)) == ("", True, size)


def test_interim_answers_without_end_are_a_head_over_the_limit():
    assert read(*[b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * 100] * 30)[0].broken == "has too large a head"


def test_trailers_without_end_are_refused():
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
    reader, body = read(wire, *[b"X-Trailer: %b\r\n" % (b"a" * 1000)] * 80)
    assert (reader.broken, body) == ("has too many bytes that are not body", b"hi")
