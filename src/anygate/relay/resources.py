"""Things that live in one upstream account: files, vector stores, kept answers. Made at a channel, reached by their ids."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from anygate.canonical.errors import InvalidRequest, NotFound
from anygate.canonical.token import Token
from anygate.edge.exchange import RelayExchange
from anygate.observe.record import Record
from anygate.protocols.chat_request import decode_object
from anygate.protocols.json_values import object_of
from anygate.relay.gateway import Gateway
from anygate.relay.pins import common_place, find_pin, pin, unpin
from anygate.relay.resource_calls import admit, answer, call, channels_serving, unlogged
from anygate.routing.affinity import Place
from anygate.upstream.ask import Whole

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,255}")


class Resource(NamedTuple):
    """How a route of this kind is served.

    Attributes:
        holder: the path parameter that names the thing whose place serves the request; "": a new thing, at any place.
        references: members of the JSON body that name things which must lie at the same place; "files.file_id" is the
            member `file_id` of each object in the list `files`.
        gone: the thing that the path names is deleted by it.
    """

    holder: str = ""
    references: tuple[str, ...] = ()
    gone: bool = False


async def serve_resource(gateway: Gateway, exchange: RelayExchange, record: Record) -> None:
    """Hand a request on to the place where its thing lies, or to any for a new thing.

    Raises:
        NotFound: the user has no such thing.
        GatewayError: no channel serves this, or the upstream failed.
    """
    token, bill = await admit(gateway, exchange, record)
    told = unlogged
    try:
        resource = RESOURCES[exchange.route.operation]
        places = await _places(gateway, exchange, token, resource)
        whole, place = await call(gateway, exchange, record, places)
        if 200 <= whole.status < 300:
            await _remember(gateway, exchange, token, resource, place, whole)
        answer(gateway, exchange, record, whole)
        told = gateway.finished
    finally:
        bill.refund(told)


async def _places(gateway: Gateway, exchange: RelayExchange, token: Token, resource: Resource) -> Sequence[Place]:
    """Where the request may go."""
    keeper, place = gateway.keeper, None
    for name, value in exchange.parameters.items():
        if not _ID.fullmatch(value):  # "..", and all else that a path could mistake
            raise NotFound(f"There is no {value!r}", param=name)
    if resource.holder:
        name = exchange.parameters[resource.holder]
        found = await find_pin(keeper, token.user_id, name)
        if found is None:
            raise NotFound(f"There is no {name!r}", param=resource.holder)
        place = found.place
    if names := _named(exchange, resource):
        other = await common_place(keeper, token.user_id, names, resource.references[0])
        if None not in (place, other) and place != other:
            raise InvalidRequest("The files and stores of one request must have been made in one place")
        place = place or other
    if place is not None:
        return [place]
    places = [(channel.id, key.id) for channel, key in channels_serving(gateway, token, exchange.route.operation)]
    if not places:
        raise NotFound("No channel serves this")
    return places


def _named(exchange: RelayExchange, resource: Resource) -> list[str]:
    """The ids that the body's members name.

    Raises:
        InvalidRequest: the body can be read in two ways, so that the upstream might find other ids in it.
    """
    if not resource.references or not exchange.body.size:
        return []
    document, _ = decode_object(exchange.body.buffer())
    return [name for path in resource.references for name in _texts(document, path.split("."))]


def _texts(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(item, path)
    elif path and isinstance(value, dict):
        yield from _texts(cast("dict[str, Any]", value).get(path[0]), path[1:])
    elif not path and isinstance(value, str):
        yield value


async def _remember(
    gateway: Gateway, exchange: RelayExchange, token: Token, resource: Resource, place: Place, whole: Whole
) -> None:
    keeper = gateway.keeper
    if resource.gone:
        await unpin(keeper, token.user_id, exchange.parameters[resource.holder])
        return
    made = object_of(whole.body).get("id")
    if not resource.holder and isinstance(made, str) and made:  # what only joins a store was made elsewhere
        pin(keeper, token.user_id, made, place)
        await keeper.settled()


RESOURCES: Mapping[str, Resource] = {
    "files.create": Resource(),
    "files.retrieve": Resource("file_id"),
    "files.delete": Resource("file_id", gone=True),
    "files.content": Resource("file_id"),
    "vector_stores.create": Resource(references=("file_ids",)),
    "vector_stores.retrieve": Resource("vector_store_id"),
    "vector_stores.modify": Resource("vector_store_id"),
    "vector_stores.delete": Resource("vector_store_id", gone=True),
    "vector_stores.search": Resource("vector_store_id"),
    "vector_stores.files.create": Resource("vector_store_id", references=("file_id",)),
    "vector_stores.files.list": Resource("vector_store_id"),
    "vector_stores.files.retrieve": Resource("vector_store_id"),
    "vector_stores.files.modify": Resource("vector_store_id"),
    "vector_stores.files.delete": Resource("vector_store_id"),
    "vector_stores.files.content": Resource("vector_store_id"),
    "vector_stores.file_batches.create": Resource("vector_store_id", references=("file_ids", "files.file_id")),
    "vector_stores.file_batches.retrieve": Resource("vector_store_id"),
    "vector_stores.file_batches.cancel": Resource("vector_store_id"),
    "vector_stores.file_batches.list_files": Resource("vector_store_id"),
    "responses.retrieve": Resource("response_id"),
    "responses.delete": Resource("response_id", gone=True),
    "responses.cancel": Resource("response_id"),
    "responses.input_items": Resource("response_id"),
}
"""Operation -> how it is served."""
