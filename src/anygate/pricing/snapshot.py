"""A stored price snapshot, made ready for arithmetic again: how a bill is explained long after the price has changed."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from anygate.canonical.price import Price
from anygate.canonical.usage import Usage
from anygate.pricing.compile import compile_price
from anygate.pricing.document import parse_price


def bill_lines(snapshot: Mapping[str, Any], usage: Usage) -> list[dict[str, str | int]]:
    """The lines of a bill, as `PricedModel.lines` gave them when the request was settled.

    Args:
        snapshot: `PricedModel.snapshot`, parsed.
        usage: what was used.

    Raises:
        ValueError: it is no snapshot.
    """
    document: dict[str, Any] = dict(snapshot.get("rates", {}))
    if snapshot.get("free"):
        document["free"] = True
    if "tiers" in snapshot:
        document["tiers"] = snapshot["tiers"]
    if "match" in snapshot:
        condition = {"match": snapshot["match"], **snapshot.get("match_rates", {})}
        if "match_tiers" in snapshot:
            condition["tiers"] = snapshot["match_tiers"]
        document["when"] = [condition]
    price: Price = parse_price(document)
    matched = price.when[0] if price.when else None
    return compile_price(price, Decimal(str(snapshot.get("multiplier", "1"))), matched).lines(usage)
