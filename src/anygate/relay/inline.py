"""Media that a client named by URL and an upstream takes only as data: fetched through the address guard."""

import asyncio
import base64
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from anygate.canonical.blocks import Block, Media, Text, ToolResult
from anygate.canonical.chat import Chat
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.media_type import kind_of, mime_of, sniff_bytes
from anygate.protocols.parameter_names import client_name
from anygate.upstream.call import Upstream
from anygate.upstream.fetch import Fetched, fetch
from anygate.upstream.guard import Network

MOST_URLS = 32
MOST_BYTES = 64 << 20
"""Of all files of a request together."""

_AT_ONCE = 4
_SECONDS = 30.0
_VAGUE = frozenset({"", "application/octet-stream", "binary/octet-stream", "text/plain"})


async def inline_media(
    upstream: Upstream, networks: Sequence[Network], chat: Chat, wanted: Callable[[Media], bool]
) -> Chat:
    """The conversation with every wanted URL replaced by what is there.

    Args:
        upstream: the client.
        networks: private networks that URLs from clients may reach.
        chat: the request.
        wanted: `ChatCodec.inlines` of the upstream's protocol.

    Raises:
        InvalidRequest: a URL cannot be fetched, there are too many, or together they are too large.
    """
    urls = list(dict.fromkeys(media.url for media in _media(chat) if _is_remote(media) and wanted(media)))
    if not urls:
        return chat
    param = client_name(chat.protocol, "media")
    if len(urls) > MOST_URLS:
        raise InvalidRequest(f"The request names {len(urls)} URLs; at most {MOST_URLS} are fetched", param=param)
    got = await _fetch_all(upstream, networks, urls, param)
    turns = tuple(
        msgspec.structs.replace(turn, blocks=tuple(_replaced(block, got, wanted) for block in turn.blocks))
        for turn in chat.turns
    )
    return msgspec.structs.replace(chat, turns=turns)


async def _fetch_all(
    upstream: Upstream, networks: Sequence[Network], urls: Sequence[str], param: str
) -> dict[str, Fetched]:
    """A few at a time; together they never hold much more than MOST_BYTES."""
    got: dict[str, Fetched] = {}
    left = list(reversed(urls))
    room = MOST_BYTES

    async def one_after_the_other() -> None:
        nonlocal room
        while left:
            url = left.pop()
            got[url] = await fetch(
                upstream, url, networks=networks, most_bytes=max(room, 1), seconds=_SECONDS, param=param
            )
            room -= len(got[url].data)
            if room < 0:
                raise InvalidRequest("The files behind the request's URLs are too large together", param=param)

    workers = [asyncio.ensure_future(one_after_the_other()) for _ in range(min(_AT_ONCE, len(urls)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return got


def _is_remote(media: Media) -> bool:
    return media.url[:8].lower().startswith(("http://", "https://")) and not media.data


def _media(chat: Chat) -> Iterator[Media]:
    for turn in chat.turns:
        for block in turn.blocks:
            if isinstance(block, Media):
                yield block
            elif isinstance(block, ToolResult):
                yield from (inner for inner in block.blocks if isinstance(inner, Media))


def _replaced(block: Block, got: Mapping[str, Fetched], wanted: Callable[[Media], bool]) -> Block:
    if isinstance(block, Media):
        return _inlined(block, got, wanted)
    if isinstance(block, ToolResult):
        inner: list[Text | Media] = [
            _inlined(item, got, wanted) if isinstance(item, Media) else item for item in block.blocks
        ]
        return msgspec.structs.replace(block, blocks=tuple(inner))
    return block


def _inlined(media: Media, got: Mapping[str, Fetched], wanted: Callable[[Media], bool]) -> Media:
    found = got.get(media.url)
    if found is None or not wanted(media):
        return media
    mime = sniff_bytes(found.data[:64]) or ("" if found.mime in _VAGUE else found.mime)
    mime = mime or mime_of(media.url) or media.mime or found.mime or "application/octet-stream"
    data = base64.b64encode(found.data).decode()
    return msgspec.structs.replace(media, kind=kind_of(mime), mime=mime, data=data, url="")
