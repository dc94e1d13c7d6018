"""Where a candidate's requests go and how they begin; worked out once per (channel, key, model) and snapshot."""

from dataclasses import dataclass, field, replace

from anygate.canonical.errors import UpstreamError
from anygate.providers import registry
from anygate.providers.auth import auth_header, chosen_auth
from anygate.providers.table import Auth
from anygate.relay.headers import Headers
from anygate.routing.directory import Candidate
from anygate.upstream.call import Origin


@dataclass(frozen=True, slots=True)
class Target:
    """The origin, the request line with all headers of our own, and the names that those headers take.

    Attributes:
        defaults: sent unless the client sends its own.
        stream_usage: the upstream takes stream_options.include_usage.
        auth: how the credential is sent, where each request's header is made anew; None: it stands in `head`.
        region: of the channel, where requests are signed for one.
        method: of the request line.
        authority: the Host header.
        path: path and query, as a signature covers them.
    """

    origin: Origin
    head: bytes
    taken: frozenset[bytes]
    stream_usage: bool
    defaults: Headers = field(default_factory=list[tuple[bytes, bytes]])
    auth: Auth | None = None
    region: str = ""
    method: str = ""
    authority: str = ""
    path: str = ""


class Targets:
    """Targets by candidate; forgotten with the snapshot that they were made from."""

    def __init__(self) -> None:
        self._known: dict[tuple[Candidate, bool, str], Target] = {}

    def find(self, candidate: Candidate, stream: bool = False, form: str = "") -> Target:
        """The candidate's target.

        Args:
            candidate: channel and key.
            stream: a stream is asked for, which some upstreams serve at another path.
            form: `ChatRequest.stream_form`.

        Raises:
            UpstreamError: the channel's base URL or credential cannot be used; `anygate check` says why.
        """
        key = (candidate, stream, form)
        target = self._known.get(key)
        if target is None:
            try:
                target = _build(candidate, stream, form)
            except ValueError:
                raise UpstreamError(
                    "The channel is not configured rightly; the operator can run `anygate check`"
                ) from None
            if len(self._known) > 4096:
                self._known.clear()
            self._known[key] = target
        return target


def _build(candidate: Candidate, stream: bool, form: str) -> Target:
    line = candidate.line
    channel, provider, endpoint = line.channel, line.provider, line.endpoint
    if form == "array":
        endpoint = replace(endpoint, stream_query=endpoint.query)
    address = registry.address(provider, endpoint, channel.base_url, channel.options, line.model, stream=stream)
    own: dict[str, str] = {"host": address.authority}
    auth = chosen_auth(provider, endpoint, candidate.credential.values)
    header = auth_header(auth, candidate.credential.values) if auth.scheme == "header" else None
    if header is not None:
        own[header[0].lower()] = header[1].reveal()
    own["accept-encoding"] = "identity"
    own.update({name.lower(): value for name, value in channel.headers.items()})
    lines = [f"{endpoint.method} {address.target} HTTP/1.1\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in own.items()]
    origin = Origin(
        scheme=address.scheme,
        host=address.host,
        port=address.port,
        proxy=channel.proxy,
        limit=channel.max_concurrency,
        allow_private=channel.allow_private_network,
        channel=channel.name,
        timeouts=channel.timeouts,
    )
    return Target(
        origin=origin,
        head="".join(lines).encode("latin-1"),
        taken=frozenset(name.encode("latin-1") for name in own),
        defaults=[
            (name.lower().encode(), value.encode()) for name, value in endpoint.headers.items() if name not in own
        ],
        auth=auth if auth.scheme != "header" else None,
        region=str(registry.option_value(provider, "region", channel.options) or ""),
        method=endpoint.method,
        authority=address.authority,
        path=address.target,
        stream_usage=registry.takes_stream_usage(provider, channel.options),
    )
