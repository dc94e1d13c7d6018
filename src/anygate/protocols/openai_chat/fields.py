"""Reading members of unknown shape out of JSON objects."""

import json
from collections.abc import Mapping
from typing import Any, cast

import orjson

from anygate.canonical.errors import InvalidRequest
from anygate.protocols.json_values import Object

_LARGEST = (1 << 53) - 1


def as_count(value: object) -> int:
    """A whole number from 0 that any JSON holds exactly; anything else is 0."""
    return value if type(value) is int and 0 < value <= _LARGEST else 0


def json_text(value: object) -> str:
    """A value as JSON text; a string is taken to be JSON text already."""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # whole numbers beyond 64 bits, or nested deep
        try:
            return json.dumps(value)
        except (RecursionError, ValueError):
            return ""


def can_be_written(value: object) -> bool:
    """Whether a value that an upstream wrote can be written again."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True


def wanted_text(body: Mapping[str, Any], name: str, param: str) -> str:
    """A string, or "" where there is none.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidRequest(f"`{param}` must be a string", param=param)
    return value


def wanted_object(body: Mapping[str, Any], name: str, param: str) -> Object:
    """An object, or an empty one where there is none.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidRequest(f"`{param}` must be an object", param=param)
    return cast("Object", value)


def wanted_list(body: Mapping[str, Any], name: str, param: str) -> list[Any]:
    """A list, or an empty one where there is none.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidRequest(f"`{param}` must be a list", param=param)
    return cast("list[Any]", value)


def wanted_number(body: Mapping[str, Any], name: str) -> float | None:
    """A number, or None where there is none.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequest(f"`{name}` must be a number", param=name)
    return value


def wanted_whole(body: Mapping[str, Any], name: str) -> int | None:
    """A whole number, or None where there is none.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int:
        raise InvalidRequest(f"`{name}` must be a whole number", param=name)
    return value


def wanted_flag(body: Mapping[str, Any], name: str) -> bool | None:
    """A truth value, or None where there is none.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidRequest(f"`{name}` must be true or false", param=name)
    return value
