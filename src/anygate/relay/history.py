"""Conversations that are continued by the id of an answer: kept by an upstream, or by the gateway where it cannot."""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from anygate.canonical.errors import InvalidRequest, PreviousNotFound
from anygate.protocols import json_spans
from anygate.protocols.chat_codec import ChatCodec
from anygate.protocols.chat_request import ChatRequest
from anygate.relay.pins import common_place, find_pin
from anygate.routing.affinity import Place
from anygate.state.keeper import Keeper

ANSWER = "answer"
KEPT_SECONDS = 30 * 86_400.0
MOST_BYTES = 64 << 20

logger = logging.getLogger("anygate.relay")


class KeptAnswer(msgspec.Struct):
    """An answer that the gateway keeps: what was asked, its history included, and the protocol's answer object.

    `native`: the id under which an upstream keeps it, too, and with it a history that is only there.
    """

    document: dict[str, Any]
    answer: dict[str, Any]
    native: str = ""


class Bound(msgspec.Struct):
    """What a request is tied to.

    Attributes:
        request: with its history in place of the id, where the gateway keeps it.
        place: the only one that can serve it, where an upstream keeps something that it names.
    """

    request: ChatRequest
    place: Place | None = None


def refers(codec: ChatCodec, request: ChatRequest) -> bool:
    """Does the request name something that must be looked up?"""
    return bool(request.previous) or (codec.references is not None and bool(codec.references(request)))


async def bind(keeper: Keeper, user_id: int, codec: ChatCodec, request: ChatRequest) -> Bound:
    """Look up what the request refers to.

    Raises:
        PreviousNotFound: the answer that it continues is not there.
        NotFound, InvalidRequest: as `pins.common_place`.
    """
    place: Place | None = None
    if codec.references is not None and (names := codec.references(request)):
        place = await common_place(keeper, user_id, names, "file_id")
    if not request.previous or codec.state is None:
        return Bound(request, place)
    kept = await find_answer(keeper, user_id, request.previous)
    if kept is not None:
        _check_complete(kept)
        if not kept.native:
            history = codec.state.conversation_of(kept.document.get("input"), kept.answer.get("output") or [])
            return Bound(_spanned(codec.state.with_history(request, history)), place)
        request = _renamed(request, kept.native)
    pinned = await find_pin(keeper, user_id, request.previous)
    if pinned is None:
        raise PreviousNotFound(
            f"Previous response with id {request.previous!r} not found", param="previous_response_id"
        )
    if place not in (None, pinned.place):
        raise InvalidRequest("The request names things that lie at different places", param="previous_response_id")
    request.text_bytes += pinned.tokens * 2  # the upstream adds the history: the hold must cover it
    request.continued = True
    return Bound(request, pinned.place)


def _check_complete(kept: KeptAnswer) -> None:
    status = kept.answer.get("status")
    if status not in ("completed", "incomplete"):
        raise InvalidRequest(f"The previous response is {status}; it cannot be continued", param="previous_response_id")


def _renamed(request: ChatRequest, name: str) -> ChatRequest:
    """The request with the upstream's own id of the answer that it continues."""
    document = {**request.document, "previous_response_id": name}
    renamed = msgspec.structs.replace(request, raw=orjson.dumps(document), document=document, previous=name)
    return _spanned(renamed)


def _spanned(request: ChatRequest) -> ChatRequest:
    """A request whose bytes are ours: what may stand in them twice was never looked for, so its members are."""
    request.spans = json_spans.members(request.raw)
    return request


async def find_answer(keeper: Keeper, user_id: int, name: str) -> KeptAnswer | None:
    """An answer that the gateway keeps for the user."""
    value = await keeper.find(user_id, ANSWER, name)
    return msgspec.json.decode(value, type=KeptAnswer) if value is not None else None


def keep_answer(
    keeper: Keeper, user_id: int, document: Mapping[str, Any], answer: Mapping[str, Any], native: str = ""
) -> None:
    """Keep an answer and what was asked; see `KeptAnswer`."""
    name = answer.get("id")
    if not isinstance(name, str) or not name:
        return
    value = orjson.dumps({"document": document, "answer": answer, "native": native})
    if len(value) > MOST_BYTES:
        logger.warning("the answer %s is not kept: with what was asked it has %d bytes", name, len(value))
        return
    keeper.keep(user_id, ANSWER, name, value, KEPT_SECONDS)
