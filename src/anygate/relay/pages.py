"""One page of a list that is complete here: OpenAI's `limit`, `after`, `before` and `order`.

Source: https://platform.openai.com/docs/api-reference/vector-stores/list (2026-11-22).
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from anygate.canonical.errors import InvalidRequest

Items = Sequence[Mapping[str, Any]]


def query_of(query: bytes) -> dict[str, str]:
    """The parameters of a query string, the first of each name; without the client's key."""
    return dict(reversed(pairs_of(query)))


def pairs_of(query: bytes) -> list[tuple[str, str]]:
    """The parameters of a query string in their order, names with several values included; without the client's key."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return [pair for pair in pairs if pair[0] != "key"]


def page(items: Items, query: Mapping[str, str], *, limit: int, most: int) -> dict[str, Any]:
    """The page that the parameters ask for.

    Args:
        items: all, each with its `id`, in the order asked for.
        query: the request's parameters.
        limit: where the request names none.
        most: that it may name.

    Raises:
        InvalidRequest: the limit is none, or there is nothing of the id that the page shall begin or end at.
    """
    first, last = 0, len(items)
    if query.get("after"):
        first = _place(items, query["after"], "after") + 1
    if query.get("before"):
        last = _place(items, query["before"], "before")
    size = _limit(query.get("limit", ""), limit, most)
    shown = list(items[first:last])
    if query.get("before") and not query.get("after"):
        shown, more = shown[-size:], len(shown) > size
    else:
        shown, more = shown[:size], len(shown) > size
    ends = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
    return {"object": "list", "data": shown, "first_id": ends[0], "last_id": ends[1], "has_more": more}


def _limit(text: str, default: int, most: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most):
        raise InvalidRequest(f"`limit` must be a number from 1 to {most}", param="limit")
    return int(text)


def _place(items: Items, name: str, param: str) -> int:
    for number, item in enumerate(items):
        if item["id"] == name:
            return number
    raise InvalidRequest(f"There is no {name!r} in this list", param=param)
