from decimal import Decimal
from typing import Any

import pytest

from anygate.canonical.price import Condition, Price
from anygate.pricing.condition import match

PRO = Condition({"mode": "pro", "sound": True}, {"second": Decimal("0.14")})
FIVE = Condition({"duration": 5}, {"second": Decimal("0.07")})
NESTED = Condition({"web_search_options.search_context_size": "high"}, {"request": Decimal("0.012")})
PRICE = Price({"second": Decimal("0.1")}, when=(PRO, FIVE, NESTED))


@pytest.mark.parametrize(
    ("parameters", "condition"),
    [
        ({"mode": "pro", "sound": True}, PRO),
        ({"mode": "pro", "sound": True, "duration": 5}, PRO),
        ({"mode": "pro", "sound": 1}, None),
        ({"mode": "pro", "sound": "true"}, None),
        ({"mode": "pro"}, None),
        ({"duration": 5}, FIVE),
        ({"duration": 5.0}, FIVE),
        ({"duration": "5"}, None),
        ({"duration": None}, None),
        ({"duration": True}, None),
        ({"web_search_options": {"search_context_size": "high"}}, NESTED),
        ({"web_search_options.search_context_size": "high"}, NESTED),
        ({"web_search_options": "high"}, None),
        ({}, None),
    ],
)
def test_the_first_condition_that_matches_by_value_and_kind_counts(
    parameters: dict[str, Any], condition: Condition | None
):
    assert match(PRICE, parameters) is condition


def test_a_condition_on_one_is_not_met_by_true():
    assert match(Price({}, when=(Condition({"n": 1}, {"image": Decimal(1)}),)), {"n": True}) is None
