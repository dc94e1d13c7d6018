"""Which headers cross the gateway."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.protocols.openai_chat.protocol import PROTOCOL
from anygate.relay.headers import answer_headers, request_lines, value_of

NOTHING: frozenset[bytes] = frozenset()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "host",
            "content-length",
            "accept-encoding",
            "expect",
            "cookie",
            "transfer-encoding",
            "te",
            "trailer",
            "upgrade",
        ),
        *("keep-alive", "proxy-authorization", "proxy-connection", "connection", "http2-settings"),
        *("authorization", "x-api-key", "x-goog-api-key", "api-key", "mj-api-secret", "xi-api-key"),
        *("forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "cf-connecting-ip", "true-client-ip"),
        *("x-goog-fieldmask", "x-http-method-override", "x-amzn-bedrock-service-tier"),
        *("x-vertex-ai-llm-shared-request-type",),
        *("x-anygate-trace", "x-request-id", "openai-organization", "openai-project", "sec-websocket-key"),
    ],
)
def test_what_concerns_this_connection_this_client_or_its_key_stays_here(name: str):
    assert request_lines([(name.encode(), b"x")], NOTHING) == b""


@pytest.mark.parametrize(
    "name",
    [
        *(
            "content-type",
            "accept",
            "user-agent",
            "openai-beta",
            "anthropic-version",
            "idempotency-key",
            "x-stainless-lang",
        ),
        *("traceparent", "http-referer", "x-title", "x-custom"),
    ],
)
def test_everything_else_travels(name: str):
    assert request_lines([(name.encode(), b"a, b")], NOTHING) == name.encode() + b": a, b\r\n"


def test_order_and_repetition_are_kept():
    headers = [(b"x-b", b"1"), (b"x-a", b"2"), (b"authorization", b"k"), (b"x-b", b"3")]
    assert request_lines(headers, NOTHING) == b"x-b: 1\r\nx-a: 2\r\nx-b: 3\r\n"


def test_what_the_channel_sets_itself_is_not_taken_from_the_client():
    assert request_lines([(b"user-agent", b"x"), (b"accept", b"y")], frozenset({b"user-agent"})) == b"accept: y\r\n"


@pytest.mark.parametrize("connection", [b"keep-alive", b"Keep-Alive", b"close", b"Close"])
def test_the_usual_connection_header_names_nothing(connection: bytes):
    assert request_lines([(b"connection", connection), (b"x-a", b"1")], NOTHING) == b"x-a: 1\r\n"


@pytest.mark.parametrize(
    "connections",
    [
        [b"x-a"],
        [b"keep-alive, X-A"],
        [b"close,x-a , x-b"],
        [b"x-a", b"keep-alive"],
        [b"x-a", b"x-b"],
        [b"Upgrade, HTTP2-Settings", b"x-a"],
    ],
)
def test_what_connection_names_ends_here_however_many_lines_name_it(connections: list[bytes]):
    headers = [(b"x-a", b"1"), *((b"connection", value) for value in connections), (b"x-c", b"3")]
    assert request_lines(headers, NOTHING) == b"x-c: 3\r\n"


@given(
    st.lists(
        st.tuples(st.sampled_from([b"connection", b"x-a", b"accept", b"te"]), st.sampled_from([b"", b"x-a", b",,"]))
    )
)
def test_any_headers_come_to_an_end(headers: list[tuple[bytes, bytes]]):
    lines = request_lines(headers, NOTHING)
    named = any(name == b"connection" and value == b"x-a" for name, value in headers)
    assert (b"x-a:" in lines) == (not named and any(name == b"x-a" for name, _ in headers))


def test_an_answer_keeps_what_its_protocol_lists():
    headers = [
        (b"content-type", b"application/json"),
        (b"set-cookie", b"__cf_bm=1"),
        (b"openai-organization", b"acme"),
        (b"x-ratelimit-remaining-requests", b"9"),
        (b"x-request-id", b"req_1"),
        (b"server", b"cloudflare"),
        (b"retry-after", b"7"),
        (b"openai-processing-ms", b"12"),
        (b"content-encoding", b"gzip"),
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"keep-alive"),
    ]
    kept = [name for name, _ in answer_headers(headers, PROTOCOL.response_headers)]
    assert kept == [b"content-type", b"retry-after", b"openai-processing-ms", b"content-encoding"]


def test_the_first_value_of_a_header_counts():
    headers = [(b"a", b"1"), (b"b", b"2"), (b"b", b"3")]
    assert value_of(headers, b"b") == b"2"
    assert value_of(headers, b"c") == b""
