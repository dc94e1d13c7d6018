"""One request of the log, told to an operator who asks why it was slow, expensive, refused or sent twice."""

from collections.abc import Mapping, Sequence
from typing import Any

from anygate.canonical.money import usd_text

EVIDENCE = {
    "reported": "the upstream reported the usage",
    "drained": "the upstream reported the usage after the client had gone",
    "counted": "the usage was counted in what was delivered",
    "none": "nothing was used",
    "lost": "the process that served it died, and what was held went back",
}
"""What each kind of evidence says."""

_EACH = frozenset({"images", "seconds", "songs", "requests"})
"""Classes that are priced each; all others are priced per million."""


def tell(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A full record (`observe.rows.document_of`) -> titles and texts; a title of "" goes on with the one above it."""
    told = [
        ("request", document["request_id"]),
        ("time", document["time"]),
        ("asked", _asked(document)),
        ("who", _who(document)),
        ("model", _renamed(document["model"], document["upstream_model"])),
        ("status", f"{document['status']} {document['error']}"),
        ("took", _took(document)),
        *_under("attempts", [_attempt(attempt) for attempt in document["attempts"]]),
        ("usage", ", ".join(f"{count} {name}" for name, count in document["usage"].items() if count)),
        ("cost", _cost(document)),
        *_under("", _bill(document)),
        ("warnings", document["warnings"]),
    ]
    return [(title, text.strip()) for title, text in told if text.strip()]


def _under(title: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    return [("" if place else title, text) for place, text in enumerate(texts)]


def _asked(document: Mapping[str, Any]) -> str:
    streamed = ", streamed" if document["stream"] else ""
    sizes = f"{document['request_bytes']} bytes sent, {document['response_bytes']} answered"
    client = f", from {document['client_ip']}" if document["client_ip"] else ""
    return f"{document['method']} {document['path']}{streamed}, {sizes}{client}"


def _who(document: Mapping[str, Any]) -> str:
    if not document["user"]:
        return ""
    return f'user "{document["user"]}", token "{document["token"]}", group "{document["group"]}"'


def _renamed(asked: str, sent: str) -> str:
    return f"{asked}, at the upstream {sent}" if sent and sent != asked else asked


def _took(document: Mapping[str, Any]) -> str:
    first = f", first token after {_milliseconds(document['first_token_ms'])}" if document["first_token_ms"] else ""
    own = _milliseconds(document["overhead_ms"])
    return f"{_milliseconds(document['latency_ms'])}{first}, the gateway itself {own} until the answer began"


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms"


def _attempt(attempt: Mapping[str, Any]) -> str:
    why, _, came_of_it = attempt["reason"].partition("; ")
    status = attempt["status"] or "no answer"
    ended = f" ({came_of_it})" if came_of_it and came_of_it != str(status) else ""
    return f"{attempt['channel']}: {status}{ended} after {attempt['milliseconds']} ms; why: {why}"


def _cost(document: Mapping[str, Any]) -> str:
    late = "; settled after its hold was given back, so nothing was moved" if document["settled_late"] else ""
    overrun = document["overrun_nanos"]
    beyond = f"; {usd_text(overrun)} USD more could not be paid" if overrun else ""
    told = EVIDENCE.get(document["evidence"], document["evidence"])
    return f"{usd_text(document['cost_nanos'])} USD; {told}{beyond}{late}"


def _bill(document: Mapping[str, Any]) -> list[str]:
    price: Mapping[str, Any] = document["price"] or {}
    multiplier = str(price.get("multiplier", "1"))
    times = f", times {multiplier}" if multiplier != "1" else ""
    lines = [
        f"{line['quantity']} {line['class']} at {line['usd']} USD {_unit(line['class'])}{times}"
        for line in document["price_lines"]
    ]
    return [*lines, f"price: {price['source']}"] if lines and price.get("source") else lines


def _unit(counted: str) -> str:
    return "each" if counted in _EACH else "per million"
