"""Lists of a user's own things, gathered from all accounts where they may lie."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

from anygate.canonical.errors import UpstreamError
from anygate.edge.exchange import RelayExchange
from anygate.observe.record import Record
from anygate.protocols.json_values import as_objects, object_of
from anygate.relay.gateway import Gateway
from anygate.relay.pages import page, query_of
from anygate.relay.pins import find_pins
from anygate.relay.resource_calls import admit, answer, call, channels_serving, unlogged
from anygate.routing.affinity import Place
from anygate.upstream.ask import Whole

MOST_PAGES = 100
"""Of an account's list that are looked through for a user's own things, 100 each."""

_PAGING = frozenset({"limit", "after", "before"})


async def list_resources(gateway: Gateway, exchange: RelayExchange, record: Record) -> None:
    """A list of the user's own things: those of the accounts' whose ids the user was given here.

    Raises:
        InvalidRequest: the page that is asked for is none.
        GatewayError: an upstream failed.
    """
    token, bill = await admit(gateway, exchange, record)
    told = unlogged
    try:
        query = query_of(exchange.query)
        documents: list[dict[str, Any]] = []
        for channel, credential in channels_serving(gateway, token, exchange.route.operation):
            place = channel.id, credential.id
            async for data in _listed(gateway, exchange, record, place, query):
                pins = await find_pins(gateway.keeper, token.user_id, [str(item.get("id")) for item in data])
                documents += (
                    item for item in data if (known := pins.get(str(item.get("id")))) and known.place == place
                )
        documents.sort(key=_created, reverse=query.get("order", "desc") == "desc")
        files = exchange.route.operation == "files.list"
        shown = page(documents, query, limit=10_000 if files else 20, most=10_000 if files else 100)
        headers = [(b"content-type", b"application/json")]
        answer(gateway, exchange, record, Whole(200, headers, orjson.dumps(shown), False))
        told = gateway.finished
    finally:
        bill.refund(told)


async def _listed(
    gateway: Gateway, exchange: RelayExchange, record: Record, place: Place, query: Mapping[str, str]
) -> AsyncIterator[list[dict[str, Any]]]:
    """All that one account has, page by page; nothing where it has no such list."""
    asked = {**{name: value for name, value in query.items() if name not in _PAGING}, "limit": "100"}
    for _ in range(MOST_PAGES):
        whole, _ = await call(gateway, exchange, record, [place], asked)
        if whole.status == 404:
            return
        if whole.status != 200:
            raise UpstreamError
        document = object_of(whole.body)
        data = as_objects(document.get("data"))
        yield data
        if not data or not document.get("has_more"):
            return
        asked["after"] = str(data[-1].get("id"))
    record.warnings = "list;more than can be looked through"


def _created(item: Mapping[str, Any]) -> float:
    moment = item.get("created_at")
    return moment if isinstance(moment, int | float) else 0
