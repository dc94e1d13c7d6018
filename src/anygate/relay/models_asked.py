"""Which models a request may ask for: the one that it names, and the further ones that some providers let it name."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from anygate.canonical.errors import InvalidRequest, ModelNotAllowed
from anygate.canonical.token import Token
from anygate.relay.asked import Asked
from anygate.routing.directory import Line
from anygate.routing.patterns import matches

WHAT_IT_MAY = "GET /v1/models lists what this key may use"


def check_model(token: Token, model: str) -> None:
    """Raises ModelNotAllowed if the token's list does not name the model."""
    if token.models and not any(matches(pattern, model) for pattern in token.models):
        raise ModelNotAllowed(f"This key may not use the model {model!r}. {WHAT_IT_MAY}", param="model")


def check_further_models(asked: Asked, line: Line) -> None:
    """May the models answer that the request names for the case that its own cannot?

    Such an answer is paid at the price of the model that was asked for, so that none may be dearer.

    Raises:
        ModelNotAllowed: the token's list does not name one.
        InvalidRequest: one has no price, a dearer one, or is no name.
    """
    token, directory, document = asked.token, asked.gateway.directory, asked.request.document
    for path in line.endpoint.other_models:
        for name in _named(document, path.split(".")):
            if not isinstance(name, str):
                raise InvalidRequest(f"`{path}` is a list of names", param=path)
            check_model(token, name)
            price = directory.price_for(name, token.group, line, document, upstream_model=name)
            if price is None or not price.within(asked.bill.price):
                raise InvalidRequest(
                    f"`{path}` names {name!r}, which is dearer than the model that is asked and paid for, or has no "
                    "price here. Ask for the dearest of them in `model`",
                    param=path,
                )


def _named(value: Any, path: Sequence[str]) -> Iterator[Any]:
    for name in path:
        value = cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
    if isinstance(value, list):
        yield from cast("list[Any]", value)
    elif value is not None:
        yield value
