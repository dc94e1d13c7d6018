"""Lists in pages, as OpenAI's files, vector stores and responses give them.

Source: https://platform.openai.com/docs/api-reference/files/list (2026-11-22): `limit` 1 to 100 (files 10,000), `order`
by creation, newest first where none is named, `after` and `before` an id.
"""

from collections.abc import Mapping, Sequence

from anygate.sandbox.json_values import Json
from anygate.sandbox.openai_checks import number
from anygate.sandbox.openai_errors import wrong_value
from anygate.sandbox.refusal import Refused


def page(items: Sequence[Json], query: Mapping[str, str], *, default: int = 20, most: int = 100) -> Json:
    """One page of objects, given oldest first, each with its `id`.

    Raises:
        Refused: a parameter cannot be used.
    """
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise wrong_value("order", order, ("asc", "desc"))
    limit = query.get("limit", str(default))
    if not limit.isdecimal():
        message = f"Invalid type for 'limit': expected an integer, but got '{limit[:40]}' instead."
        raise Refused(400, "invalid_type", message, param="limit")
    number(1, most, whole=True)("limit", int(limit[:6]))
    listed = list(items) if order == "asc" else list(reversed(items))
    ids = [item["id"] for item in listed]
    start = _place(ids, query, "after", -1) + 1
    end = _place(ids, query, "before", len(ids))
    found = listed[start:end]
    size = int(limit[:6])
    backwards = "before" in query and "after" not in query
    shown = found[-size:] if backwards else found[:size]
    first, last = (shown[0]["id"], shown[-1]["id"]) if shown else ("", "")
    return {"object": "list", "data": shown, "first_id": first, "last_id": last, "has_more": len(shown) < len(found)}


def _place(ids: list[str], query: Mapping[str, str], name: str, otherwise: int) -> int:
    if name not in query:
        return otherwise
    if query[name] not in ids:
        message = f"No object with the id '{query[name][:80]}' is in this list."
        raise Refused(400, "invalid_value", message, param=name)
    return ids.index(query[name])
