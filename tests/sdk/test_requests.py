"""Structured output, pictures and documents, parallel calls, automatic calls: every client, every kind of upstream."""

import json
from typing import Any

import pytest

from anygate.sandbox.pictures import png
from tests.journeys.bills import settled
from tests.sdk.clients import CLIENTS
from tests.sdk.conftest import Connect
from tests.sdk.heard import RESULTS
from tests.sdk.house import House
from tests.sdk.upstreams import BEDROCK, CLAUDE_BUDGET, CLOUDS, GEMINI_25, ONE_OF_EACH, RESPONSES, Upstream

EVERY = [*ONE_OF_EACH, GEMINI_25, *CLOUDS]
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)

every_direction = pytest.mark.parametrize(
    ("speaks", "upstream"), [(speaks, upstream) for speaks in CLIENTS for upstream in EVERY], ids=str
)


@every_direction
def test_structured_output_becomes_the_client_s_own_class(
    house: House, connect: Connect, speaks: str, upstream: Upstream
):
    with house.watch() as seen:
        heard = connect(speaks).structured(upstream)
    assert set(heard.parsed) == {"name", "age"}
    assert isinstance(heard.parsed["age"], int)
    house.check(seen, [heard], upstream)


@every_direction
def test_a_picture_and_a_document_are_seen(house: House, connect: Connect, speaks: str, upstream: Upstream):
    with house.watch() as seen:
        heard = connect(speaks).shown(upstream, png(2, 2), PDF)
    assert heard.text.startswith("Look")
    assert f"image/png, {len(png(2, 2))} bytes" in heard.text
    assert f"application/pdf, {len(PDF)} bytes" in heard.text
    house.check(seen, [heard], upstream)


@every_direction
def test_parallel_calls_are_answered_together(house: House, connect: Connect, speaks: str, upstream: Upstream):
    with house.watch() as seen:
        first, second = connect(speaks).parallel(upstream)
    calls: list[Any] = [[name, json.loads(text)] for name, text in first.calls]
    assert calls == [["get_weather", {"city": "Rome"}], ["get_time", {"city": "Rome"}]]
    assert [result for result in RESULTS.values() if result not in second.text] == []
    house.check(seen, [first, second], upstream)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("upstream", EVERY, ids=str)
def test_google_s_sdk_calls_python_functions_by_itself(
    house: House, connect: Connect, upstream: Upstream, streamed: bool
):
    client: Any = connect("google.gemini")
    with house.watch() as seen:
        words, called = client.automatic(upstream, streamed=streamed)
    assert called == ["get_weather Paris", "get_time Rome"]
    assert RESULTS["get_time"] in words
    assert [row["status"] for row in seen.rows] == [200, 200, 200]
    for row in seen.rows:
        house.paid(row)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("upstream", EVERY, ids=str)
def test_responses_are_continued_by_the_id_of_the_one_before(
    house: House, connect: Connect, upstream: Upstream, streamed: bool
):
    """An upstream that keeps answers does so itself; for the others the gateway does."""
    client: Any = connect("openai.responses")
    with house.watch() as seen:
        heard = client.continued(upstream, streamed=streamed)
    assert [len(answer.calls) for answer in heard] == [1, 1, 0]
    assert RESULTS["get_time"] in heard[-1].text
    house.check(seen, heard, upstream)
    kept = any("previous_response_id" in recorded.json for recorded in seen.sent)
    assert kept == (upstream is RESPONSES)


@pytest.mark.parametrize("upstream", EVERY, ids=str)
def test_google_s_sdk_counts_tokens(house: House, connect: Connect, upstream: Upstream):
    client: Any = connect("google.gemini")
    assert client.counted(upstream.model) == 3
    (row,) = house.gateway.logs(limit=1)
    assert (row["status"], row["cost_nanos"], row["model"]) == (200, 0, upstream.model)
    assert bool(row["attempts"]) == (upstream.speaks == "google.gemini")


@pytest.mark.parametrize("upstream", EVERY, ids=str)
def test_anthropic_s_sdk_counts_tokens(house: House, connect: Connect, upstream: Upstream):
    client: Any = connect("anthropic.messages")
    assert client.counted(upstream.model) == 3
    (row,) = house.gateway.logs(limit=1)
    assert (row["status"], row["cost_nanos"], row["model"]) == (200, 0, upstream.model)
    assert bool(row["attempts"]) == (upstream.name == "anthropic")  # Bedrock and Vertex have no such endpoint


@pytest.mark.parametrize("speaks", CLIENTS)
def test_every_sdk_lists_the_models_that_its_key_may_use(house: House, connect: Connect, speaks: str):
    listed = connect(speaks).models()
    assert len(listed) == len(set(listed))
    assert {upstream.model for upstream in EVERY if upstream is not BEDROCK} <= set(listed)  # that one is a wildcard


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_cache_that_is_only_warmed_is_paid(house: House, connect: Connect, streamed: bool):
    """Claude reads the prompt and answers nothing where the limit is 0: the one answer without output that costs."""
    client: Any = connect("anthropic.messages")
    with house.watch() as seen:
        message = client.warm(CLAUDE_BUDGET.model, f"Stories, {streamed}. " * 2_000, streamed=streamed)
    assert (message.content, message.stop_reason, message.usage.output_tokens) == ([], "max_tokens", 0)
    (row,), (sent,) = seen.rows, seen.sent
    assert sent.json["max_tokens"] == 0
    found = settled(house.gateway, row["request_id"], status=200, evidence="reported")
    assert found["usage"]["cache_write_5m"] == message.usage.cache_creation_input_tokens > 4_000
    assert found["cost_nanos"] > 0
