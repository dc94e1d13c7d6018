import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.records import finished

from anygate.canonical.channel import Channel
from anygate.canonical.price import Price
from anygate.canonical.usage import Usage
from anygate.observe.labels import ModelLabels, snapshot_models
from anygate.observe.metrics import METRICS, Metrics, status_class
from anygate.observe.node_tallies import NodeTallies, clean_tallies
from anygate.observe.record import Attempt
from anygate.observe.tally import Tally, decode_tally, encode_tally
from anygate.routing.snapshot import Snapshot

SOLD = frozenset({"gpt-4o", "gpt-4-gizmo-*", "*"})


def samples(metrics: Metrics) -> dict[str, float]:
    """`name{label="value",...}` -> value, as a scrape sees it."""
    return {
        f"{sample.name}{{{','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(metrics.render()[0].decode())
        for sample in family.samples
    }


def worker(folder: Path, name: str) -> tuple[Metrics, NodeTallies]:
    place = NodeTallies(folder, name)
    return Metrics(ModelLabels(lambda: SOLD), neighbours=place), place


def test_a_request_is_counted_in_all_its_aspects():
    metrics = Metrics(ModelLabels(lambda: SOLD))
    metrics.fold(
        [
            finished(1),
            finished(
                2,
                stream=True,
                first_token_ms=120.0,
                usage=Usage(input=7, image_output=2),
                overrun_nanos=5,
                settled_late=True,
                attempts=[Attempt("other", 429, "first"), Attempt("openai-main", 200, "failover: 429")],
            ),
            finished(3, status=404, error="model_not_priced", usage=Usage(), cost_nanos=0, channel="", attempts=[]),
        ]
    )
    seen = samples(metrics)
    for name, value in {
        "anygate_requests_total{channel=openai-main,evidence=reported,model=gpt-4o,protocol=chat,status=2xx}": 2,
        "anygate_requests_total{channel=,evidence=reported,model=gpt-4o,protocol=chat,status=4xx}": 1,
        "anygate_tokens_total{channel=openai-main,class=input,model=gpt-4o}": 107,
        "anygate_tokens_total{channel=openai-main,class=image_output,model=gpt-4o}": 2,
        "anygate_cost_nanos_total{channel=openai-main,model=gpt-4o}": 24_690,
        "anygate_attempts_total{channel=other,status=4xx}": 1,
        "anygate_attempts_total{channel=openai-main,status=2xx}": 2,
        "anygate_failovers_total{channel=openai-main}": 1,
        "anygate_errors_total{code=model_not_priced}": 1,
        "anygate_unpriced_total{}": 1,
        "anygate_overrun_total{}": 1,
        "anygate_overrun_nanos_total{}": 5,
        "anygate_settled_late_total{}": 1,
        "anygate_request_duration_seconds_count{protocol=chat,stream=true}": 1,
        "anygate_request_duration_seconds_bucket{le=0.25,protocol=chat,stream=false}": 0,
        "anygate_request_duration_seconds_bucket{le=0.5,protocol=chat,stream=false}": 2,
        "anygate_request_duration_seconds_bucket{le=+Inf,protocol=chat,stream=false}": 2,
        "anygate_request_duration_seconds_sum{protocol=chat,stream=false}": 0.625,
        "anygate_first_token_seconds_count{model=gpt-4o,protocol=chat}": 1,
        "anygate_overhead_seconds_bucket{le=0.00025,protocol=chat}": 3,
    }.items():
        assert seen[name] == value, name


def test_every_metric_that_needs_no_label_is_there_before_the_first_request():
    seen = samples(Metrics(ModelLabels(lambda: SOLD)))
    for name, definition in METRICS.items():
        if not definition.labels:
            assert seen[f"{name}_total{{}}" if definition.kind == "counter" else f"{name}{{}}"] >= 0


@pytest.mark.parametrize(
    ("model", "label"),
    [("gpt-4o", "gpt-4o"), ("gpt-4-gizmo-abc", "gpt-4-gizmo-*"), ("anything at all", "other"), ("", "")],
)
def test_only_what_is_sold_becomes_a_label(model: str, label: str):
    assert ModelLabels(lambda: SOLD)(model) == label


def test_a_client_that_invents_names_makes_no_label():
    metrics = Metrics(ModelLabels(lambda: SOLD))
    metrics.fold([finished(number, model=f"invented-{number}") for number in range(10_000)])
    assert b"invented" not in metrics.render()[0]
    assert len(metrics.render()[0]) < 20_000


def test_labels_follow_the_configuration():
    sold = frozenset({"one"})
    labels = ModelLabels(lambda: sold)
    assert (labels("one"), labels("two")) == ("one", "other")
    sold = frozenset({"two"})
    assert (labels("one"), labels("two")) == ("other", "two")


def test_a_snapshot_sells_what_channels_tables_maps_and_prices_name():
    snapshot = Snapshot(
        1,
        channels=(
            Channel(1, "a", "openai", "", (), models=("m1", "m*")),
            Channel(2, "b", "openai", "", (), model_map={"alias": "m1"}),
        ),
        prices={"priced": Price({"input": Decimal(1)})},
    )
    assert snapshot_models(snapshot, lambda _: ["table"]) == {"m1", "m*", "alias", "priced", "table"}


@pytest.mark.parametrize(("status", "name"), [(200, "2xx"), (499, "499"), (429, "4xx"), (0, "none"), (999, "none")])
def test_statuses_are_counted_by_class(status: int, name: str):
    assert status_class(status) == name


def test_openmetrics_is_spoken_to_who_asks_for_it():
    text, content_type = Metrics(ModelLabels(lambda: SOLD)).render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def test_a_tally_survives_its_way_to_another_worker():
    tally = Tally()
    tally.count("c", ("a", "b"), 3)
    tally.observe("h", ("x",), (1.0, 2.0), [0.5, 1.5, 9.0])
    tally.gauges["g"] = 2.0
    assert decode_tally(encode_tally(tally)) == tally


def test_any_worker_shows_the_sum_of_all(tmp_path: Path):
    (one, _one), (two, _two) = worker(tmp_path, "one"), worker(tmp_path, "two")
    one.gauge("anygate_requests_in_flight", lambda: 3)
    two.gauge("anygate_requests_in_flight", lambda: 4)
    one.fold([finished(1)])
    two.fold([finished(2), finished(3)])
    one.publish()
    two.publish()
    assert samples(one) == samples(two)
    seen = samples(one)
    assert seen["anygate_attempts_total{channel=openai-main,status=2xx}"] == 3
    assert seen["anygate_request_duration_seconds_count{protocol=chat,stream=false}"] == 3
    assert seen["anygate_requests_in_flight{}"] == 7
    assert seen["anygate_workers{}"] == 2
    _one.close()
    _two.close()


def test_what_a_dead_worker_counted_stays_and_its_present_goes(tmp_path: Path):
    code = """
import sys
from pathlib import Path
from anygate.observe.labels import ModelLabels
from anygate.observe.metrics import Metrics
from anygate.observe.node_tallies import NodeTallies
metrics = Metrics(ModelLabels(frozenset), neighbours=NodeTallies(Path(sys.argv[1]), "dead"))
metrics.gauge("anygate_requests_in_flight", lambda: 9)
metrics.count("anygate_log_records_dropped", 5)
metrics.publish()
sys.stdout.write("ready")
sys.stdout.flush()
sys.stdin.read()
"""
    one, place = worker(tmp_path, "one")
    with subprocess.Popen(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(5) == b"ready"
        assert samples(one)["anygate_requests_in_flight{}"] == 9
        process.kill()
    assert samples(one)["anygate_log_records_dropped_total{}"] == 5
    assert samples(one)["anygate_requests_in_flight{}"] == 0
    assert samples(one)["anygate_workers{}"] == 1

    three, third_place = worker(tmp_path, "three")  # a new worker folds the files of the dead into one
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["gone"]
    assert samples(one)["anygate_log_records_dropped_total{}"] == 5
    three.publish()
    place.close()
    third_place.close()
    clean_tallies(tmp_path)
    assert list(tmp_path.glob("*.json")) == []


def test_cleaning_leaves_the_living_alone(tmp_path: Path):
    one, place = worker(tmp_path, "one")
    one.publish()
    clean_tallies(tmp_path)
    clean_tallies(tmp_path / "never made")
    assert [path.name for path in tmp_path.glob("*.json")] == ["one.json"]
    place.close()


def test_a_file_of_another_version_is_passed_over(tmp_path: Path):
    one, place = worker(tmp_path, "one")
    (tmp_path / "strange.json").write_text("{}")
    assert samples(one)["anygate_workers{}"] == 1
    place.close()
