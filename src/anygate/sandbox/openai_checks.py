"""Checks of single fields, worded as OpenAI words them."""

from collections.abc import Callable
from typing import Any

from anygate.sandbox.json_values import Json, is_list, is_object
from anygate.sandbox.openai_errors import missing, wrong_type, wrong_value
from anygate.sandbox.refusal import Refused

Check = Callable[[str, Any], None]


def typed(kind: type, expected: str) -> Check:
    """A field of one JSON type; `expected` has its article."""

    def check(param: str, value: Any) -> None:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise wrong_type(param, expected, value)

    return check


def number(low: float, high: float | None, *, whole: bool) -> Check:
    """A number between two bounds, both included."""
    expected, kind = ("an integer", "integer") if whole else ("a decimal", "decimal")

    def check(param: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise wrong_type(param, expected, value)
        if value < low or (high is not None and value > high):
            under = value < low
            edge, sign, bound = ("below minimum", ">=", low) if under else ("above maximum", "<=", high)
            code = f"{kind}_{'below_min' if under else 'above_max'}_value"
            message = (
                f"Invalid '{param}': {kind} {edge} value. Expected a value {sign} {bound}, but got {value} instead."
            )
            raise Refused(400, code, message, param=param)

    return check


def one_of(*names: str) -> Check:
    """A string of a closed list."""

    def check(param: str, value: Any) -> None:
        if not isinstance(value, str):
            raise wrong_type(param, f"one of {', '.join(names)}", value)
        if value not in names:
            raise wrong_value(param, value, names)

    return check


def each(inner: Check) -> Check:
    """An array whose items pass a check."""

    def check(param: str, value: Any) -> None:
        if not is_list(value):
            raise wrong_type(param, "an array", value)
        for index, item in enumerate(value):
            inner(f"{param}[{index}]", item)

    return check


def wanted(holder: Json, name: str, place: str, kind: type, expected: str) -> Any:
    """A required field of one type.

    Raises:
        Refused: it is missing, or of another type.
    """
    param = f"{place}.{name}" if place else name
    if holder.get(name) is None:
        raise missing(param)
    typed(kind, expected)(param, holder[name])
    return holder[name]


def check_known(request: Json, known: frozenset[str], place: str = "") -> None:
    """No field but those.

    Raises:
        Refused: `unknown_parameter`.
    """
    for name in request:
        if name not in known:
            param = f"{place}.{name}" if place else name
            raise Refused(400, "unknown_parameter", f"Unknown parameter: '{param}'.", param=param)


def check_metadata(param: str, value: Any) -> None:
    """At most 16 pairs of short strings."""
    if not is_object(value):
        raise wrong_type(param, "an object", value)
    if len(value) > 16:
        message = (
            f"Invalid '{param}': too many properties. Expected an object with at most 16 properties, but got "
            f"an object with {len(value)} properties instead."
        )
        raise Refused(400, "object_above_max_properties", message, param=param)
    for name, text in value.items():
        typed(str, "a string")(f"{param}.{name}", text)
        if len(text) > 512:
            message = f"Invalid '{param}.{name}': string too long. Expected a string with maximum length 512."
            raise Refused(400, "string_above_max_length", message, param=f"{param}.{name}")


STRING = typed(str, "a string")
BOOLEAN = typed(bool, "a boolean")
OBJECT = typed(dict, "an object")
