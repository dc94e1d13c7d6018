"""What is held, what is paid, and that nobody pays more than there is."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import select

from anygate.canonical.price import Price
from anygate.sandbox.answer import Answer, Pause, Step
from anygate.sandbox.server import Sandbox
from anygate.storage.prices import store_price
from anygate.storage.revision import changing
from anygate.storage.schema import accounts
from tests.gateways import TestGateway, running_gateway
from tests.journeys.bills import NANOS_READ, NANOS_WRITTEN, billed, free, refused, settled
from tests.journeys.configuration import PRICES, channel, configuration
from tests.patience import until

pytestmark = pytest.mark.usefixtures("released")

HELLO = [{"role": "user", "content": "Hello there"}]
TEXT_TOKENS = 6  # 11 bytes / 2, rounded up: the bound of HELLO
USD = 10**9
USERS = {
    "none": "0",
    "little": "0.001",  # a million nanos: 500 output tokens
    "scant": "0.0003",  # 150 output tokens
    "limited": "10",
    "streams": "0.02",  # 10,000 output tokens
    "rich": "10",
    "overrun": "0.0024",  # 1,200 output tokens
    "half": "10",
}
"""Each test's own wallet."""


@pytest.fixture(scope="module")
def gateway(upstreams: Sandbox, each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    prices: dict[str, Any] = {  # no "*": a wildcard of the file goes before the database's prices
        **dict.fromkeys(("gpt-*", "sandbox-*", "long"), PRICES["*"]),
        "gift": {"free": True},
        "tiered": {"input": "1", "output": "2", "when": [{"match": {"service_tier": "flex"}, "output": "0.5"}]},
        "fractions": {"input": "0.0001", "output": "0.0001"},
    }
    config = configuration(
        [channel(upstreams, "main", groups=["default", "half"])],
        prices=prices,
        users=[{"name": "alice", "balance_usd": "10"}]
        + [{"name": name, "balance_usd": usd} for name, usd in USERS.items()],
        tokens=[{"user": name, "name": name, "key": f"sk-test-{name}", **extra(name)} for name in USERS],
        groups={"half": {"multiplier": "0.5"}, "default": {"multiplier": "1"}},
    )
    config = config.replace('{ "name": "half"', '{ "group": "half", "name": "half"')
    with running_gateway(config, tmp_path_factory.mktemp("money"), database_url=each_database) as running:
        yield running
        assert running.audit().ok
        assert min(balances(running).values()) >= 0


def extra(name: str) -> dict[str, str]:
    return {"limited": {"quota_usd": "0.001"}, "half": {"group": "half"}}.get(name, {})


def balances(gateway: TestGateway) -> dict[str, int]:
    """Every purse by its label; not the operator's account."""
    with gateway.database() as database, database.reading() as connection:
        query = select(accounts.c.label, accounts.c.balance).where(accounts.c.kind != "overrun")
        return {row.label: int(row.balance) for row in connection.execute(query)}


def ask(gateway: TestGateway, user: str, **fields: Any) -> httpx.Response:
    document = {"model": "gpt-4o-mini", "messages": HELLO, **fields}
    return gateway.chat(document, headers={"authorization": f"Bearer sk-test-{user}"})


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_output_is_free(gateway: TestGateway, stream: bool):
    response = ask(gateway, "rich", model="sandbox-empty", stream=stream)
    assert response.status_code == 200
    row = free(gateway, response.headers["x-request-id"], status=200, evidence="reported")
    assert row["usage"]["input"] > 0


def test_an_empty_purse_is_refused_and_told_not_to_retry(gateway: TestGateway, upstreams: Sandbox):
    before = upstreams.requests.count
    response = ask(gateway, "none")
    assert code_of(response) == (429, "insufficient_quota")
    assert response.headers["x-should-retry"] == "false"
    refused(gateway, response.headers["x-request-id"], status=429)
    assert upstreams.requests.count == before


@pytest.mark.parametrize("stream", [False, True])
def test_a_free_model_passes_at_balance_zero(gateway: TestGateway, stream: bool):
    response = ask(gateway, "none", model="gift", stream=stream)
    assert response.status_code == 200
    row = gateway.log(response.headers["x-request-id"])
    assert (row["cost_nanos"], row["evidence"]) == (0, "reported")
    assert sum(amount for _, _, amount in gateway.entries(response.headers["x-request-id"])) == 0


def test_what_is_free_is_held_and_becomes_the_upstreams_limit(gateway: TestGateway, upstreams: Sandbox):
    response = ask(gateway, "little", max_tokens=5000)
    row = billed(gateway, response.headers["x-request-id"])
    assert upstreams.requests[-1].json["max_tokens"] == (1_000_000 - TEXT_TOKENS * NANOS_READ) // NANOS_WRITTEN
    assert ("hold", "hold", -1_000_000) in gateway.entries(row["request_id"])


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"max_completion_tokens": 9000}, {"n": 2, "max_tokens": 900}])
def test_a_partial_hold_limits_every_kind_of_request(gateway: TestGateway, upstreams: Sandbox, fields: dict[str, Any]):
    response = ask(gateway, "little", **fields)
    assert response.status_code == 200, response.text
    sent: dict[str, Any] = upstreams.requests[-1].json
    limits = [value for name, value in sent.items() if name in ("max_tokens", "max_completion_tokens")]
    assert len(limits) == 1
    assert limits[0] * sent.get("n", 1) * NANOS_WRITTEN <= 1_000_000
    billed(gateway, response.headers["x-request-id"])


def test_less_than_the_input_and_256_tokens_is_no_use(gateway: TestGateway):
    response = ask(gateway, "scant", max_tokens=5000)
    assert code_of(response) == (429, "insufficient_quota")
    assert "USD" in response.json()["error"]["message"]
    response = ask(gateway, "scant", max_tokens=100)
    billed(gateway, response.headers["x-request-id"])


def test_a_limited_token_pays_from_its_quota_and_from_the_wallet(gateway: TestGateway, upstreams: Sandbox):
    before = balances(gateway)["user:limited"]
    response = ask(gateway, "limited", max_tokens=5000)
    assert upstreams.requests[-1].json["max_tokens"] < 500, "the quota is smaller than the wallet"
    cost = gateway.log(response.headers["x-request-id"])["cost_nanos"]
    booked = gateway.entries(response.headers["x-request-id"])
    assert [step for step, _, _ in booked] == ["close", "close", "hold", "hold"]
    assert sum(amount for _, _, amount in booked) == -2 * cost
    after = balances(gateway)
    assert after["user:limited"] == before - cost


def chunk(text: str) -> bytes:
    return b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}) + b"\n\n"


def long_stream(tokens: int) -> Answer:
    """A stream of 1,000 tokens a block, with a breath between blocks, and its usage."""
    blocks: list[Step] = []
    for _ in range(tokens // 1000):
        blocks += [chunk("four" * 1000), Pause(0.02)]
    usage = {"prompt_tokens": 3, "completion_tokens": tokens, "total_tokens": tokens + 3}
    blocks += [b"data: " + orjson.dumps({"choices": [], "usage": usage}) + b"\n\n", b"data: [DONE]\n\n"]
    return Answer(200, tuple(blocks), (("content-type", "text/event-stream"),), stream=True)


def test_a_stream_that_outgrows_its_hold_is_extended(gateway: TestGateway, upstreams: Sandbox):
    upstreams.script(long_stream(40_000), model="long", times=1)
    response = ask(gateway, "rich", model="long", stream=True)
    assert response.text.endswith("data: [DONE]\n\n")
    row = billed(gateway, response.headers["x-request-id"])
    assert row["usage"]["output"] == 40_000
    steps = [step for step, _, _ in gateway.entries(row["request_id"])]
    assert {"hold", "hold-2", "hold-3", "close"} <= set(steps)
    held = -sum(amount for step, _, amount in gateway.entries(row["request_id"]) if step != "close")
    assert held > 20_000 * NANOS_WRITTEN, "the holds follow what is written"


def test_a_stream_is_ended_when_there_is_no_more_money(gateway: TestGateway, upstreams: Sandbox):
    upstreams.script(long_stream(40_000), model="long", times=1)
    response = ask(gateway, "streams", model="long", stream=True)
    assert response.status_code == 200
    last = response.text.rstrip().rpartition("data: ")[2]
    assert orjson.loads(last)["error"]["code"] == "insufficient_quota"
    row = settled(gateway, response.headers["x-request-id"], status=200, evidence="counted")
    assert 0 < row["cost_nanos"] <= 0.02 * USD
    assert balances(gateway)["user:streams"] >= 0
    until(lambda: upstreams.requests[-1].outcome == "gone", "the upstream was left")


def test_what_an_upstream_writes_beyond_its_limit_is_the_operators_loss(gateway: TestGateway):
    response = ask(gateway, "overrun", model="sandbox-ignores-limit", max_tokens=1000)
    assert response.json()["usage"]["completion_tokens"] == 2000
    row = gateway.log(response.headers["x-request-id"])
    assert row["cost_nanos"] == 2_400_000, "all that was there"
    assert balances(gateway)["user:overrun"] == 0
    booked = gateway.entries(row["request_id"])
    (loss,) = [amount for _, kind, amount in booked if kind == "overrun"]
    assert loss == -(row["usage"]["input"] * NANOS_READ + 2000 * NANOS_WRITTEN - 2_400_000)
    assert code_of(ask(gateway, "overrun"))[1] == "insufficient_quota"


def test_a_groups_multiplier_is_part_of_the_price(gateway: TestGateway):
    whole = ask(gateway, "rich").headers["x-request-id"]
    half = ask(gateway, "half").headers["x-request-id"]
    assert gateway.log(half)["cost_nanos"] * 2 == gateway.log(whole)["cost_nanos"]
    assert ("hold", "hold", -(TEXT_TOKENS * NANOS_READ + 4096 * NANOS_WRITTEN) // 2) in gateway.entries(half)


@pytest.mark.parametrize(
    ("fields", "rate"), [({}, 2000), ({"service_tier": "auto"}, 2000), ({"service_tier": "flex"}, 500)]
)
def test_a_request_that_matches_pays_its_own_price(gateway: TestGateway, fields: dict[str, Any], rate: int):
    response = ask(gateway, "rich", model="tiered", max_tokens=50, **fields)
    row = gateway.log(response.headers["x-request-id"])
    assert row["cost_nanos"] == row["usage"]["input"] * 1000 + row["usage"]["output"] * rate
    assert ("hold", "hold", -(TEXT_TOKENS * 1000 + 50 * rate)) in gateway.entries(row["request_id"])


def test_a_fraction_of_a_nano_is_rounded_up_once(gateway: TestGateway):
    row = gateway.log(ask(gateway, "rich", model="fractions").headers["x-request-id"])
    tokens = row["usage"]["input"] + row["usage"]["output"]
    assert 0 < tokens * Decimal("0.1") < row["cost_nanos"] < tokens * Decimal("0.1") + 1


def test_the_price_of_a_request_is_fixed_in_its_hold(gateway: TestGateway, upstreams: Sandbox):
    set_price(gateway, "changing", "1", "2")
    until(lambda: ask(gateway, "rich", model="changing").status_code == 200, "the first price is known")
    answers: list[httpx.Response] = []
    upstreams.hold()
    thread = threading.Thread(target=lambda: answers.append(ask(gateway, "rich", model="changing", max_tokens=50)))
    thread.start()
    until(lambda: upstreams.waiting == 1, "the request reached the upstream")
    set_price(gateway, "changing", "100", "200")
    upstreams.release(1)
    thread.join()
    upstreams.release()
    until(lambda: cost_of(gateway, "changing") == 3 * 100_000 + 3 * 200_000, "the second price is known")
    assert gateway.log(answers[0].headers["x-request-id"])["cost_nanos"] == 3 * 1000 + 3 * 2000


def set_price(gateway: TestGateway, model: str, read: str, written: str) -> None:
    with gateway.database() as database, changing(database) as change:
        store_price(change, model, Price({"input": Decimal(read), "output": Decimal(written)}), "database")


def cost_of(gateway: TestGateway, model: str) -> int:
    return gateway.log(ask(gateway, "rich", model=model).headers["x-request-id"])["cost_nanos"]
