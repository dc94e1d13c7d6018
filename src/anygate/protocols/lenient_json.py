"""JSON of upstreams, which is read only to observe it: whatever a client might read, and never an exception."""

import base64
import binascii
import json
import re
from functools import cache
from typing import Any, cast

import msgspec
import orjson

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on JSON of a wrong shape, or that is none."""


def load_object(body: bytes) -> dict[str, Any] | None:
    """The object that `body` is, or None.

    Beyond the standard's text this reads NaN and lone surrogates (some servers write them), an array of one object (some
    write errors so), and any of these wrapped in base64, as some cloud gateways hand it on.
    """
    value = load(body)
    if value is None:
        unwrapped = unwrap(body)
        value = load(unwrapped) if unwrapped is not None else None
    if isinstance(value, list) and len(cast("list[Any]", value)) == 1:
        value = cast("list[Any]", value)[0]
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def load(text: bytes) -> Any:
    """The value that `text` is, or None where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None


def unwrap(body: bytes) -> bytes | None:
    """What `body` holds in base64, or None if it is something else."""
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return None


def unwrap_object(body: bytes) -> bytes | None:
    """The text of an object, whole or cut off, that `body` holds in base64; None if it holds something else."""
    inner = unwrap(body)
    return inner if inner is not None and inner.lstrip().startswith(b"{") else None


def last_object(tail: bytes, name: str) -> Any:
    """The value of the last member `name` that is an object and whole, in the end of a JSON text; None if there is none."""
    places = [match.end() for match in _member(name).finditer(tail)]
    if not places:
        return None
    try:
        return json.JSONDecoder().raw_decode(tail[places[-1] :].decode("utf-8", "replace"))[0]
    except (ValueError, RecursionError):
        return None


@cache
def _member(name: str) -> re.Pattern[bytes]:
    return re.compile(rb'"%b"\s*:\s*(?=\{)' % name.encode())
