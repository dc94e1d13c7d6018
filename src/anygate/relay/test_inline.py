"""Media by URL for upstreams that take data only: fetched, and named for what they are."""

import asyncio
import base64
from ipaddress import ip_network

import pytest

from anygate.canonical.blocks import Media, Text, ToolResult
from anygate.canonical.chat import Chat, Turn
from anygate.canonical.errors import InvalidRequest
from anygate.relay import inline
from anygate.relay.inline import MOST_URLS, inline_media
from anygate.upstream.test_fetch import LOOPBACK, answering, pages
from anygate.upstream.test_peers import client, serving

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(20)
ANSWERS = {
    "/picture": answering("200 OK", "content-type: application/octet-stream", body=PNG),
    "/lie.jpg": answering("200 OK", "content-type: image/jpeg", body=PNG),
    "/sound": answering("200 OK", body=WAV),
    "/paper.pdf": answering("200 OK", "content-type: text/plain", body=b"%PDF-1.4 x"),
    "/table.csv": answering("200 OK", "content-type: application/octet-stream", body=b"a,b"),
    "/page": answering("200 OK", "content-type: text/html; charset=utf-8", body=b"<p>"),
    "/unknown": answering("200 OK", body=b"abc"),
    "/named": answering("200 OK", body=b"abc"),
    "/large": answering("200 OK", body=bytes(60)),
    "/large2": answering("200 OK", body=bytes(60)),
}


def inlined(*medias: Media, wanted: bool = True) -> tuple[list[Media], list[str]]:
    """The media of a turn and of a tool's result after they were fetched; `{}` in a URL is the server."""
    seen: list[str] = []

    async def scenario() -> Chat:
        async with serving(pages(ANSWERS, seen)) as server, client() as upstream:
            placed = [Media(m.kind, m.mime, m.data, m.url.replace("{}", f"127.0.0.1:{server.port}")) for m in medias]
            result = ToolResult("c", (Text("see"), placed[-1]))
            chat = Chat("openai.chat", "m", (Turn("user", (Text("look"), *placed)), Turn("user", (result,))))
            return await inline_media(upstream, LOOPBACK, chat, lambda media: wanted)

    first, second = asyncio.run(scenario()).turns
    found = [block for block in first.blocks if isinstance(block, Media)]
    (result,) = second.blocks
    assert isinstance(result, ToolResult)
    assert result.blocks == (Text("see"), found[-1])
    return found, [line.partition(" ")[0] for line in seen]


@pytest.mark.parametrize(
    ("path", "given", "kind", "mime", "content"),
    [
        ("/picture", Media("image"), "image", "image/png", PNG),
        ("/lie.jpg", Media("image"), "image", "image/png", PNG),
        ("/sound", Media("file"), "audio", "audio/wav", WAV),
        ("/paper.pdf", Media("image"), "file", "application/pdf", b"%PDF-1.4 x"),
        ("/table.csv", Media("file"), "file", "text/csv", b"a,b"),
        ("/page", Media("file"), "file", "text/html", b"<p>"),
        ("/unknown", Media("file"), "file", "application/octet-stream", b"abc"),
        ("/named", Media("video", "video/mp4"), "video", "video/mp4", b"abc"),
    ],
)
def test_what_is_fetched_is_named_for_what_it_is(path: str, given: Media, kind: str, mime: str, content: bytes):
    (found,), _ = inlined(Media(given.kind, given.mime, url=f"http://{{}}{path}"))
    assert (found.kind, found.mime, found.url) == (kind, mime, "")
    assert base64.b64decode(found.data) == content


def test_one_url_is_fetched_once_and_nothing_else_is_touched():
    data, other = Media("image", "image/png", data="AAAA"), Media("image", url="gs://bucket/a")
    same = Media("image", url="HTTP://{}/picture")
    found, seen = inlined(data, other, same, same)
    assert seen == ["/picture"]
    assert found[:2] == [data, other]
    assert found[2] == found[3]
    assert inlined(same, wanted=False)[1] == []


def test_what_cannot_be_fetched_refuses_the_request_and_names_its_field():
    with pytest.raises(InvalidRequest) as caught:
        inlined(Media("image", url="http://{}/picture"), Media("image", url="http://{}/nothing"))
    assert caught.value.param == "messages"


def test_too_many_urls_are_refused_before_any_is_fetched():
    many = [Media("image", url=f"http://{{}}/{number}") for number in range(MOST_URLS + 1)]
    with pytest.raises(InvalidRequest, match=str(MOST_URLS)):
        inlined(*many)


def test_files_that_are_too_large_together_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inline, "MOST_BYTES", 100)
    large = [Media("file", url=f"http://{{}}/{name}") for name in ("large", "large2")]
    assert len(inlined(large[0])[0]) == 1
    with pytest.raises(InvalidRequest):
        inlined(*large)


def test_private_networks_stay_shut():
    async def scenario() -> None:
        async with serving(pages(ANSWERS)) as server, client() as upstream:
            media = Media("image", url=f"http://127.0.0.1:{server.port}/picture")
            chat = Chat("anthropic.messages", "m", (Turn("user", (media,)),))
            with pytest.raises(InvalidRequest):
                await inline_media(upstream, (ip_network("10.0.0.0/8"),), chat, lambda _: True)
            assert server.peers == []

    asyncio.run(scenario())
