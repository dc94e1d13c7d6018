"""OpenAI's error shape. Source: https://platform.openai.com/docs/guides/error-codes (2026-11-20)."""

import orjson

from anygate.canonical.errors import GatewayError
from anygate.protocols.headers import error_headers
from anygate.protocols.table import ErrorHead


def error_body(error: GatewayError, request_id: str) -> bytes:
    """`{"error": {"message", "type", "param", "code"}}`; the message ends with the request id."""
    message = f"{error.message} (request id: {request_id})" if request_id else error.message
    shape = {"message": message, "type": error.kind, "param": error.param, "code": error.code}
    return orjson.dumps({"error": shape})


def encode_error(error: GatewayError, request_id: str) -> ErrorHead:
    """Status, headers and body of a refusal."""
    return error.status, error_headers(error), error_body(error, request_id)


def encode_stream_error(error: GatewayError, request_id: str) -> bytes:
    """The terminal event of a stream that already began: an `error` frame, no `[DONE]`."""
    return b"data: " + error_body(error, request_id) + b"\n\n"
