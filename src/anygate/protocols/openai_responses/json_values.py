"""Numbers of any shape, and JSON text of any value."""

import json
from typing import Any

import orjson


def whole(value: Any) -> int:
    """A whole number from 0, else 0."""
    if isinstance(value, float):
        return int(value) if 0 < value < 1 << 53 else 0
    return value if type(value) is int and value > 0 else 0


def dumps(value: Any) -> bytes:
    """JSON text. A lone surrogate, which JSON can spell but UTF-8 cannot, stays spelled out."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
