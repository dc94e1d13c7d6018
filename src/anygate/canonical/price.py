"""What an operator or a provider's table asks for a model, before any arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

PER_MILLION: Final = (
    "input",
    "output",
    "cached_input",
    "cache_write_5m",
    "cache_write_1h",
    "audio_input",
    "audio_output",
    "image_output",
    "characters",
)
"""Rate names in USD per million tokens (or characters)."""

EACH: Final = ("request", "search", "image", "second", "song")
"""Rate names in USD each."""

RATE_NAMES: Final = PER_MILLION + EACH

Rates = Mapping[str, Decimal]
"""Rate name -> USD, a subset of RATE_NAMES."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Rates of a request with more than `above_input_tokens` input tokens in all; the whole request pays them."""

    above_input_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Condition:
    """Rates for requests whose parameters match, as `[[prices."m".when]]` declares them."""

    match: Mapping[str, str | int | float | bool]
    rates: Rates
    tiers: tuple[Tier, ...] = ()  # of this condition; laid over its rates


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one model.

    Rates are laid over one another in this order: `rates`, the tiers that the usage reaches, the rates of the first
    condition that matches, the tiers of that condition that the usage reaches.
    """

    rates: Rates
    when: tuple[Condition, ...] = ()
    tiers: tuple[Tier, ...] = ()
    free: bool = False
    source: str = ""  # "file", "database", or where the default came from, with its date
