"""Which price a model has, and the price made ready for one request."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from anygate.canonical.price import Price
from anygate.pricing.compile import compile_price
from anygate.pricing.condition import match
from anygate.pricing.defaults import default_price
from anygate.pricing.document import parse_price, price_document
from anygate.pricing.model import PricedModel
from anygate.providers.table import Provider
from anygate.routing.patterns import best_match

__all__ = ["find_price", "parse_price", "price_document", "priced"]

_KEPT_MAPPINGS = 8
_KEPT_MODELS = 2048

_wildcards: dict[int, tuple[Mapping[str, Price], tuple[tuple[str, ...], tuple[str, ...]]]] = {}
_compiled: dict[tuple[int, Decimal, int], tuple[Price, PricedModel]] = {}


def find_price(
    model: str,
    upstream_model: str,
    operator_prices: Mapping[str, Price],
    provider: Provider,
    at: datetime | None = None,
) -> Price | None:
    """The price of a model, or None: then it is not sold.

    Operators' prices are found by the client's name and replace a default whole: the file's exact name, the file's
    longest wildcard, the database's exact name, its longest wildcard. Then the provider's table and the default table
    are asked by the upstream's name.

    Args:
        model: the client's name for it.
        upstream_model: the name after the channel's `model_map`.
        operator_prices: `Snapshot.prices`; never changed once it was passed here.
        provider: the table of the first candidate's provider.
        at: the moment of the request, for providers whose prices differ by the hour; None: their dearest hour.
    """
    operators = _operators_price(model, operator_prices)
    if operators is not None:
        return operators
    named = best_match((row.name for row in provider.models if row.price is not None), upstream_model)
    if named is not None:
        return next(row.price for row in provider.models if row.name == named)
    return default_price(provider.prices_as, upstream_model, at, provider.also_asks) if provider.prices_as else None


def priced(price: Price, multiplier: Decimal, parameters: Mapping[str, Any]) -> PricedModel | None:
    """The price for a request with these parameters, times the group's multiplier, ready for arithmetic.

    None: the price has rates for certain requests only, and this is none of them. Kept for the same price object,
    multiplier and condition.
    """
    condition = match(price, parameters) if price.when else None
    if condition is None and not price.rates and not price.free:
        return None
    place = -1 if condition is None else price.when.index(condition)
    key = (id(price), multiplier, place)
    kept = _compiled.get(key)
    if kept is not None and kept[0] is price:
        return kept[1]
    if len(_compiled) >= _KEPT_MODELS:
        _compiled.clear()
    model = compile_price(price, multiplier, condition)
    _compiled[key] = (price, model)  # the reference keeps the identity from being given to another price
    return model


def _operators_price(model: str, prices: Mapping[str, Price]) -> Price | None:
    exact = prices.get(model)
    if exact is not None and exact.source != "database":
        return exact
    from_file, from_database = _wildcards_of(prices)
    named = best_match(from_file, model)
    if named is None and exact is None:
        named = best_match(from_database, model)
    return exact if named is None else prices[named]


def _wildcards_of(prices: Mapping[str, Price]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The wildcards of the file and of the database, sought out once for each mapping."""
    kept = _wildcards.get(id(prices))
    if kept is not None and kept[0] is prices:
        return kept[1]
    if len(_wildcards) >= _KEPT_MAPPINGS:
        _wildcards.clear()
    names = [name for name in prices if "*" in name]
    found = (
        tuple(name for name in names if prices[name].source != "database"),
        tuple(name for name in names if prices[name].source == "database"),
    )
    _wildcards[id(prices)] = (prices, found)
    return found
