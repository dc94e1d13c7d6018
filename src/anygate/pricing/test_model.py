from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.money import LARGEST_NANOS
from anygate.canonical.price import PER_MILLION, RATE_NAMES, Condition, Price, Tier
from anygate.canonical.usage import Usage
from anygate.pricing.compile import compile_price
from anygate.pricing.model import LARGEST_OUTPUT

FALLBACKS: Mapping[str, tuple[str, ...]] = {
    "cached_input": ("input",),
    "cache_write_5m": ("input",),
    "cache_write_1h": ("cache_write_5m", "input"),
    "audio_input": ("input",),
    "audio_output": ("output",),
    "image_output": ("output",),
}
COUNTED: Mapping[str, str] = {
    "image": "images",
    "second": "seconds",
    "song": "songs",
    "search": "searches",
    "request": "requests",
}

usd = st.decimals(0, 1000, places=6)
rates = st.dictionaries(st.sampled_from(RATE_NAMES), usd, min_size=1)
tiers = st.lists(
    st.builds(Tier, st.integers(1, 3000), rates), max_size=3, unique_by=lambda tier: tier.above_input_tokens
)
conditions = st.none() | st.builds(Condition, st.just({"mode": "pro"}), rates, tiers.map(tuple))
prices = st.builds(Price, rates, tiers=tiers.map(tuple))
multipliers = st.decimals("0.01", 10, places=4)
count = st.integers(0, 2000)
usages = st.builds(
    Usage,
    input=count,
    cached_input=count,
    cache_write_5m=count,
    cache_write_1h=count,
    output=count,
    audio_input=count,
    audio_output=count,
    image_output=count,
    images=count,
    seconds=count,
    songs=count,
    searches=count,
    characters=count,
    requests=st.integers(0, 3),
)


def exact_cost(price: Price, multiplier: Decimal, condition: Condition | None, usage: Usage) -> Fraction:
    """The cost as the vocabulary defines it, written in another way than the code."""
    reached: dict[str, Decimal] = {}
    for declared in filter(None, (price, condition)):
        reached.update(declared.rates)
        for tier in sorted(declared.tiers, key=lambda tier: tier.above_input_tokens):
            if usage.input_tokens > tier.above_input_tokens:
                reached.update(tier.rates)
    total = Fraction(0)
    for name in RATE_NAMES:
        named = next((other for other in (name, *FALLBACKS.get(name, ())) if other in reached), None)
        if named is not None:
            quantity: int = getattr(usage, COUNTED.get(name, name))
            if name == "request":
                quantity = max(quantity, 1)
            total += Fraction(reached[named]) * quantity / (1_000_000 if name in PER_MILLION else 1)
    return total * Fraction(multiplier) * 1_000_000_000


@given(prices, multipliers, conditions, usages)
def test_a_cost_is_the_exact_sum_rounded_up_once(
    price: Price, multiplier: Decimal, condition: Condition | None, usage: Usage
):
    expected = exact_cost(price, multiplier, condition, usage)
    assert compile_price(price, multiplier, condition).cost(usage) == ceil(expected)


@given(prices, multipliers, conditions, usages)
def test_the_lines_of_a_bill_add_up_to_the_cost(
    price: Price, multiplier: Decimal, condition: Condition | None, usage: Usage
):
    model = compile_price(price, multiplier, condition)
    lines = model.lines(usage)
    assert ceil(sum((Fraction(str(line["nanos"])) for line in lines), Fraction(0))) == model.cost(usage)


@given(prices, prices, multipliers, usages)
def test_what_is_within_another_price_never_costs_more(one: Price, other: Price, multiplier: Decimal, usage: Usage):
    ours, theirs = compile_price(one, multiplier), compile_price(other, multiplier)
    rates = {name: max(one.rates.get(name, Decimal(0)), Decimal(1)) for name in RATE_NAMES}
    assert ours.within(ours)
    assert compile_price(Price({}), multiplier).within(theirs)
    assert not compile_price(Price(rates)).within(compile_price(Price({})))
    if ours.within(theirs):
        assert ours.cost(usage) <= theirs.cost(usage)


@given(prices, multipliers, conditions, usages)
def test_a_ceiling_covers_every_usage_within_its_bounds(
    price: Price, multiplier: Decimal, condition: Condition | None, usage: Usage
):
    model = compile_price(price, multiplier, condition)
    ceiling = model.ceiling(
        usage.input_tokens,
        usage.output_tokens,
        audio_in=usage.audio_input > 0,
        audio_out=usage.audio_output > 0,
        image_out=usage.image_output > 0,
        images=usage.images,
        seconds=usage.seconds,
        songs=usage.songs,
        characters=usage.characters,
        searches=usage.searches,
        requests=usage.requests or 1,
    )
    assert ceiling >= model.cost(usage)


@given(prices, multipliers, st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000))
def test_a_ceiling_grows_with_input_and_output(price: Price, multiplier: Decimal, given: int, made: int, more: int):
    model = compile_price(price, multiplier)
    assert model.ceiling(given, made) <= model.ceiling(given + more, made)
    assert model.ceiling(given, made) <= model.ceiling(given, made + more)


@given(prices, multipliers, st.integers(0, 5000), st.integers(0, 10**13), st.booleans(), st.booleans())
def test_the_affordable_output_is_the_most_that_the_money_pays_for(
    price: Price, multiplier: Decimal, given: int, nanos: int, audio_in: bool, audio_out: bool
):
    model = compile_price(price, multiplier)
    affordable = model.output_affordable(nanos, given, audio_in=audio_in, audio_out=audio_out)
    if affordable < 0:
        assert affordable == -1
        assert model.ceiling(given, 0, audio_in=audio_in, audio_out=audio_out) > nanos
        return
    assert model.ceiling(given, affordable, audio_in=audio_in, audio_out=audio_out) <= nanos
    if affordable < LARGEST_OUTPUT:
        assert model.ceiling(given, affordable + 1, audio_in=audio_in, audio_out=audio_out) > nanos


def price(**usd_of: str) -> Price:
    return Price({name: Decimal(text) for name, text in usd_of.items()})


@pytest.mark.parametrize(
    ("usage", "nanos"),
    [
        (Usage(cached_input=1_000_000), 2_500_000_000),
        (Usage(cache_write_5m=1_000_000), 2_500_000_000),
        (Usage(cache_write_1h=1_000_000), 2_500_000_000),
        (Usage(audio_input=1_000_000), 2_500_000_000),
        (Usage(audio_output=1_000_000), 10_000_000_000),
        (Usage(image_output=1_000_000), 10_000_000_000),
        (Usage(input=1), 2_500),
        (Usage(output=1, reasoning=1), 10_000),
        (Usage(), 0),
    ],
)
def test_classes_without_a_rate_pay_that_of_their_direction(usage: Usage, nanos: int):
    assert compile_price(price(input="2.50", output="10.00")).cost(usage) == nanos


def test_a_long_lived_cache_write_pays_the_short_one_where_only_that_is_priced():
    model = compile_price(price(input="3", output="15", cache_write_5m="3.75"))
    assert model.cost(Usage(cache_write_1h=1_000_000)) == 3_750_000_000


def test_a_fraction_of_a_nano_is_rounded_up_only_in_the_sum():
    model = compile_price(price(input="0.0001", output="0.0002"))
    assert model.cost(Usage(input=1)) == 1
    assert model.cost(Usage(input=5, output=2)) == 1
    assert model.cost(Usage(input=10)) == 1
    assert model.cost(Usage(input=11)) == 2


def test_a_tier_begins_above_its_threshold_and_counts_cached_tokens():
    tiered = Price({"input": Decimal(1), "output": Decimal(2)}, tiers=(Tier(100, {"input": Decimal(10)}),))
    model = compile_price(tiered)
    assert model.cost(Usage(input=100)) == 100_000
    assert model.cost(Usage(input=1, cached_input=100)) == 1_010_000
    assert model.cost(Usage(input=101, output=1)) == 1_012_000
    assert model.ceiling(100, 0) == 100_000
    assert model.ceiling(101, 0) == 1_010_000


def test_a_fee_for_the_request_is_due_once_however_the_usage_counts():
    model = compile_price(price(request="0.012", input="1"))
    assert model.cost(Usage()) == model.cost(Usage(requests=1)) == 12_000_000
    assert model.lines(Usage(input=2)) == [
        {"class": "input", "quantity": 2, "usd": "1", "nanos": "2000"},
        {"class": "requests", "quantity": 1, "usd": "0.012", "nanos": "12000000"},
    ]


def test_a_free_model_costs_and_holds_nothing():
    model = compile_price(Price({}, free=True))
    assert model.free
    assert model.ceiling(10**6, 10**6, images=4) == 0
    assert model.cost(Usage(input=10**6, output=10**6, images=4)) == 0
    assert model.output_affordable(0, 10**6) == LARGEST_OUTPUT
    assert model.lines(Usage(output=3)) == [{"class": "output", "quantity": 3, "usd": "0", "nanos": "0"}]


def test_no_amount_leaves_64_bits():
    model = compile_price(price(output="1000000000"))
    assert model.ceiling(0, 2**60) == LARGEST_NANOS
    assert model.cost(Usage(output=2**60)) == LARGEST_NANOS


def test_the_snapshot_holds_all_that_the_amounts_follow_from():
    condition = Condition({"service_tier": "priority"}, {"input": Decimal("5.0")})
    declared = Price(
        {"input": Decimal("2.50"), "output": Decimal("1E+1")},
        when=(condition,),
        tiers=(Tier(272_000, {"input": Decimal(5)}),),
        source="file",
    )
    snapshot: dict[str, Any] = orjson.loads(compile_price(declared, Decimal("0.80"), condition).snapshot)
    assert snapshot == {
        "rates": {"input": "2.5", "output": "10"},
        "multiplier": "0.8",
        "tiers": [{"above_input_tokens": 272_000, "input": "5"}],
        "match": {"service_tier": "priority"},
        "match_rates": {"input": "5"},
        "source": "file",
    }
