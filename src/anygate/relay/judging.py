"""What came of an attempt: may its answer go to the client, or shall another channel be asked?"""

from collections.abc import Mapping
from typing import Any, Literal

from anygate.canonical.errors import GatewayError, UpstreamInvalid
from anygate.relay.flow import Flow
from anygate.routing.failover import judge

Judged = tuple[GatewayError | None, Literal["good", "pass", "next"]]
"""The error, and what to do: "good" and "pass" (a refusal of the request itself) go to the client, "next" to another
channel."""


def judge_attempt(flow: Flow, error: GatewayError | None) -> Judged:
    """What came of an attempt that ended with this error, or with an answer."""
    if error is not None:
        return error, "next"
    if flow.status < 400:
        return _judge_answer(flow)
    verdict = judge(flow.status, flow.refusal())
    if not flow.complete:
        flow.stop()  # a refusal of more than a MiB: what came of it will do
    return None, verdict


_GOOD: Judged = (None, "good")
_NEXT: Judged = (None, "next")


def _judge_answer(flow: Flow) -> Judged:
    """Is an answer under a status of success one?"""
    meter = flow.meter
    if flow.is_sse:
        began_with = meter.first_error()
        if began_with is not None and not _is_request_fault(began_with):
            flow.stop()
            return _NEXT
        if flow.complete and meter.empty():
            return UpstreamInvalid("The upstream's stream held nothing that can be read"), "next"
        return _GOOD
    if flow.complete and not meter.readable(flow.body):
        return UpstreamInvalid("The upstream's answer is not JSON"), "next"
    disguised = meter.lone_error()
    if disguised is not None and not _is_request_fault(disguised):
        return _NEXT
    try:
        flow.translate()
    except GatewayError as error:
        return error, "next"
    return _GOOD


def _is_request_fault(error: Mapping[str, Any]) -> bool:
    """Of an error under status 200: some upstreams put the status that they mean into `code`."""
    code = error.get("code")
    meant = code if type(code) is int and 400 <= code < 500 else 0
    return error.get("type") == "invalid_request_error" or (meant > 0 and judge(meant, error) == "pass")
