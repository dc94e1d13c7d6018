"""A bill read off a stored snapshot is the bill that was made."""

from decimal import Decimal

import orjson
import pytest

from anygate.canonical.price import Condition, Price, Tier
from anygate.canonical.usage import Usage
from anygate.pricing.compile import compile_price
from anygate.pricing.snapshot import bill_lines

USAGE = Usage(input=300_000, cached_input=7, output=11, audio_input=3, images=2)
TIER = Tier(200_000, {"input": Decimal("3.5")})
CONDITION = Condition({"mode": "pro", "sound": True}, {"output": Decimal(9)}, (Tier(5, {"input": Decimal(4)}),))


@pytest.mark.parametrize(
    ("price", "condition"),
    [
        (Price({"input": Decimal("2.50"), "output": Decimal(10), "request": Decimal("0.01")}), None),
        (Price({"input": Decimal("2.50"), "image": Decimal("0.04")}, tiers=(TIER,)), None),
        (Price({"input": Decimal(1)}, when=(CONDITION,), tiers=(TIER,)), CONDITION),
        (Price({}, free=True), None),
    ],
)
def test_the_lines_are_those_of_the_price_that_was_snapshotted(price: Price, condition: Condition | None):
    made = compile_price(price, Decimal("0.85"), condition)
    assert bill_lines(orjson.loads(made.snapshot), USAGE) == made.lines(USAGE)
