"""Fields of a body, checked as they are read: each refusal names the place. An answer's reader turns it into its own error."""

from collections.abc import Mapping
from typing import Any, cast

from anygate.canonical.blocks import CacheMark
from anygate.canonical.errors import InvalidRequest

Raw = dict[str, Any]


def place(path: str, name: str) -> str:
    """The path of a member; of the top level it is the member's name."""
    return f"{path}.{name}" if path else name


def as_object(value: Any, path: str) -> Raw:
    """An object.

    Raises:
        InvalidRequest: it is none.
    """
    if not isinstance(value, dict):
        raise InvalidRequest(f"`{path}` must be an object", param=path)
    return cast("Raw", value)


def as_list(value: Any, path: str) -> list[Any]:
    """A list.

    Raises:
        InvalidRequest: it is none.
    """
    if not isinstance(value, list):
        raise InvalidRequest(f"`{path}` must be a list", param=path)
    return cast("list[Any]", value)


def as_text(value: Any, path: str) -> str:
    """A string.

    Raises:
        InvalidRequest: it is none.
    """
    if not isinstance(value, str):
        raise InvalidRequest(f"`{path}` must be a string", param=path)
    return value


def text(body: Mapping[str, Any], name: str, path: str) -> str:
    """A string that must be there.

    Raises:
        InvalidRequest: it is missing, or no string.
    """
    return as_text(body.get(name), place(path, name))


def optional_text(body: Mapping[str, Any], name: str, path: str) -> str:
    """A string, "" where it is absent or null.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    return "" if value is None else as_text(value, place(path, name))


def optional_object(body: Mapping[str, Any], name: str, path: str) -> Raw | None:
    """An object, None where it is absent or null.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    return None if value is None else as_object(value, place(path, name))


def texts(body: Mapping[str, Any], name: str, path: str) -> tuple[str, ...]:
    """A list of strings, () where it is absent or null.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    if value is None:
        return ()
    return tuple(as_text(item, place(path, name)) for item in as_list(value, place(path, name)))


def optional_number(body: Mapping[str, Any], name: str) -> float | None:
    """A number of the top level, None where it is absent or null.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int and not isinstance(value, float):
        raise InvalidRequest(f"`{name}` must be a number", param=name)
    return value


def optional_count(body: Mapping[str, Any], name: str, path: str = "") -> int | None:
    """A whole number from 0, None where it is absent or null.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or value < 0:
        where = place(path, name)
        raise InvalidRequest(f"`{where}` must be a whole number, not below 0", param=where)
    return value


def optional_flag(body: Mapping[str, Any], name: str, path: str) -> bool | None:
    """A truth value, None where it is absent or null.

    Raises:
        InvalidRequest: it is something else.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        where = place(path, name)
        raise InvalidRequest(f"`{where}` must be true or false", param=where)
    return value


def cache_mark(body: Mapping[str, Any], path: str) -> CacheMark | None:
    """The block's `cache_control`.

    Raises:
        InvalidRequest: it is no such object.
    """
    mark = optional_object(body, "cache_control", path)
    return None if mark is None else CacheMark(optional_text(mark, "ttl", f"{path}.cache_control"))


def leftovers(body: Mapping[str, Any], known: frozenset[str]) -> Raw:
    """The fields of an object that nobody has read; a null says nothing and is none."""
    if body.keys() <= known:
        return {}
    return {name: value for name, value in body.items() if name not in known and value is not None}
