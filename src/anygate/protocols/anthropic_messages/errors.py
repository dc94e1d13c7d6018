"""Anthropic's error shape, both ways. Source: https://docs.claude.com/en/api/errors (2026-11-22)."""

from collections.abc import Mapping
from typing import Any, cast

import orjson

from anygate.canonical.errors import GatewayError
from anygate.protocols.headers import error_headers
from anygate.protocols.lenient_json import load_object
from anygate.protocols.sse import frame
from anygate.protocols.table import ErrorHead

OVERLOADED = 529

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    504: "timeout_error",
    OVERLOADED: "overloaded_error",
}
_STATUSES = {kind: status for status, kind in _TYPES.items()} | {"api_error": 500, "request_too_large": 413}


def encode_error(error: GatewayError, request_id: str) -> ErrorHead:
    """Status, headers and body of a refusal; the id stands in `request-id`, where Anthropic's SDKs look for it."""
    headers = error_headers(error)
    if request_id:
        headers.insert(1, (b"request-id", request_id.encode()))
    return _status(error), headers, _body(error, request_id)


def encode_stream_error(error: GatewayError, request_id: str) -> bytes:
    """The terminal event of a stream that already began."""
    return frame(_body(error, request_id), "error")


def encode_failure(message: str, kind: str = "", status: int = 0) -> bytes:
    """The error event for an upstream that broke off; `kind` is kept where it is one of Anthropic's own."""
    known = kind if kind in _STATUSES else _type(status)
    return frame(orjson.dumps({"type": "error", "error": {"type": known, "message": message}}), "error")


def decode_error(body: bytes) -> Mapping[str, Any] | None:
    """A refusal's `error` as {"message", "type", "code"}, or None where the body is no object."""
    document = load_object(body)
    if document is None:
        return None
    return shape_error(document.get("error", document))


def shape_error(error: Any) -> Mapping[str, Any] | None:
    """An `error` field as {"message", "type", "code"}: the protocol has one word for type and code; {} where it is empty."""
    if not isinstance(error, dict):
        return {"message": str(error)} if error else {}
    error = cast("dict[str, Any]", error)
    kind = error.get("type")
    return {"code": kind, **error} if isinstance(kind, str) else error


def status_of(kind: str) -> int:
    """The HTTP status that an error type stands for; 0 for one that is not documented."""
    return _STATUSES.get(kind, 0)


def _status(error: GatewayError) -> int:
    if error.code == "insufficient_quota":
        return 402
    return OVERLOADED if error.status == 503 else error.status


def _type(status: int) -> str:
    found = _TYPES.get(status)
    if found is not None:
        return found
    return "invalid_request_error" if 400 <= status < 500 else "api_error"


def _body(error: GatewayError, request_id: str) -> bytes:
    message = f"{error.message} (request id: {request_id})" if request_id else error.message
    shape = {"type": _type(_status(error)), "message": message}
    return orjson.dumps({"type": "error", "error": shape, "request_id": request_id or None})
