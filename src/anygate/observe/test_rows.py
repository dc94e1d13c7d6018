import orjson
from tests.records import NOON_MS, finished

from anygate.canonical.usage import USAGE_CLASSES, Usage
from anygate.observe.record import Attempt
from anygate.observe.rows import LARGEST_COUNT, Hour, HourKey, document_of, fold_hours, listed, log_lines, row_of

HOUR_MS = NOON_MS - 123


def test_a_listed_request_has_exactly_the_keys_of_the_contract():
    entry = listed(document_of(row_of(finished()).document))
    assert list(entry["usage"]) == list(USAGE_CLASSES)
    assert {name: count for name, count in entry.pop("usage").items() if count} == {
        "input": 100,
        "cached_input": 20,
        "output": 50,
        "reasoning": 10,
    }
    assert entry == {
        "request_id": "01a04b1c-0000-7000-8000-000000000000",
        "time": "2026-11-22T12:00:00.123Z",
        "user": "alice",
        "token": "ci",
        "model": "gpt-4o",
        "channel": "openai-main",
        "status": 200,
        "cost_nanos": 12_345,
        "evidence": "reported",
        "attempts": [{"channel": "openai-main", "status": 200, "reason": "first"}],
    }


def test_the_whole_record_is_kept_for_the_trace_page():
    document = document_of(row_of(finished(error="rate_limit_exceeded", warnings="n;ignored")).document)
    assert document["price_lines"][0] == {"class": "input", "quantity": 100, "usd": "2.5", "nanos": "250000"}
    assert document["attempts"][0]["milliseconds"] == 300
    assert (document["error"], document["warnings"], document["client_ip"]) == (
        "rate_limit_exceeded",
        "n;ignored",
        "192.0.2.7",
    )
    assert (document["latency_ms"], document["overhead_ms"], document["upstream_model"]) == (
        312.5,
        0.25,
        "gpt-4o-2024-11-20",
    )


def test_the_line_of_a_request_is_one_json_object():
    line = log_lines([row_of(finished(model="a\nb"))])
    assert line.count("\n") == 1
    event = orjson.loads(line)
    assert (event["event"], event["time"], event["model"]) == ("request", "2026-11-22T12:00:00.123Z", "a\nb")


def test_what_no_database_takes_is_made_storable():
    row = row_of(
        finished(
            model="a\0b\ud800",
            usage=Usage(input=10**30),
            attempts=[Attempt("one", 500, "first; \0")],
        )
    )
    document = document_of(row.document)
    assert (row.record.model, document["model"]) == ("a\ufffdb?", "a\ufffdb?")
    assert document["usage"]["input"] == LARGEST_COUNT
    assert fold_hours([row, row])[0][1].input_tokens == LARGEST_COUNT
    assert document["attempts"][0]["reason"] == "first; \ufffd"


def test_a_written_backslash_u0000_is_no_nul():
    assert row_of(finished(model="\\u0000")).record.model == "\\u0000"


def test_no_secret_reaches_the_log():
    key = "sk-abcdefghijklmnop1234567890"
    row = row_of(
        finished(
            path=f"/v1beta/models?key={key}",
            model=f"gpt {key}",
            attempts=[Attempt("one", 401, f"first; refused key {key}")],
        )
    )
    assert key not in row.document
    assert document_of(row.document)["path"] == "/v1beta/models"
    assert key not in row.record.model


def test_roll_ups_sum_by_hour_token_channel_and_model_but_never_by_a_name_nobody_sells():
    rows = [
        row_of(finished(1)),
        row_of(finished(2, status=500)),
        row_of(finished(3, channel="", model="made-up", status=404, usage=Usage(), cost_nanos=0)),
    ]
    assert fold_hours(rows) == [
        (HourKey(HOUR_MS, 3, 7, "", ""), Hour(1, 1, 0, 0, 0)),
        (HourKey(HOUR_MS, 3, 7, "openai-main", "gpt-4o"), Hour(2, 1, 240, 100, 24_690)),
    ]
