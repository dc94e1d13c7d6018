"""What must be true of every settled request: log row, ledger entries and wallet say the same."""

from typing import Any

from tests.gateways import TestGateway

NANOS_READ, NANOS_WRITTEN = 1_000, 2_000
"""Per token at `configuration.PRICES`, of any class."""

NANOS_SEARCHED = 30_000_000
"""Per search of the web."""


def billed(gateway: TestGateway, request_id: str, *, status: int = 200, evidence: str = "reported") -> dict[str, Any]:
    """The log row of a request that was paid at PRICES, proved against the ledger."""
    row = settled(gateway, request_id, status=status, evidence=evidence)
    usage = row["usage"]
    read = usage["input"] + usage["cached_input"] + usage["audio_input"]
    assert usage["output"] + usage["audio_output"] > 0
    written = usage["output"] + usage["audio_output"]
    searched = usage.get("searches", 0)
    assert row["cost_nanos"] == read * NANOS_READ + written * NANOS_WRITTEN + searched * NANOS_SEARCHED
    return row


def free(gateway: TestGateway, request_id: str, *, status: int, evidence: str = "none") -> dict[str, Any]:
    """The log row of a request that cost nothing, proved against the ledger."""
    row = settled(gateway, request_id, status=status, evidence=evidence)
    assert row["cost_nanos"] == 0
    return row


def settled(gateway: TestGateway, request_id: str, *, status: int, evidence: str) -> dict[str, Any]:
    """The log row of a request that held money: its entries come to the cost, its hold is closed once."""
    row = gateway.log(request_id)
    assert (row["status"], row["evidence"]) == (status, evidence)
    booked = [entry for entry in gateway.entries(request_id) if entry[1] != "overrun"]  # that is the operator's
    assert [step for step, _, _ in booked].count("close") == 1
    assert next(step for step, _, _ in booked if step != "close") == "hold"
    assert sum(amount for _, _, amount in booked) == -row["cost_nanos"]
    assert ("settle" if row["cost_nanos"] else "refund") in [kind for _, kind, _ in booked]
    assert request_id not in [subject for subject, _ in gateway.open_holds()]
    return row


def refused(gateway: TestGateway, request_id: str, *, status: int) -> dict[str, Any]:
    """The log row of a request that we refused before any money moved."""
    row = gateway.log(request_id)
    assert (row["status"], row["cost_nanos"], row["evidence"], row["attempts"]) == (status, 0, "none", [])
    assert gateway.entries(request_id) == []
    return row
