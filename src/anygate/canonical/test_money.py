"""Money is whole nanos: read exactly, shown exactly, rounded up once."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.money import LARGEST_NANOS, nanos_from_usd, usd_text

NANOS = st.integers(-LARGEST_NANOS, LARGEST_NANOS)


@given(NANOS)
def test_what_is_shown_is_read_back_to_the_last_nano(nanos: int):
    text = usd_text(nanos)
    assert nanos_from_usd(text) == nanos
    assert Decimal(text) * 10**9 == nanos


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0.00"),
        (1, "0.000000001"),
        (125, "0.000000125"),
        (10_000_000, "0.01"),
        (1_000_000_000, "1.00"),
        (12_500_000_000, "12.50"),
        (-1, "-0.000000001"),
        (-12_345_678_900, "-12.3456789"),
        (LARGEST_NANOS, "9223372036.854775807"),
    ],
)
def test_usd_is_shown_with_at_least_two_decimals_and_no_idle_zeros(nanos: int, text: str):
    assert usd_text(nanos) == text


@pytest.mark.parametrize(
    ("usd", "nanos"),
    [
        ("10", 10_000_000_000),
        ("2.50", 2_500_000_000),
        ("0.000000001", 1),
        ("1e-9", 1),
        ("1.000000000000000000", 1_000_000_000),
        (" 5 ", 5_000_000_000),
        ("-0.5", -500_000_000),
        ("0", 0),
        (Decimal("0.25"), 250_000_000),
        ("9223372036.854775807", LARGEST_NANOS),
    ],
)
def test_an_amount_is_read_exactly(usd: str | Decimal, nanos: int):
    assert nanos_from_usd(usd) == nanos


@pytest.mark.parametrize(
    ("usd", "reason"),
    [
        ("", "not an amount"),
        ("ten", "not an amount"),
        ("$5", "not an amount"),
        ("1,5", "not an amount"),
        ("NaN", "not an amount"),
        ("sNaN", "not an amount"),
        ("Infinity", "not an amount"),
        ("1e999999", "not an amount"),
        ("0.0000000001", "nine decimals"),
        ("1.0000000000000000000000000001", "nine decimals"),
        ("1" + "0" * 200 + "." + "1" * 20, "nine decimals"),
        ("9223372036.854775808", "too large"),
        ("-9223372036.854775808", "too large"),
        ("1e30", "too large"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_reason(usd: str, reason: str):
    with pytest.raises(ValueError, match=reason):
        nanos_from_usd(usd)


@given(st.text("0123456789.eE+-_ nN", max_size=12))
def test_any_text_is_an_amount_or_a_value_error(text: str):
    try:
        nanos = nanos_from_usd(text)
    except ValueError:
        return
    assert abs(nanos) <= LARGEST_NANOS
