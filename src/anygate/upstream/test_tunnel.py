"""Proxies: CONNECT, absolute form, SOCKS5, TLS within TLS."""

import asyncio
import base64
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from anygate.canonical.errors import UpstreamCertificate, UpstreamUnreachable
from anygate.upstream.call import Origin
from anygate.upstream.test_peers import (
    HEAD,
    OK,
    Peer,
    always,
    answered,
    authority,
    client,
    on_both_loops,
    server_tls,
    serving,
    to_loopback,
    trusting,
)

Script = Callable[[Peer], Coroutine[Any, Any, None]]


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def join(peer: Peer, port: int) -> None:
    """Carry bytes between the peer and a port of this machine until one side leaves."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    tasks = [asyncio.ensure_future(pump(peer.reader, writer)), asyncio.ensure_future(pump(reader, peer.writer))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.transport.abort()


def connect_proxy(seen: list[bytes], answer: bytes = b"HTTP/1.1 200 Connected\r\n\r\n") -> Script:
    async def script(peer: Peer) -> None:
        head = await peer.reader.readuntil(b"\r\n\r\n")
        seen.append(head)
        await peer.send(answer)
        if b" 200 " in answer:
            await join(peer, int(head.split(b" ")[1].rpartition(b":")[2]))

    return script


def socks_proxy(seen: list[tuple[bytes, bytes]], login: tuple[bytes, bytes] | None = None, reply: int = 0) -> Script:
    async def script(peer: Peer) -> None:
        _, count = await peer.reader.readexactly(2)
        methods = await peer.reader.readexactly(count)
        if login is None:
            await peer.send(b"\x05\x00")
        else:
            assert 2 in methods
            await peer.send(b"\x05\x02")
            _, size = await peer.reader.readexactly(2)
            user = await peer.reader.readexactly(size)
            password = await peer.reader.readexactly((await peer.reader.readexactly(1))[0])
            await peer.send(b"\x01\x00" if (user, password) == login else b"\x01\x01")
        *_, kind = await peer.reader.readexactly(4)
        size = {1: 4, 4: 16}.get(kind) or (await peer.reader.readexactly(1))[0]
        host, port = await peer.reader.readexactly(size), await peer.reader.readexactly(2)
        seen.append((bytes([kind]), host))
        await peer.send(b"\x05" + bytes([reply]) + b"\x00\x03\x04here\x00\x01")
        if not reply:
            await join(peer, int.from_bytes(port, "big"))

    return script


@on_both_loops
async def test_an_http_proxy_tunnels_https():
    seen: list[bytes] = []
    async with (
        serving(always(OK), tls=server_tls()) as server,
        serving(connect_proxy(seen)) as proxy,
        client(tls_context=trusting()) as upstream,
    ):
        origin = server.origin("https", "upstream.example", f"http://user:pass%20word@127.0.0.1:{proxy.port}")
        for _ in range(2):
            assert (await answered(upstream, origin)).body == b"ok"
    target = b"upstream.example:%d" % server.port
    login = base64.b64encode(b"user:pass word")
    assert seen == [
        b"CONNECT %b HTTP/1.1\r\nhost: %b\r\nproxy-authorization: Basic %b\r\n\r\n" % (target, target, login)
    ]


@on_both_loops
async def test_a_certificate_behind_a_proxy_is_verified():
    wrong = server_tls(authority().issue_cert("other.example"))
    async with (
        serving(always(OK), tls=wrong) as server,
        serving(connect_proxy([])) as proxy,
        client(tls_context=trusting()) as upstream,
    ):
        origin = server.origin("https", "upstream.example", f"http://127.0.0.1:{proxy.port}")
        assert type((await answered(upstream, origin)).error) is UpstreamCertificate
        assert upstream.connections(origin) == 0


@on_both_loops
async def test_an_https_proxy_tunnels_tls_in_tls():
    seen: list[bytes] = []
    async with (
        serving(always(OK), tls=server_tls()) as server,
        serving(connect_proxy(seen), tls=server_tls()) as proxy,
        client(tls_context=trusting()) as upstream,
    ):
        origin = server.origin("https", "upstream.example", f"https://127.0.0.1:{proxy.port}")
        for _ in range(2):
            assert (await answered(upstream, origin)).body == b"ok"
    assert len(seen) == 1


@on_both_loops
async def test_a_proxy_is_asked_for_plain_http_in_absolute_form():
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            seen.append((await peer.request())[0])
            await peer.send(OK)

    async with serving(script) as proxy, client() as upstream:
        origin = Origin("http", "upstream.example", 8080, f"http://u:p@127.0.0.1:{proxy.port}", allow_private=True)
        for _ in range(2):
            assert (await answered(upstream, origin)).body == b"ok"
        assert len(proxy.peers) == 1
    line = b"POST http://upstream.example:8080/v1/chat/completions HTTP/1.1\r\n"
    rest = HEAD.partition(b"\r\n")[2]
    assert seen == [line + b"proxy-authorization: Basic dTpw\r\n" + rest + b"content-length: 2\r\n\r\n"] * 2


@on_both_loops
async def test_a_proxy_that_refuses_says_so_without_its_password():
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    expected = "The proxy refused its user or password (status 407)."
    async with serving(connect_proxy([], refusal)) as tunnels, serving(always(refusal)) as plain, client() as upstream:
        for scheme, proxy in (("https", tunnels), ("http", plain)):
            origin = Origin(
                scheme, "upstream.example", 80, f"http://u:hunter2@127.0.0.1:{proxy.port}", allow_private=True
            )
            sink = await answered(upstream, origin)
            assert (type(sink.error), str(sink.error)) == (UpstreamUnreachable, expected)
            assert upstream.connections(origin) == 0


@on_both_loops
async def test_a_proxy_that_answers_nonsense_or_nothing_is_an_unreachable_upstream():
    for answer in (b"hello\r\n\r\n", b"HTTP/1.1 503 No\r\n\r\n", b"", b"x" * 40_000, b"HTTP/1.1 200 OK\r\n\r\nstray"):
        async with serving(connect_proxy([], answer)) as proxy, client() as upstream:
            origin = Origin("https", "upstream.example", 9, f"http://127.0.0.1:{proxy.port}", allow_private=True)
            sink = await answered(upstream, origin)
            assert type(sink.error) is UpstreamUnreachable
            assert upstream.connections(origin) == 0


@on_both_loops
async def test_socks5h_lets_the_proxy_look_the_name_up_and_socks5_does_not():
    seen: list[tuple[bytes, bytes]] = []
    async with (
        serving(always(OK), tls=server_tls()) as secure,
        serving(always(OK)) as plain,
        serving(socks_proxy(seen, (b"us:er", b"pass"))) as proxy,
        client(tls_context=trusting(), look_up=to_loopback) as upstream,
    ):
        login = f"us%3Aer:pass@127.0.0.1:{proxy.port}"
        for scheme, server in (("https", secure), ("http", plain)):
            for socks in ("socks5", "socks5h"):
                origin = server.origin(scheme, "upstream.example", f"{socks}://{login}")
                for _ in range(2):
                    assert (await answered(upstream, origin)).body == b"ok"
    assert seen == [(b"\x01", b"\x7f\0\0\x01"), (b"\x03", b"upstream.example")] * 2


@on_both_loops
async def test_a_socks_proxy_that_refuses_says_why():
    async with (
        serving(socks_proxy([], (b"user", b"right"))) as strict,
        serving(socks_proxy([], reply=5)) as failing,
        client() as upstream,
    ):
        for proxy, login, expected in (
            (strict, "user:wrong@", "The proxy refused its user or password."),
            (failing, "", "The proxy was refused by the upstream."),
        ):
            origin = Origin(
                "http", "upstream.example", 9, f"socks5h://{login}127.0.0.1:{proxy.port}", allow_private=True
            )
            assert str((await answered(upstream, origin)).error) == expected


@on_both_loops
async def test_the_environments_proxy_serves_channels_that_name_none():
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append((await peer.request())[0])
        await peer.send(OK)

    async with serving(script) as proxy, serving(always(OK)) as server:
        environ = {"http_proxy": f"http://127.0.0.1:{proxy.port}"}
        async with client(environ=environ, look_up=to_loopback) as upstream:
            # The proxy stands in a private network; the environment is trusted with that.
            assert (await answered(upstream, Origin("http", "upstream.example", 80))).body == b"ok"
            assert (await answered(upstream, server.origin("http", proxy=""))).body == b"ok"  # loopback
            assert (await answered(upstream, server.origin("http", "a.example", "direct"))).body == b"ok"
    assert len(seen) == 1
    assert seen[0].startswith(b"POST http://upstream.example:80/v1/")


@on_both_loops
async def test_a_call_cancelled_within_the_tls_handshake_or_the_proxys_leaks_nothing():
    async def silent(peer: Peer) -> None:
        await peer.reader.read(1)
        arrived.set()
        await peer.gone()

    arrived = asyncio.Event()
    async with serving(silent) as server, client(tls_context=trusting()) as upstream:
        for proxy in ("direct", f"http://127.0.0.1:{server.port}", f"socks5h://127.0.0.1:{server.port}"):
            arrived.clear()
            origin = server.origin("https", "127.0.0.1", proxy)
            waiting = asyncio.ensure_future(answered(upstream, origin))
            await arrived.wait()
            assert upstream.connections(origin) == 1
            upstream_call = next(upstream._pools[origin].calls())  # pyright: ignore[reportPrivateUsage] - the sink's own call
            upstream_call.cancel()
            waiting.cancel()
            assert upstream.connections(origin) == 0
            await server.peers[-1].left.wait()
