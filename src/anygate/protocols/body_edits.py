"""Edits of a JSON body's top-level members in its bytes; everything else travels as it came."""

from collections.abc import Mapping, Sequence

import orjson

from anygate.protocols import json_spans
from anygate.protocols.chat_codec import Edits
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.json_spans import Buffer, Edit

_BACKSLASH, _COLON, _SPACE = b"\\: "


def edit_members(request: ChatRequest, changes: dict[str, bytes], edits: Edits) -> list[bytes | memoryview]:
    """The request's bytes in pieces, with members replaced or added, and others cut out.

    Args:
        request: the client's; its `model` member is changed where it has one and the upstream's name differs.
        changes: name -> JSON text, of the protocol's own fields. Consumed.
        edits: `set_body` wins over `changes`, and both over `drop_body`.
    """
    document = request.document
    if edits.model != request.model and "model" in document and "model" not in edits.drop_body:
        changes["model"] = orjson.dumps(edits.model)
    for name, value in edits.set_body.items():
        changes[name] = orjson.dumps(value)
    dropped = {name for name in edits.drop_body if name in document and name not in changes}
    raw = request.raw
    if not changes and not dropped:
        return [raw if isinstance(raw, bytes) else memoryview(raw)]
    if not dropped and all(name == "model" or name not in document for name in changes):
        return json_spans.apply(raw, _simple_edits(request, changes))
    return json_spans.apply(raw, _general_edits(request, changes, dropped))


def model_span(request: ChatRequest) -> tuple[int, int]:
    """Where the value of the top-level `model` stands."""
    raw = request.raw
    if request.spans is None and type(raw) is bytes:
        # Without spans (see chat_request) the top-level key is there once, but a text, or a key deeper down, may be "model"
        # too, or end so behind an escaped quote. The first member is that key; else it must be the only place.
        start = raw.find(b'"model"')
        alone = next(iter(request.document)) == "model" or raw.find(b'"model"', start + 7) < 0
        if start > 0 and alone and raw[start - 1] != _BACKSLASH and raw[start + 7] == _COLON:
            start += 9 if raw[start + 8] == _SPACE else 8
            text = orjson.dumps(request.model)
            end = start + len(text)
            if raw[start:end] == text:
                return start, end
    span = next(member for member in _spans(request) if member.name == "model")
    return span.value_start, span.value_end


def _spans(request: ChatRequest) -> list[json_spans.Member]:
    if request.spans is None:
        request.spans = json_spans.members(request.raw)
    return request.spans


def _general_edits(request: ChatRequest, changes: dict[str, bytes], dropped: set[str]) -> list[Edit]:
    spans = _spans(request)
    edits: list[Edit] = []
    for member in spans:
        text = changes.pop(member.name, None)
        if text is not None:
            edits.append(Edit(member.value_start, member.value_end, text))
    if changes:
        edits.append(_insertion(request.raw, changes, alone=len(dropped) == len(spans)))
    return edits + _removals(spans, dropped)


def _simple_edits(request: ChatRequest, changes: dict[str, bytes]) -> list[Edit]:
    edits: list[Edit] = []
    if "model" in changes and "model" in request.document:
        edits.append(Edit(*model_span(request), changes.pop("model")))
    if changes:
        edits.append(_insertion(request.raw, changes, alone=not request.document))
    return edits


def _insertion(raw: Buffer, changes: Mapping[str, bytes], *, alone: bool = False) -> Edit:
    """New members, put before all others (`alone`: there are no others)."""
    start = raw.find(b"{")
    text = b",".join(b"%b:%b" % (orjson.dumps(name), value) for name, value in changes.items())
    return Edit(start + 1, start + 1, text if alone else text + b",")


def _removals(spans: Sequence[json_spans.Member], dropped: set[str]) -> list[Edit]:
    """Cut members out together with one comma each: up to the next member, or back to the last one that stays."""
    edits: list[Edit] = []
    kept_end = -1
    for index, member in enumerate(spans):
        if member.name not in dropped:
            kept_end = member.value_end
        elif index + 1 < len(spans):
            edits.append(Edit(member.name_start, spans[index + 1].name_start, b""))
        else:
            while edits and edits[-1].end == member.name_start:
                member = member._replace(name_start=edits.pop().start)
            edits.append(Edit(kept_end if kept_end >= 0 else member.name_start, member.value_end, b""))
    return edits
