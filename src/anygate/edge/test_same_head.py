import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.edge.body import SPOOL_ABOVE
from anygate.edge.head import KnownHead
from anygate.edge.same_head import SameHead, same_head
from anygate.protocols.table import ClientRoute

ROUTE = ClientRoute("x", "POST", "/v1/chat/completions", "chat")
FIRST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nCONTENT-Length: 12\r\nX-A: b: c\r\n\r\n"
HEADERS = [(b"host", b"a"), (b"content-length", b"12"), (b"x-a", b"b: c")]


def known(
    *more: tuple[bytes, bytes], distinct: bool = True, version: str = "1.1", keep_alive: bool = True
) -> KnownHead:
    named = {name: value for name, value in (*HEADERS, *more) if name != b"content-length"}
    path = ROUTE.path.encode()
    return KnownHead(path, b"POST", named, distinct, version, keep_alive, (ROUTE, {}), path, b"", "POST")


def seen(wire: bytes = FIRST, most_head: int = 1_000, most_body: int = SPOOL_ABOVE) -> SameHead | None:
    return same_head(known(), HEADERS, wire + b"whatever follows", most_head, most_body)


def read(data: bytes, most_body: int = SPOOL_ABOVE) -> tuple[list[tuple[bytes, bytes]], bytes] | None:
    same = seen(most_body=most_body)
    assert same is not None
    return same.read(data)


def sent(length: bytes, body: bytes) -> bytes:
    return FIRST.replace(b"12", length) + body


@given(st.binary(min_size=1, max_size=2_000))
def test_the_same_head_with_another_body_is_read(body: bytes):
    size = b"%d" % len(body)
    assert read(sent(size, body)) == ([(b"host", b"a"), (b"content-length", size), (b"x-a", b"b: c")], body)


def test_each_request_has_headers_of_its_own():
    same = seen()
    assert same is not None
    first, second = same.read(sent(b"1", b"a")), same.read(sent(b"2", b"bc"))
    assert first is not None
    assert second is not None
    assert (first[0][1], second[0][1]) == ((b"content-length", b"1"), (b"content-length", b"2"))


@pytest.mark.parametrize(
    "length",
    [b"05", b"+5", b"-5", b" 5", b"5 ", b"\t5", b"5\t", b"", b"0", b"4", b"6", b"5_0", b"0x5", b"5,5", b"5\r\n"],
)
def test_a_length_that_is_not_plainly_that_of_the_body_is_left_to_the_parser(length: bytes):
    assert read(sent(length, b"abcde")) is None


@given(st.integers(0, len(FIRST) - 1), st.integers(0, 255), st.booleans())
def test_a_byte_that_differs_is_left_to_the_parser(at: int, byte: int, insert: bool):
    data = FIRST[:at] + bytes((byte,)) + FIRST[at if insert else at + 1 :]
    if data != FIRST:
        assert read(data + b"a" * 12) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        FIRST,
        sent(b"12", b"a" * 11),
        sent(b"12", b"a" * 13),
        sent(b"5", b"abcde") * 2,
        b"\r\n" + sent(b"5", b"abcde"),
        b"5\r\nX-A: b: c\r\n\r\nabcde",  # what follows the bytes before the digits, but not them
        sent(b"99999999999999999999", b"abcde"),
        sent(b"0", b""),
    ],
)
def test_what_is_not_one_whole_request_is_left_to_the_parser(data: bytes):
    assert read(data) is None


def test_a_body_that_may_have_to_be_refused_or_spooled_is_left_to_the_parser():
    assert read(sent(b"10", b"a" * 10), most_body=10) is not None
    assert read(sent(b"11", b"a" * 11), most_body=10) is None
    large = b"a" * SPOOL_ABOVE
    assert read(sent(b"%d" % len(large), large), most_body=1 << 30) is not None
    assert read(sent(b"%d" % (len(large) + 1), large + b"a"), most_body=1 << 30) is None


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\n" + FIRST,
        FIRST.replace(b"POST ", b"POST  "),
        FIRST.replace(b"POST", b"PUT"),
        FIRST.replace(b"1.1", b"1.0"),
        FIRST.replace(b": 12", b":12"),
        FIRST.replace(b": 12", b":  12"),
        FIRST.replace(b"12", b"12 "),
        FIRST.replace(b"12", b"13"),
        FIRST.replace(b"Host", b"Most"),
        FIRST.replace(b"c\r\n\r\n", b"c\r\nX-More: 1\r\n\r\n"),
        FIRST[20:],
    ],
)
def test_a_head_that_is_not_written_plainly_at_the_start_is_not_remembered(wire: bytes):
    assert seen(wire) is None


def test_a_head_that_with_more_digits_may_be_too_large_is_not_remembered():
    assert seen(most_head=len(FIRST) + 7) is not None
    assert seen(most_head=len(FIRST) + 6) is None


@pytest.mark.parametrize(
    ("head", "headers", "wire"),
    [
        (known(distinct=False), HEADERS, FIRST),
        (known(version="1.0"), HEADERS, FIRST.replace(b"1.1", b"1.0")),
        (known(keep_alive=False), HEADERS, FIRST),
        (known(), [HEADERS[0], HEADERS[2]], FIRST.replace(b"CONTENT-Length: 12\r\n", b"")),
        (
            known((b"upgrade", b"h2c")),
            [*HEADERS, (b"upgrade", b"h2c")],
            FIRST.replace(b"c\r\n\r\n", b"c\r\nUpgrade: h2c\r\n\r\n"),
        ),
    ],
)
def test_an_unusual_head_is_not_remembered(head: KnownHead, headers: list[tuple[bytes, bytes]], wire: bytes):
    assert same_head(head, headers, wire, 1_000, 1_000) is None
