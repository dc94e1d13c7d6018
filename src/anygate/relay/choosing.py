"""Which channels and keys are asked, in which order."""

from collections.abc import Sequence

from anygate.relay.asked import Asked
from anygate.routing.affinity import Place, conversation_id
from anygate.routing.directory import Candidate, Service, order

Chosen = tuple[bytes | None, Sequence[Candidate], str]


def choose(asked: Asked) -> Chosen:
    """The conversation's name if it matters where it goes, the candidates in order, and why the first is first."""
    gateway, service, request = asked.gateway, asked.service, asked.request
    if asked.place is not None:
        return None, _at(service, asked.place), "pinned"
    if service.only is not None:
        return None, service.only, "only channel"
    now = gateway.loop.time()
    named = request.cache_key
    conversation = conversation_id(asked.token.id, request.model, named, request.opening)
    follows = bool(named) or request.continued
    preferred = gateway.affinity.find(conversation, now) if follows else None
    breakers = gateway.breakers
    candidates = order(
        service.lines,
        available=lambda candidate: breakers.available(candidate.key, now),
        random=gateway.random,
        preferred=preferred,
        conversation=conversation if follows and preferred is None else None,
    )
    if preferred is not None and candidates[0].place == preferred:
        return conversation, candidates, "affinity"
    return conversation, candidates, "conversation" if follows else "weight"


def _at(service: Service, place: Place) -> list[Candidate]:
    """The one candidate that holds what the request names, natively."""
    return [
        candidate
        for line in service.lines
        if line.native and line.channel.id == place[0]
        for candidate in line.candidates
        if candidate.place == place
    ]
