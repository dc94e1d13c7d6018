"""Which of a price's conditions a request meets."""

from collections.abc import Mapping
from typing import Any

from anygate.canonical.price import Condition, Price


def match(price: Price, parameters: Mapping[str, Any]) -> Condition | None:
    """The first condition of `price` that a request with these parameters meets."""
    for condition in price.when:
        if all(_same(wanted, _parameter(parameters, name)) for name, wanted in condition.match.items()):
            return condition
    return None


def _parameter(parameters: Mapping[str, Any], name: str) -> Any:
    """A parameter by name; `a.b` is b within the object a, unless a parameter is really called so."""
    if name in parameters:
        return parameters[name]
    value: Any = parameters
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] -- JSON of a client
    return value  # pyright: ignore[reportUnknownVariableType] -- JSON of a client


def _same(wanted: str | int | float | bool, value: Any) -> bool:
    """Equal by value and kind: `true` is not 1 and `"5"` is not 5, but 5 is 5.0."""
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    if isinstance(wanted, str):
        return isinstance(value, str) and wanted == value
    return isinstance(value, int | float) and wanted == value
