"""Which headers cross the gateway: request headers by a deny-list, answers by the protocol's allow-list."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from anygate.edge.keys import KEY_HEADERS
from anygate.observe.record import Record

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"http2-settings",
}
_OURS = {b"host", b"content-length", b"accept-encoding", b"expect", b"cookie", b"cookie2", b"date"}
_FORWARDING = {
    b"forwarded",
    b"via",
    b"x-real-ip",
    b"true-client-ip",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"cdn-loop",
    b"fastly-client-ip",
    b"fly-client-ip",
    b"x-azure-clientip",
    b"x-envoy-external-address",
    b"x-original-forwarded-for",
    b"x-request-id",
}
_ACCOUNT = {b"openai-organization", b"openai-project", b"x-goog-user-project", b"x-amz-security-token"}
_TURNS = {b"x-goog-fieldmask", b"x-http-method-override"}
"""Would make another request of it: an answer without its usage, another method."""

_DENIED = frozenset(_HOP_BY_HOP | _OURS | _FORWARDING | _ACCOUNT | _TURNS | KEY_HEADERS)
_PLAIN_CONNECTIONS = (b"keep-alive", b"close")
_DENIED_PREFIXES = (
    *(b"x-anygate-", b"x-forwarded-", b"cf-", b"sec-websocket-", b"sec-fetch-"),
    *(b"x-amzn-bedrock-", b"x-vertex-ai-"),  # choose a dearer tier, beside the body that the price is found by
)


class _Plan(NamedTuple):
    """What to do with heads of the same names in the same order: `form` is filled with the values that `pick` takes."""

    form: bytes
    pick: Callable[[Mapping[bytes, bytes]], object] | None


_MOST_PLANS = 512
_LONGEST_PLANNED = 40  # headers; clients choose the names, so what is kept of them is bounded
_plans: dict[tuple[tuple[bytes, ...], frozenset[bytes]], _Plan] = {}


def request_lines(headers: Headers, taken: frozenset[bytes], named: Mapping[bytes, bytes] | None = None) -> bytes:
    """The client's headers that travel upstream, as header lines.

    Args:
        headers: names in lower case.
        taken: names that the channel or its credential sets itself.
        named: the headers by name, in their order, where each name is there once.
    """
    if named is None or (b"connection" in named and named[b"connection"].lower() not in _PLAIN_CONNECTIONS):
        return _request_lines(headers, taken)
    names = tuple(named)
    plan = _plans.get((names, taken))
    if plan is None:
        plan = _plan(names, taken)
        if len(names) <= _LONGEST_PLANNED and sum(map(len, names)) < 40 * _LONGEST_PLANNED:
            if len(_plans) >= _MOST_PLANS:
                _plans.clear()
            _plans[names, taken] = plan
    return plan.form if plan.pick is None else plan.form % plan.pick(named)


def _plan(names: Sequence[bytes], taken: frozenset[bytes]) -> _Plan:
    kept = [
        name for name in names if name not in _DENIED and name not in taken and not name.startswith(_DENIED_PREFIXES)
    ]
    form = b"".join(b"%b: %%b\r\n" % name.replace(b"%", b"%%") for name in kept)
    return _Plan(form, itemgetter(*kept) if kept else None)


def _request_lines(headers: Headers, taken: frozenset[bytes]) -> bytes:
    named: frozenset[bytes] = frozenset()
    parts: list[bytes] = []
    for name, value in headers:
        if name in _DENIED:
            if name == b"connection" and value.lower() not in _PLAIN_CONNECTIONS:
                named |= {item.strip().lower() for item in value.split(b",")}
        elif name not in taken and not name.startswith(_DENIED_PREFIXES):
            parts += (name, b": ", value, b"\r\n")
    if named:
        return _request_lines([pair for pair in headers if pair[0] not in named and pair[0] != b"connection"], taken)
    return b"".join(parts)


def default_lines(headers: Headers, defaults: Headers) -> bytes:
    """Those of the `defaults` that the client does not send itself, as header lines."""
    sent = {name for name, _ in headers}
    return b"".join(b"%b: %b\r\n" % pair for pair in defaults if pair[0] not in sent)


def answer_headers(headers: Iterable[tuple[bytes, bytes]], allowed: frozenset[bytes]) -> Headers:
    """The upstream's headers that reach the client: no cookies, no account ids, no limits of the operator's account."""
    return [pair for pair in headers if pair[0] in allowed]


def value_of(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    """The first value of a header, or b""."""
    for name, value in headers:
        if name == wanted:
            return value
    return b""


def own_headers(record: Record) -> Headers:
    """`x-request-id`, the time that was ours and what could not be carried, as the record has them."""
    headers = [
        (b"x-request-id", record.request_id.encode()),
        (b"x-anygate-overhead-ms", b"%.2f" % record.overhead_ms),
    ]
    if record.warnings:
        headers.append((b"x-anygate-warnings", record.warnings.encode()))
    return headers
