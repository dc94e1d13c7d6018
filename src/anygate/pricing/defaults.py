"""Default prices: the table `defaults.json` that `make prices` builds, and how a model is found in it."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from anygate.canonical.price import Price
from anygate.pricing.document import parse_price

TABLE = "defaults.json"

_COMPACT_DATE = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


def _found(name: str, pattern: str) -> bool:
    return re.search(pattern, name) is not None


_RULES: Mapping[str, Callable[[str, str], bool]] = {
    "=": str.__eq__,
    "^": str.startswith,
    "$": str.endswith,
    "*": str.__contains__,
    "~": _found,
}


class DefaultModel(msgspec.Struct, frozen=True, gc=False):
    """A model's row.

    `match` holds rules over the name in lower case, any of which suffices: `=text` is it, `^text` begins it, `$text`
    ends it, `*text` is in it, `~text` is a regular expression found in it. `prices` is a list of price documents with
    the optional keys `from` (a date) and `hours` (two times of day), both UTC; the last in force counts, an empty list
    means that the model is known and has no price we can express.
    """

    id: str
    match: tuple[str, ...]
    prices: msgspec.Raw


class DefaultProvider(msgspec.Struct, frozen=True, gc=False):
    """The rows of one provider in order: the first that matches counts, then those of the `fallback` providers."""

    models: tuple[DefaultModel, ...]
    fallback: tuple[str, ...] = ()


class DefaultTable(msgspec.Struct, frozen=True, gc=False):
    """The file."""

    source: str  # "genai-prices 0.2.3"
    built: str  # the day, UTC
    providers: dict[str, DefaultProvider]


class _Dated(NamedTuple):
    price: Price
    start: date | None
    hours: tuple[time, time] | None


def default_price(
    provider_id: str, model: str, at: datetime | None = None, also: tuple[tuple[str, Decimal], ...] = ()
) -> Price | None:
    """The default price of `model` at the provider with this id in the table, or None.

    Args:
        provider_id: a provider's `prices_as`; "" has no prices.
        model: the name that the upstream knows.
        at: the moment of the request; None: the day the table was built, at the dearest hour.
        also: rates that are added where the table has none of this name.
    """
    prices = _prices_of(provider_id, model.lower(), also)
    if at is None:
        built = date.fromisoformat(default_table().built)
        today = [dated for dated in prices if dated.start is None or dated.start <= built]
        return max(today, key=_dearness).price if today else None
    now = at.astimezone(UTC)
    for dated in reversed(prices):
        if dated.start is not None and now.date() < dated.start:
            continue
        if dated.hours is None or _within(now.time(), *dated.hours):
            return dated.price
    return None


@cache
def default_table() -> DefaultTable:
    """The whole table; read once."""
    return msgspec.json.decode(files("anygate.pricing").joinpath(TABLE).read_bytes(), type=DefaultTable)


def find_row(table: DefaultTable, provider_id: str, name: str) -> tuple[DefaultModel, bool] | None:
    """The row for a name in lower case, and whether it is another provider's.

    A name with a compact date that fits nothing is tried with a dashed one (`-20251211`: `-2025-12-11`), as
    genai-prices does.
    """
    provider = table.providers.get(provider_id)
    if provider is None:
        return None
    for spelling in dict.fromkeys((name, _dashed(name))):
        for row in provider.models:
            if _names(row.match, spelling):
                return row, False
        for row in _fallbacks(table, provider):
            if _names(row.match, spelling):
                return row, True
    return None


def _fallbacks(table: DefaultTable, provider: DefaultProvider) -> Iterator[DefaultModel]:
    for other in provider.fallback:
        yield from table.providers[other].models


@lru_cache(maxsize=4096)
def _prices_of(provider_id: str, name: str, also: tuple[tuple[str, Decimal], ...]) -> tuple[_Dated, ...]:
    table = default_table()
    found = find_row(table, provider_id, name)
    if found is None:
        return ()
    row, foreign = found
    documents = msgspec.json.decode(row.prices, type=list[dict[str, Any]])
    prices = tuple(_dated(document, f"{table.source}, {table.built}", also) for document in documents)
    # What a maker asks for its own service tiers says nothing of another company that sells the model.
    return tuple(dated._replace(price=replace(dated.price, when=())) for dated in prices) if foreign else prices


def _dated(document: dict[str, Any], source: str, also: tuple[tuple[str, Decimal], ...]) -> _Dated:
    start, hours = document.pop("from", None), document.pop("hours", None)
    price = parse_price(document, source)
    return _Dated(
        replace(price, rates={**dict(also), **price.rates}) if also and price.rates else price,
        None if start is None else date.fromisoformat(start),
        None if hours is None else (time.fromisoformat(hours[0]), time.fromisoformat(hours[1])),
    )


def _dearness(dated: _Dated) -> Decimal:
    """Orders the prices of one day, which differ by the hour."""
    return sum(dated.price.rates.values(), Decimal(0))


def _within(now: time, start: time, end: time) -> bool:
    return start <= now < end if start <= end else now >= start or now < end


def _names(rules: tuple[str, ...], name: str) -> bool:
    return any(_RULES[rule[0]](name, rule[1:]) for rule in rules)


def _dashed(name: str) -> str:
    def rewrite(found: re.Match[str]) -> str:
        text = f"{found[2]}-{found[3]}-{found[4]}"
        try:
            date.fromisoformat(text)
        except ValueError:
            return found[0]
        return f"-{text}"

    return _COMPACT_DATE.sub(rewrite, name)
