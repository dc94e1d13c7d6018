"""Cohere's error shape, both ways. Source: https://docs.cohere.com/reference/errors (2026-11-22), recorded refusals."""

from collections.abc import Mapping
from typing import Any

import orjson

from anygate.canonical.errors import GatewayError
from anygate.protocols.headers import error_headers
from anygate.protocols.lenient_json import load_object
from anygate.protocols.sse import frame
from anygate.protocols.table import ErrorHead


def encode_error(error: GatewayError, request_id: str) -> ErrorHead:
    """Status, headers and body `{"id", "message", "error_type"}` of a refusal; `error_type` is the gateway's code."""
    body = {"id": request_id, "message": _message(error, request_id), "error_type": error.code}
    return error.status, error_headers(error), orjson.dumps(body)


def encode_stream_error(error: GatewayError, request_id: str) -> bytes:
    """The terminal event of a stream that already began: a message's end for the reason `ERROR`."""
    delta = {"finish_reason": "ERROR", "error": _message(error, request_id)}
    return frame(orjson.dumps({"type": "message-end", "id": request_id, "delta": delta}), "message-end")


def decode_error(body: bytes) -> Mapping[str, Any] | None:
    """A refusal as {"message", "type", "code"}, or None where the body is no object."""
    document = load_object(body)
    if document is None:
        return None
    kind = document.get("error_type")
    return {**document, "type": kind, "code": kind} if isinstance(kind, str) else document


def _message(error: GatewayError, request_id: str) -> str:
    return f"{error.message} (request id: {request_id})" if request_id else error.message
