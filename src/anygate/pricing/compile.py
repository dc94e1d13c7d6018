"""A declared price -> a `PricedModel`: every tier and condition resolved, its rates as integers of one scale."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Any

import msgspec
import orjson
from msgspec.structs import astuple

from anygate.canonical.money import NANOS_PER_USD
from anygate.canonical.price import PER_MILLION, Condition, Price, Rates
from anygate.pricing.document import decimal_text, rates_document, tiers_document
from anygate.pricing.model import PricedModel, Scaled, Worst

_FALLBACKS: Mapping[str, tuple[str, ...]] = {
    "cached_input": ("input",),
    "cache_write_5m": ("input",),
    "cache_write_1h": ("cache_write_5m", "input"),
    "audio_input": ("input",),
    "audio_output": ("output",),
    "image_output": ("output",),
}
"""Whose rate a class pays that has none of its own."""

_TEXT_INPUTS = Scaled.__struct_fields__.index("audio_input")  # before it: the classes of input that is no sound


def compile_price(price: Price, multiplier: Decimal = Decimal(1), condition: Condition | None = None) -> PricedModel:
    """A price under one of its conditions, or under none, times a group's multiplier."""
    above = sorted({tier.above_input_tokens for tier in (*price.tiers, *(condition.tiers if condition else ()))})
    levels = tuple(_level(price, condition, reached) for reached in (-1, *above))
    amounts = [_amounts({} if price.free else rates, Fraction(multiplier)) for rates in levels]
    scale = _power_of_ten(lcm(*(amount.denominator for level in amounts for amount in level)))
    scaled = [Scaled(*(int(amount * scale) for amount in level)) for level in amounts]
    worst = [scaled[0]]
    for rates in scaled[1:]:
        worst.append(Scaled(*map(max, astuple(worst[-1]), astuple(rates))))
    snapshot = _snapshot(price, multiplier, condition)
    return PricedModel(
        free=price.free,
        snapshot=snapshot,
        snapshot_json=msgspec.Raw(snapshot.encode()),
        scale=scale,
        rates=scaled[0],
        tiers=tuple(zip(above, scaled[1:], strict=True)),
        worst=tuple(map(_worst_of, (0, *above), worst)),
        shown=tuple(_shown(rates, price.free) for rates in levels),
    )


def _level(price: Price, condition: Condition | None, reached: int) -> Rates:
    """The rates of a request whose input is just over `reached` tokens (-1: over no tier)."""
    rates = dict(price.rates)
    for declared in (price, condition):
        if declared is None:
            continue
        rates.update(declared.rates)
        for tier in sorted(declared.tiers, key=lambda tier: tier.above_input_tokens):
            if tier.above_input_tokens <= reached:
                rates.update(tier.rates)
    return rates


def _rate_of(rates: Rates, name: str) -> Decimal:
    for candidate in (name, *_FALLBACKS.get(name, ())):
        if candidate in rates:
            return rates[candidate]
    return Decimal(0)


def _amounts(rates: Rates, multiplier: Fraction) -> list[Fraction]:
    """Nanos per unit of each class, in the order of Scaled."""
    per_unit = [NANOS_PER_USD // (1_000_000 if name in PER_MILLION else 1) for name in Scaled.__struct_fields__]
    return [
        Fraction(_rate_of(rates, name)) * multiplier * nanos
        for name, nanos in zip(Scaled.__struct_fields__, per_unit, strict=True)
    ]


def _worst_of(above: int, dearest: Scaled) -> Worst:
    text = max(astuple(dearest)[:_TEXT_INPUTS])
    return Worst(
        above=above,
        input=text,
        any_input=max(text, dearest.audio_input),
        output=dearest.output,
        audio_output=max(dearest.output, dearest.audio_output),
        image_output=max(dearest.output, dearest.image_output),
        any_output=max(dearest.output, dearest.audio_output, dearest.image_output),
        image=dearest.image,
        second=dearest.second,
        song=dearest.song,
        characters=dearest.characters,
        search=dearest.search,
        request=dearest.request,
    )


def _shown(rates: Rates, free: bool) -> tuple[str, ...]:
    return tuple("0" if free else decimal_text(_rate_of(rates, name)) for name in Scaled.__struct_fields__)


def _power_of_ten(divisor: int) -> int:
    """The smallest power of ten that `divisor` divides; there is one, for it comes from decimal numbers."""
    power = 1
    while power % divisor:
        power *= 10
    return power


def _snapshot(price: Price, multiplier: Decimal, condition: Condition | None) -> str:
    document: dict[str, Any] = {"rates": rates_document(price.rates), "multiplier": decimal_text(multiplier)}
    if price.tiers:
        document["tiers"] = tiers_document(price.tiers)
    if condition is not None:
        document["match"] = dict(condition.match)
        document["match_rates"] = rates_document(condition.rates)
        if condition.tiers:
            document["match_tiers"] = tiers_document(condition.tiers)
    if price.free:
        document["free"] = True
    if price.source:
        document["source"] = price.source
    return orjson.dumps(document).decode()
