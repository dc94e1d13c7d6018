"""OpenAI's error shape."""

import orjson
import pytest

from anygate.canonical.errors import InsufficientQuota, InvalidRequest, RateLimited
from anygate.protocols.openai_chat.answer import observe_answer
from anygate.protocols.openai_chat.stream_observer import StreamObserver
from anygate.protocols.openai_errors import encode_error, encode_stream_error


def test_an_error_has_openais_four_fields_and_ends_with_the_request_id():
    status, headers, body = encode_error(InvalidRequest("`n` is wrong", param="n"), "r-1")
    error = orjson.loads(body)["error"]
    assert (status, headers) == (400, [(b"content-type", b"application/json")])
    assert error == {
        "message": "`n` is wrong (request id: r-1)",
        "type": "invalid_request_error",
        "param": "n",
        "code": "invalid_request",
    }


def test_without_a_request_id_the_message_stands_alone():
    assert orjson.loads(encode_error(InvalidRequest("no"), "")[2])["error"]["message"] == "no"


def test_a_known_wait_is_told():
    assert (b"retry-after", b"7") in encode_error(RateLimited("slow down", retry_after=7), "r")[1]
    assert (b"retry-after", b"0") in encode_error(RateLimited("slow down", retry_after=0), "r")[1]


def test_an_empty_purse_tells_the_sdk_not_to_retry():
    status, headers, _ = encode_error(InsufficientQuota(), "r")
    assert status == 429
    assert (b"x-should-retry", b"false") in headers


@pytest.mark.parametrize("message", ['a "quote"\n and a line', "模型 \U0001f600"])
def test_a_stream_error_is_one_event_whatever_the_message(message: str):
    frame = encode_stream_error(InsufficientQuota(message), "r")
    assert frame.startswith(b"data: {")
    assert frame.endswith(b"}\n\n")
    assert frame.count(b"\n") == 2
    observer = StreamObserver()
    observer.feed(frame)
    observer.finish()
    assert observer.error is not None
    assert observer.error["message"] == f"{message} (request id: r)"


def test_our_errors_are_read_as_errors_by_a_gateway_before_us():
    observed = observe_answer(encode_error(InsufficientQuota(), "r")[2])
    assert observed is not None
    assert observed.error is not None
    assert observed.error["code"] == "insufficient_quota"
