"""`make prices`: turns the data of the package genai-prices into `defaults.json`.

Run by developers only; `serve` never imports this module nor the package, which costs 97 MB.
What is kept: the providers that our tables name under `prices_as` (and those they fall back to), prices in force on the
day of the build and announced later ones, token, request, character and web search rates. What is dropped, because a
usage record has no class for it: other tool calls, pages, hours, image input, separate reasoning and citation rates (such tokens pay the
rate of their direction), batch prices.
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import genai_prices.types as genai
import orjson
from genai_prices.data import providers as genai_providers

from anygate.pricing.defaults import TABLE
from anygate.pricing.document import decimal_text
from anygate.providers.registry import all_providers

_RATES: Mapping[str, tuple[str, Decimal]] = {
    "input_mtok": ("input", Decimal(1)),
    "output_mtok": ("output", Decimal(1)),
    "cache_read_mtok": ("cached_input", Decimal(1)),
    "cache_write_mtok": ("cache_write_5m", Decimal(1)),
    "cache_write_5m_mtok": ("cache_write_5m", Decimal(1)),
    "cache_write_1h_mtok": ("cache_write_1h", Decimal(1)),
    "input_audio_mtok": ("audio_input", Decimal(1)),
    "output_audio_mtok": ("audio_output", Decimal(1)),
    "output_image_mtok": ("image_output", Decimal(1)),
    "input_mchars": ("characters", Decimal(1)),
    "requests_kcount": ("request", Decimal("0.001")),
    "web_searches_kcount": ("search", Decimal("0.001")),
}
"""Key of genai-prices -> our rate and what to multiply by."""

_REQUEST_PARAMETERS = {"service_tier", "speed"}
"""Contexts of price variants that are parameters of a request; the others (batch, route) never reach these prices."""

_RULES: Mapping[type, tuple[str, str]] = {
    genai.ClauseEquals: ("=", "equals"),
    genai.ClauseStartsWith: ("^", "starts_with"),
    genai.ClauseEndsWith: ("$", "ends_with"),
    genai.ClauseContains: ("*", "contains"),
    genai.ClauseRegex: ("~", "regex"),
}

_ROUTER = "huggingface"
"""genai-prices has a provider for each company behind this router (huggingface_groq); clients name them `model:groq`."""


def build(day: date) -> dict[str, Any]:
    """The table as of a day."""
    known = {provider.id: provider for provider in genai_providers}
    wanted = {provider.prices_as for provider in all_providers().values() if provider.prices_as}
    for name in sorted(wanted & known.keys()):
        wanted.update(known[name].fallback_model_providers or ())
    rows: dict[str, Any] = {}
    for name in sorted(wanted):
        if name == _ROUTER:
            rows[name] = {"models": _router_models(known.values(), day)}
            continue
        provider = known[name]
        rows[name] = {"models": [_model(model, day) for model in provider.models]}
        if provider.fallback_model_providers:
            rows[name]["fallback"] = list(provider.fallback_model_providers)
    return {"source": f"genai-prices {version('genai-prices')}", "built": day.isoformat(), "providers": rows}


def encode(table: Mapping[str, Any]) -> bytes:
    """The table as JSON with one model a line, so that a change of prices reads well in a diff."""
    lines = [f'{{"source":{_json(table["source"])},"built":{_json(table["built"])},"providers":{{']
    for place, (name, provider) in enumerate(table["providers"].items()):
        fallback = f'"fallback":{_json(provider["fallback"])},' if "fallback" in provider else ""
        lines.append(f'{"," if place else ""}{_json(name)}:{{{fallback}"models":[')
        lines.append(",\n".join(_json(model) for model in provider["models"]))
        lines.append("]}")
    lines.append("}}")
    return "\n".join(lines).encode() + b"\n"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _router_models(providers: Iterable[genai.Provider], day: date) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = []
    for provider in providers:
        router, _, company = provider.id.partition("_")
        if router == _ROUTER:
            for model in provider.models:
                row = _model(model, day)
                rules = [f"{rule}:{company}" for rule in cast("list[str]", row["match"]) if rule[0] == "="]
                models.append({**row, "id": f"{model.id}:{company}", "match": rules})
    return models


def _model(model: genai.ModelInfo, day: date) -> dict[str, Any]:
    return {"id": model.id, "match": _rules(model.match), "prices": _prices(model, day)}


def _rules(clause: Any) -> list[str]:
    """The clause as rules of which any suffices.

    Raises:
        TypeError: a kind of clause that models did not use when this was written.
    """
    if isinstance(clause, genai.ClauseOr):
        return [rule for part in clause.or_ for rule in _rules(part)]
    if isinstance(clause, genai.ClauseAnd):
        return ["~^" + "".join(f"(?={_lookahead(rule)})" for part in clause.and_ for rule in _one(part))]
    if type(clause) not in _RULES:
        raise TypeError(f"no rule for {clause!r}")
    kind, attribute = _RULES[type(clause)]
    text = str(getattr(clause, attribute))
    return [kind + (text if kind == "~" else text.lower())]


def _one(clause: Any) -> list[str]:
    """The rule of a clause that makes just one.

    Raises:
        TypeError: it makes several, of which any would do; all would be asked for here.
    """
    rules = _rules(clause)
    if len(rules) != 1:
        raise TypeError(f"no rule for {clause!r} inside an `and`")
    return rules


def _lookahead(rule: str) -> str:
    """A rule as a regular expression that is tried from the name's beginning."""
    kind, text = rule[0], rule[1:]
    match kind:
        case "=":
            return re.escape(text) + "$"
        case "^":
            return re.escape(text)
        case "$":
            return f".*{re.escape(text)}$"
        case "*":
            return f".*{re.escape(text)}"
        case _:
            return f".*?(?:{text})"


def _prices(model: genai.ModelInfo, day: date) -> list[dict[str, Any]]:
    """Price documents in their order, without those that a later one has replaced for good."""
    if isinstance(model.prices, genai.ModelPrice):
        entries = [genai.ConditionalPrice(prices=model.prices)]
    else:
        entries = list(model.prices)
    documents: list[dict[str, Any]] = []
    for place, entry in enumerate(entries):
        document = _document(model, entry.prices, day)
        match entry.constraint:
            case genai.StartDateConstraint(start_date=start) if start > day and place > 0:
                document["from"] = start.isoformat()
            case genai.TimeOfDateConstraint(start_time=start, end_time=end) if place > 0:
                document["hours"] = [_hour(start), _hour(end)]
            case _:  # in force at any hour; so is the first when no other is
                documents.clear()
        documents.append(document)
    return [document for document in documents if document.keys() - {"from", "hours"}]


def _hour(value: time) -> str:
    """A time of day in UTC; those of the package are, and another zone would be read wrongly."""
    if value.tzinfo not in (None, UTC):
        raise ValueError(f"{value!r} is not in UTC")
    return value.strftime("%H:%M")


def _document(model: genai.ModelInfo, price: genai.ModelPrice, day: date) -> dict[str, Any]:
    document = _rates(price)
    if not document:
        # A price without any figure is a free model where the name says so, else one whose price nobody wrote down.
        unpriced = not any(value is not None for value in vars(price).values())
        return {"free": True} if unpriced and model.id.endswith(":free") else {}
    when: list[dict[str, Any]] = []
    for variant in model.price_variants or ():
        rates = _rates(variant.prices)
        begun = variant.constraint is None or (
            isinstance(variant.constraint, genai.StartDateConstraint) and variant.constraint.start_date <= day
        )
        if rates and begun and variant.when.keys() <= _REQUEST_PARAMETERS:
            when.append({"match": dict(variant.when), **rates})
    return {**document, "when": when} if when else document


def _rates(price: genai.ModelPrice) -> dict[str, Any]:
    """Our rates of a price, with its tiers."""
    rates: dict[str, Any] = {}
    tiers: dict[int, dict[str, str]] = {}
    for key, value in vars(price).items():
        if value is None or key not in _RATES:
            continue
        name, factor = _RATES[key]
        if isinstance(value, genai.TieredPrices):
            rates[name] = decimal_text(value.base * factor)
            for tier in value.tiers:
                tiers.setdefault(tier.start, {})[name] = decimal_text(tier.price * factor)
        else:
            rates[name] = decimal_text(cast("Decimal", value) * factor)
    if tiers:
        rates["tiers"] = [{"above_input_tokens": start, **tiers[start]} for start in sorted(tiers)]
    return rates


def main() -> None:
    """Write the table of a day beside this module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--day", type=date.fromisoformat, default=datetime.now(UTC).date(), help="YYYY-MM-DD, UTC")
    day: date = parser.parse_args().day
    Path(__file__).with_name(TABLE).write_bytes(encode(build(day)))


if __name__ == "__main__":
    main()
