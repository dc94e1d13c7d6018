"""The client's key, in every form in which a known SDK sends one."""

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl

from anygate.canonical.errors import InvalidApiKey, InvalidRequest

KEY_HEADERS = frozenset(
    {b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key", b"mj-api-secret", b"xi-api-key"}
)
"""Headers that hold a client's key; none of them ever travels upstream."""

_AUTHORIZATION = frozenset({b"authorization"})
_HOLDS_KEY = KEY_HEADERS | {b"sec-websocket-protocol"}
_SCHEMES = (b"bearer", b"key", b"token")
_LONGEST = 512


def find_key(headers: Iterable[tuple[bytes, bytes]], query: bytes, named: Mapping[bytes, bytes] | None = None) -> bytes:
    """The one key that the request names.

    `Authorization: Bearer K`, bare `K`, `Key K` (fal) and `Token K` (Replicate, Vidu); the headers of
    KEY_HEADERS; `?key=K`; the realtime subprotocol `openai-insecure-api-key.K`.

    Args:
        headers: names in lower case.
        query: of the request's target.
        named: the headers by name, where each name is there once.

    Raises:
        InvalidApiKey: none is there.
        InvalidRequest: two that differ.
    """
    if named is not None and not query and _HOLDS_KEY.intersection(named) == _AUTHORIZATION:
        found = _bare(named[b"authorization"])
    else:
        found = _only(_keys(headers, query))
    if not found:
        raise InvalidApiKey("No API key was sent. Send it as `Authorization: Bearer sk-...`")
    if len(found) > _LONGEST:
        raise InvalidApiKey
    return found


def _only(keys: Iterable[bytes]) -> bytes:
    found = b""
    for key in keys:
        if key and key != found:
            if found:
                raise InvalidRequest("The request holds two different API keys; send one")
            found = key
    return found


def _keys(headers: Iterable[tuple[bytes, bytes]], query: bytes) -> Iterator[bytes]:
    for name, value in headers:
        if name in KEY_HEADERS:
            yield _bare(value) if name == b"authorization" else value.strip()
        elif name == b"sec-websocket-protocol":
            yield _subprotocol(value)
    if b"key=" in query:
        for field, text in parse_qsl(query.decode("latin-1")):
            if field == "key":
                yield text.encode("utf-8", "replace")


def _bare(value: bytes) -> bytes:
    scheme, space, key = value.strip().partition(b" ")
    if scheme.lower() in _SCHEMES:
        return key.strip()  # "Bearer" alone is an SDK without a key, not a key
    return b"" if space else scheme


def _subprotocol(value: bytes) -> bytes:
    for item in value.split(b","):
        name, _, key = item.strip().partition(b".")
        if name == b"openai-insecure-api-key":
            return key
    return b""
