from decimal import Decimal

import pytest

from anygate.canonical.price import Condition, Price
from anygate.canonical.usage import Usage
from anygate.pricing.lookup import find_price, priced
from anygate.providers.registry import provider
from anygate.providers.table import Model, Provider


def price(usd: str, source: str = "file") -> Price:
    return Price({"input": Decimal(usd)}, source=source)


TABLE = Provider(
    slug="aurora",
    title="Aurora",
    base_url="https://api.aurora.example",
    reference="https://docs.aurora.example (2026-11-22)",
    prices_as="openai",
    models=(Model("aurora-1", price=price("7")), Model("aurora-*", price=price("8")), Model("gpt-4o")),
)


def test_the_exact_name_in_the_file_comes_first_then_its_longest_wildcard():
    prices = {"*": price("1"), "gpt-*": price("2"), "gpt-4o": price("3")}
    assert find_price("gpt-4o", "gpt-4o", prices, TABLE) is prices["gpt-4o"]
    assert find_price("gpt-5", "gpt-5", prices, TABLE) is prices["gpt-*"]
    assert find_price("aurora-1", "aurora-1", prices, TABLE) is prices["*"]


def test_the_file_comes_before_the_database():
    prices = {"gpt-*": price("2"), "gpt-4o": price("3", "database"), "x*": price("4", "database"), "x": price("5")}
    assert find_price("gpt-4o", "gpt-4o", prices, TABLE) is prices["gpt-*"]
    assert find_price("x", "x", prices, TABLE) is prices["x"]
    assert find_price("xy", "xy", prices, TABLE) is prices["x*"]


def test_operators_prices_go_by_the_clients_name_and_defaults_by_the_upstreams():
    prices = {"mine": price("9")}
    assert find_price("mine", "aurora-1", prices, TABLE) is prices["mine"]
    assert find_price("other", "aurora-1", prices, TABLE) == price("7")
    assert find_price("other", "aurora-2", prices, TABLE) == price("8")
    assert find_price("aurora-1", "unheard-of", prices, TABLE) is None


def test_a_model_without_a_price_of_its_own_has_the_default_one():
    found = find_price("gpt-4o", "gpt-4o", {}, TABLE)
    assert found is not None
    assert found.rates["input"] == Decimal("2.5")
    assert found.source.startswith("genai-prices ")


def test_a_price_is_made_ready_once_for_each_multiplier_and_condition():
    pro = Condition({"mode": "pro"}, {"second": Decimal("0.14")})
    declared = Price({"second": Decimal("0.10")}, when=(pro,))
    standard = priced(declared, Decimal(1), {"mode": "std"})
    assert standard is priced(declared, Decimal(1), {})
    assert standard is not priced(declared, Decimal("0.5"), {})
    dear = priced(declared, Decimal(1), {"mode": "pro"})
    assert dear is not None
    assert dear.cost(Usage(seconds=1)) == 140_000_000
    equal = Price({"second": Decimal("0.10")}, when=(pro,))
    assert priced(equal, Decimal(1), {}) is not standard


def test_a_price_for_certain_requests_only_does_not_sell_the_others():
    declared = Price({}, when=(Condition({"mode": "pro"}, {"second": Decimal("0.14")}),))
    assert priced(declared, Decimal(1), {"mode": "std"}) is None
    assert priced(declared, Decimal(1), {"mode": "pro"}) is not None


@pytest.mark.parametrize(
    ("slug", "model", "rate", "usd"),
    [
        ("anthropic", "claude-opus-4-5", "search", "0.01"),
        ("openai", "gpt-5", "search", "0.01"),
        ("gemini", "gemini-2.5-flash", "search", "0.035"),
        ("gemini", "gemini-3-pro-preview", "search", "0.014"),
        ("xai", "grok-4", "search", "0.005"),
        ("openai", "gpt-4o-search-preview-2025-03-11", "request", "0.025"),
    ],
)
def test_a_search_has_a_default_price(slug: str, model: str, rate: str, usd: str):
    found = find_price(model, model, {}, provider(slug))
    assert found is not None
    assert found.rates[rate] == Decimal(usd)
    assert find_price(model, model, {}, provider(slug)) is found  # the same object, so that it is compiled once
