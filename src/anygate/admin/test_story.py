"""One request, told."""

from typing import Any

import msgspec
from tests.records import finished

from anygate.admin.story import tell
from anygate.canonical.usage import NO_USAGE, Usage
from anygate.observe.record import Attempt
from anygate.observe.rows import document_of, row_of


def told(**changes: Any) -> dict[str, str]:
    lines: dict[str, str] = {}
    title = ""
    for name, text in tell(document_of(row_of(finished(**changes)).document)):
        title = name or title
        lines[title] = f"{lines[title]}\n{text}" if title in lines else text
    return lines


def test_it_says_why_a_request_was_slow_and_sent_twice():
    lines = told(
        stream=True,
        latency_ms=3120.44,
        first_token_ms=2000,
        overhead_ms=0.81,
        attempts=[
            Attempt("first", 429, "weight; 429", 1, 90),
            Attempt("second", 0, "failover: 429; upstream_timeout", 2, 1900),
            Attempt("third", 200, "failover: upstream_timeout", 3, 1100),
        ],
    )
    assert lines["took"] == "3120.4 ms, first token after 2000.0 ms, the gateway itself 0.8 ms until the answer began"
    assert lines["attempts"].splitlines() == [
        "first: 429 after 90 ms; why: weight",
        "second: no answer (upstream_timeout) after 1900 ms; why: failover: 429",
        "third: 200 after 1100 ms; why: failover: upstream_timeout",
    ]


def test_it_says_why_a_request_was_expensive():
    lines = told(
        usage=Usage(input=1000, output=50, images=2),
        cost_nanos=2_240_000,
        evidence="counted",
        price=msgspec.Raw(
            b'{"rates":{"input":"2","output":"4","image":"0.0003"},"multiplier":"0.8","source":"database"}'
        ),
        overrun_nanos=1_000_000_000,
    )
    assert lines["model"] == "gpt-4o, at the upstream gpt-4o-2024-11-20"
    assert lines["usage"] == "1000 input, 50 output, 2 images"
    assert lines["cost"].splitlines() == [
        "0.00224 USD; the usage was counted in what was delivered; 1.00 USD more could not be paid",
        "1000 input at 2 USD per million, times 0.8",
        "50 output at 4 USD per million, times 0.8",
        "2 images at 0.0003 USD each, times 0.8",
        "price: database",
    ]


def test_a_refusal_is_told_without_empty_lines():
    lines = told(user="", status=401, error="invalid_api_key", usage=NO_USAGE, attempts=[])
    assert lines["status"] == "401 invalid_api_key"
    assert {"who", "attempts", "usage", "warnings"}.isdisjoint(lines)
