"""Who can serve a model: the snapshot's channels and prices, arranged for look-up. Built once per snapshot."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from anygate.canonical.channel import Channel, Credential
from anygate.pricing.lookup import find_price, priced
from anygate.pricing.model import PricedModel
from anygate.providers import registry
from anygate.providers.speaking import family, speaks
from anygate.providers.table import Endpoint, Provider
from anygate.routing.affinity import Place, rendezvous
from anygate.routing.breaker import BreakerKey
from anygate.routing.patterns import best_match
from anygate.routing.snapshot import Snapshot

_ONE = Decimal(1)
_MOST_CACHED = 4096


class Candidate:
    """One (channel, key) that a request may be sent to.

    Attributes:
        place: channel and credential, by id.
        key: place and the upstream's model: what a breaker watches.
    """

    __slots__ = ("credential", "key", "line", "place")

    def __init__(self, line: "Line", credential: Credential) -> None:
        self.line = line
        self.credential = credential
        self.place: Place = (line.channel.id, credential.id)
        self.key: BreakerKey = (*self.place, line.model)

    def serving(self, document: Mapping[str, Any]) -> "Candidate":
        """The same channel and key, spoken to in a protocol that takes all members of the request; a null is none."""
        line = self.line
        if line.instead is None or all(document.get(name) is None for name in line.endpoint.refuses):
            return self
        return next(other for other in line.instead.candidates if other.place == self.place)


class Line:
    """A channel that serves a model, and how.

    Attributes:
        model: the upstream's name.
        native: in the client's own protocol.
        max_output: of the model; 0: unknown.
        instead: how a request is served that holds a member which the endpoint refuses.
        candidates: one for each key of the channel.
    """

    __slots__ = ("candidates", "channel", "endpoint", "instead", "max_output", "model", "native", "provider")

    def __init__(
        self,
        channel: Channel,
        provider: Provider,
        endpoint: Endpoint,
        model: str,
        native: bool = True,
        max_output: int = 0,
        instead: "Line | None" = None,
    ) -> None:
        self.channel = channel
        self.provider = provider
        self.endpoint = endpoint
        self.model = model
        self.native = native
        self.max_output = max_output
        self.instead = instead
        self.candidates = tuple(Candidate(self, credential) for credential in channel.credentials)


@dataclass(frozen=True, slots=True)
class Service:
    """All that a request for one model in one group needs to know."""

    lines: tuple[Line, ...]  # highest priority first
    price: PricedModel | None  # None: not priced
    max_output: int  # 0: unknown
    conditional: bool  # the price depends on parameters: ask `Directory.price_for`
    only: tuple[Candidate, ...] | None  # where there is nothing to choose


class Directory:
    """Look-ups over one snapshot; answers are cached, so a name that was asked before costs one dictionary access."""

    def __init__(self, snapshot: Snapshot, providers: Mapping[str, Provider]) -> None:
        self.snapshot = snapshot
        self._providers = providers
        self._channels = sorted(
            (channel for channel in snapshot.channels if channel.provider in providers and channel.credentials),
            key=lambda channel: -channel.priority,
        )
        self._services: dict[tuple[str, str, str, str], Service | None] = {}
        self._listed: dict[str, frozenset[str]] = {}
        self._nearest: dict[tuple[str, str], list[str]] = {}

    def service(self, model: str, operation: str, group: str, protocol: str = "") -> Service | None:
        """The channels and the price of a model, or None if no channel of the group serves it.

        Args:
            model: as the client named it.
            operation: what is wanted.
            group: of the token.
            protocol: the client's, by name. Chat is served in any, other operations only in this one; "": whichever.
        """
        key = (model, operation, group, protocol)
        try:
            return self._services[key]
        except KeyError:
            found = self._find(model, operation, group, protocol)
            if len(self._services) >= _MOST_CACHED:
                self._services.clear()
            self._services[key] = found
            return found

    def price_for(
        self, model: str, group: str, line: Line, parameters: Mapping[str, Any], *, upstream_model: str = ""
    ) -> PricedModel | None:
        """The price under `when` conditions that the request's parameters meet; of another model of the line's provider too."""
        price = find_price(model, upstream_model or line.model, self.snapshot.prices, line.provider)
        return priced(price, self.multiplier(group), parameters) if price is not None else None

    def lists(self, model: str, group: str) -> bool:
        """Is the name listed by a channel of the group, or priced, just as it stands?"""
        names = self._listed.get(group)
        if names is None:
            names = self._listed[group] = frozenset(
                name
                for channel in self._channels
                if group in channel.groups
                for name in (*_declared(channel, self._providers[channel.provider]), *channel.model_map)
            )
        return model in names or model in self.snapshot.prices

    def has_variant(self, base: str, name: str, group: str) -> bool:
        """May `name` be read as `base` with an ending?

        So it may where the base is listed or priced; or where a channel serves it by a wildcard (not by a bare "*", which
        says nothing) and its provider's table names the base, but not the whole name.
        """
        return self.lists(base, group) or any(
            _names(self._providers[channel.provider], base, name)
            and best_match((pattern for pattern in channel.models if pattern != "*"), base) is not None
            for channel in self._channels
            if group in channel.groups
        )

    def multiplier(self, group: str) -> Decimal:
        """The group's price multiplier."""
        return self.snapshot.groups.get(group, _ONE)

    def models(self, group: str, operation: str | None = None) -> list[tuple[str, Line]]:
        """Names that `/v1/models` lists for a group: served, priced, no wildcards; sorted."""
        names: dict[str, Line] = {}
        for channel in self._channels:
            if group not in channel.groups:
                continue
            provider = self._providers[channel.provider]
            for name in (*_declared(channel, provider), *channel.model_map):
                if "*" in name or name in names:
                    continue
                for wanted in [operation] if operation else dict.fromkeys(map(family, provider.endpoints)):
                    service = self.service(name, wanted, group)
                    if service is not None and (service.price is not None or service.conditional):
                        names[name] = service.lines[0]
                        break
        return sorted(names.items())

    def nearest(self, model: str, group: str) -> list[str]:
        """Up to three served names that look like `model`."""
        key = (model, group)
        found = self._nearest.get(key)
        if found is None:
            names = [name for name, _ in self.models(group)]
            if len(self._nearest) >= _MOST_CACHED:
                self._nearest.clear()
            found = self._nearest[key] = difflib.get_close_matches(model, names, n=3, cutoff=0.4)
        return found

    def _find(self, model: str, operation: str, group: str, protocol: str) -> Service | None:
        lines: list[Line] = []
        for channel in self._channels:
            provider = self._providers[channel.provider]
            if group not in channel.groups:
                continue
            if model not in channel.model_map and best_match(_declared(channel, provider), model) is None:
                continue
            upstream_model = channel.model_map.get(model, model)
            known = registry.model(provider, upstream_model)
            most = known.max_output if known else 0
            found = speaks(provider, operation, channel.options, channel.protocols, upstream_model)
            native = next((endpoint for endpoint in found if endpoint.protocol == protocol), None)
            if native is not None:
                instead = _instead(native, found)
                other = Line(channel, provider, instead, upstream_model, False, most) if instead is not None else None
                lines.append(Line(channel, provider, native, upstream_model, max_output=most, instead=other))
            elif found and (operation == "chat" or not protocol):
                lines.append(Line(channel, provider, found[0], upstream_model, not protocol, most))
        if not lines:
            return None
        first = lines[0]
        price = find_price(model, first.model, self.snapshot.prices, first.provider)
        single = len(lines) == 1 and len(first.channel.credentials) == 1
        return Service(
            lines=tuple(lines),
            price=priced(price, self.multiplier(group), {}) if price is not None else None,
            max_output=first.max_output,
            conditional=price is not None and bool(price.when),
            only=first.candidates if single else None,
        )


def order(
    lines: Sequence[Line],
    *,
    available: Callable[[Candidate], bool],
    random: Callable[[], float],
    preferred: Place | None = None,
    conversation: bytes | None = None,
) -> list[Candidate]:
    """Each (channel, key) once, in the order in which they are to be tried.

    Highest priority first; inside one, those that serve natively first, and among them by weight (by the conversation's own
    draw when it has one); the preferred place leads its priority; what a breaker holds back comes last, for the case that
    nothing else is left.
    """
    if len(lines) == 1 and len(lines[0].candidates) == 1:
        return list(lines[0].candidates)
    ready: list[tuple[int, bool, float, Candidate]] = []
    held: list[tuple[int, bool, float, Candidate]] = []
    for line in lines:
        channel = line.channel
        for candidate in line.candidates:
            if preferred == candidate.place:
                score = float("inf")
            elif conversation is not None:
                score = rendezvous(conversation, candidate.place, channel.weight) / len(channel.credentials)
            else:
                weight = channel.weight / len(channel.credentials)
                score = random() ** (1 / weight) if weight > 0 else -1.0
            rank = (-channel.priority, not line.native and preferred != candidate.place, -score, candidate)
            (ready if available(candidate) else held).append(rank)
    ready.sort(key=_rank)
    held.sort(key=_rank)
    return [candidate for *_, candidate in (*ready, *held)]


def _instead(native: Endpoint, found: Sequence[Endpoint]) -> Endpoint | None:
    """The endpoint for what the native one refuses; None: it refuses nothing, or no other takes it."""
    if not native.refuses:
        return None
    others = (other for other in found if other.protocol != native.protocol)
    return next((other for other in others if set(native.refuses).isdisjoint(other.refuses)), None)


def _rank(entry: tuple[int, bool, float, Candidate]) -> tuple[int, bool, float]:
    return entry[:3]


def _names(provider: Provider, base: str, name: str) -> bool:
    """Does the table have a row of its own for the base, and none for the whole name? Its wildcards say nothing here."""
    rows = {row.name for row in provider.models}
    return base in rows and name not in rows


def _declared(channel: Channel, provider: Provider) -> tuple[str, ...]:
    if channel.models:
        return channel.models
    names = tuple(model.name for model in provider.models)
    return (*names, "*") if provider.wildcard_models else names
