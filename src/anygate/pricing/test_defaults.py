import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version
from importlib.resources import files

import genai_prices.types as genai
import pytest
from genai_prices.data import providers as genai_providers
from genai_prices.data_snapshot import get_snapshot

from anygate.canonical.usage import Usage
from anygate.pricing.build_defaults import build, encode
from anygate.pricing.compile import compile_price
from anygate.pricing.defaults import default_price, default_table, find_row
from anygate.providers.registry import all_providers

BUILT = date.fromisoformat(default_table().built)
MOMENTS = [
    datetime(BUILT.year, BUILT.month, BUILT.day, hour, minute, tzinfo=UTC)
    for hour, minute in ((0, 10), (2, 0), (6, 0), (16, 30))
]
DROPPED = {"output_reasoning_mtok", "output_citation_mtok", "input_image_mtok", "cache_image_read_mtok"}


def model_names() -> Iterator[tuple[str, str]]:
    """(provider of genai-prices, a name that it knows) for every model, and some odd ones."""
    known = {provider.id for provider in genai_providers}
    for provider_id, provider in default_table().providers.items():
        if provider_id in known:
            yield from ((provider_id, row.id) for row in provider.models)
    yield "openai", "GPT-4o"
    yield "openai", "gpt-5-20250807"
    yield "openai", "gpt-4o-2024-11-20"
    yield "azure", "claude-sonnet-4-5"
    yield "azure", "gpt-4.1"
    yield "mistral", "magistral-medium-2509"
    yield "x-ai", "grok-4.3-20260401"
    yield "anthropic", "claude-opus-5-20260801"
    yield "openai", "nothing-like-it"


@pytest.mark.parametrize("at", MOMENTS, ids=str)
def test_every_model_costs_what_genai_prices_says(at: datetime):
    compared = 0
    for provider_id, name in model_names():
        ours = default_price(provider_id, name, at)
        try:
            _, model = get_snapshot().find_provider_model(name, None, provider_id, None)
        except LookupError:
            assert ours is None, name
            continue
        theirs = model.get_prices(at)
        if ours is None or ours.free:
            assert not any(getattr(theirs, key) for key in ("input_mtok", "output_mtok")), (provider_id, name)
            continue
        if any(value is not None and key in DROPPED for key, value in vars(theirs).items()):
            continue
        for tokens in (1_000, 150_000, 300_000, 600_000):
            usage = Usage(input=tokens, cached_input=tokens // 4, output=777)
            counted = genai.Usage(
                input_tokens=usage.input_tokens, cache_read_tokens=usage.cached_input, output_tokens=usage.output
            )
            if "cache_write_5m" in ours.rates:
                usage = Usage(input=tokens, cached_input=tokens // 4, cache_write_5m=99, output=777)
                counted.input_tokens, counted.cache_write_tokens = usage.input_tokens, 99
            expected: Decimal = theirs.calc_price(counted)["total_price"] * 1_000_000_000
            assert compile_price(ours).cost(usage) == expected.to_integral_value("ROUND_CEILING"), (provider_id, name)
        compared += 1
    assert compared > 1_000


def test_a_service_tier_costs_what_genai_prices_says():
    model = get_snapshot().find_provider_model("gpt-5.4", None, "openai", None)[1]
    ours = default_price("openai", "gpt-5.4", MOMENTS[0])
    assert ours is not None
    assert len(ours.when) >= 2
    for condition in ours.when:
        theirs = model.get_prices(MOMENTS[0], {name: str(value) for name, value in condition.match.items()})
        for tokens in (1_000, 300_000):
            usage = genai.Usage(input_tokens=tokens, output_tokens=500)
            expected: Decimal = theirs.calc_price(usage)["total_price"] * 1_000_000_000
            assert compile_price(ours, condition=condition).cost(Usage(input=tokens, output=500)) == expected


def test_without_a_moment_the_dearest_hour_counts():
    dearest = default_price("deepseek", "deepseek-v4-pro")
    assert dearest is not None
    hourly = [default_price("deepseek", "deepseek-v4-pro", at) for at in MOMENTS]
    assert len({price.rates["output"] for price in hourly if price}) == 2
    assert dearest.rates["output"] == max(price.rates["output"] for price in hourly if price)


def test_another_companys_service_tiers_are_not_taken_over():
    own, foreign = default_price("openai", "gpt-5"), default_price("azure", "gpt-5")
    assert own is not None
    assert foreign is not None
    assert own.when
    assert foreign.rates == own.rates
    assert foreign.when == ()


def test_the_router_prices_a_model_by_the_company_that_it_names():
    found = default_price("huggingface", "openai/gpt-oss-120b:groq")
    assert found is not None
    _, model = get_snapshot().find_provider_model("openai/gpt-oss-120b", None, "huggingface_groq", None)
    theirs = model.get_prices(MOMENTS[0])
    assert found.rates == {"input": theirs.input_mtok, "output": theirs.output_mtok}
    assert default_price("huggingface", "openai/gpt-oss-120b") is None


def test_a_model_whose_price_we_cannot_express_is_known_and_not_priced():
    row = find_row(default_table(), "openai", "whisper-1")
    assert row is not None
    assert default_price("openai", "whisper-1") is None


def test_an_unknown_provider_has_no_prices():
    assert default_price("", "gpt-4o") is None
    assert default_price("no-such", "gpt-4o") is None


def test_every_provider_that_our_tables_name_is_in_the_table():
    named = {provider.prices_as for provider in all_providers().values() if provider.prices_as}
    assert named <= default_table().providers.keys()
    for provider in default_table().providers.values():
        assert set(provider.fallback) <= default_table().providers.keys()


def test_the_table_is_what_the_build_makes_of_the_installed_package():
    if default_table().source != f"genai-prices {version('genai-prices')}":
        pytest.skip(f"the table is of {default_table().source}; run `make prices`")
    assert files("anygate.pricing").joinpath("defaults.json").read_bytes() == encode(build(BUILT))


def test_serving_never_imports_genai_prices():
    code = (
        "import sys; from anygate.pricing.lookup import find_price; from anygate.providers.registry import provider;"
        "assert find_price('gpt-4o', 'gpt-4o', {}, provider('openai')); assert 'genai_prices' not in sys.modules"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=paths)  # noqa: S603 -- our own interpreter


def test_every_rule_of_the_table_can_be_evaluated():
    for provider in default_table().providers.values():
        for row in provider.models:
            assert all(rule[0] in "=^$*~" and len(rule) > 1 for rule in row.match), row.id
            for rule in row.match:
                if rule[0] == "~":
                    re.compile(rule[1:])
