"""Reading JSON of any shape: each function gives the wanted type, or its empty value where the text holds something else."""

from typing import Any, cast

import orjson

Object = dict[str, Any]


def as_object(value: Any) -> Object:
    """An object; anything else is empty."""
    return cast("Object", value) if isinstance(value, dict) else {}


def object_or_none(value: Any) -> Object | None:
    """An object; None for anything else."""
    return cast("Object", value) if isinstance(value, dict) else None


def object_of(body: bytes) -> Object:
    """The object that a JSON text is; empty where it is none."""
    try:
        return as_object(orjson.loads(body))
    except orjson.JSONDecodeError:
        return {}


def as_list(value: Any) -> list[Any]:
    """A list; anything else is empty."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_objects(value: Any) -> list[Object]:
    """The objects in a list; whatever else stands in it is left out."""
    return [cast("Object", item) for item in as_list(value) if isinstance(item, dict)]


def as_text(value: Any) -> str:
    """A string; anything else is empty."""
    return value if isinstance(value, str) else ""


def as_index(value: Any, absent: int = 0) -> int:
    """A whole number from 0; anything else is `absent`."""
    return value if type(value) is int and value >= 0 else absent


def utf8_size(text: str) -> int:
    """Bytes of a text, lone surrogates too."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
