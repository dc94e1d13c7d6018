"""Connect, queue, idle and total timeouts."""

import asyncio

from anygate.canonical.errors import UpstreamBusy, UpstreamTimeout
from anygate.upstream.test_peers import (
    HEAD,
    OK,
    Listener,
    Peer,
    always,
    answered,
    client,
    eventually,
    on_both_loops,
    serving,
)


@on_both_loops
async def test_calls_at_the_same_time_have_connections_of_their_own_and_the_last_used_is_taken_first():
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % peer.number)

    async with serving(script) as server, client() as upstream:
        sinks = [Listener() for _ in range(3)]
        for sink in sinks:
            upstream.send(server.origin(), HEAD, [b"{}"], sink)
        await asyncio.gather(*(sink.over() for sink in sinks))
        assert len(server.peers) == 3
        last = (await answered(upstream, server.origin())).body
        assert (await answered(upstream, server.origin())).body == last


@on_both_loops
async def test_a_queued_call_that_waits_too_long_is_told_that_the_channel_is_busy():
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    async with serving(script) as server, client() as upstream:
        origin = server.origin(limit=1, connect=0.05)
        first, second = Listener(), Listener()
        upstream.send(origin, HEAD, [], first)
        upstream.send(origin, HEAD, [], second)
        assert isinstance((await second.over()).error, UpstreamBusy)
        assert first.calls == []


@on_both_loops
async def test_no_byte_for_the_idle_time_is_a_timeout_before_and_within_the_answer():
    async def script(peer: Peer) -> None:
        _, body = await peer.request()
        if body == b"start":
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        await peer.gone()

    async with serving(script) as server, client() as upstream:
        origin = server.origin(idle=0.05)
        silent = await answered(upstream, origin, b"none")
        assert isinstance(silent.error, UpstreamTimeout)
        assert silent.calls == ["fail"]
        started = await answered(upstream, origin, b"start")
        assert isinstance(started.error, UpstreamTimeout)
        assert started.calls == ["head", "block", "fail"]
        assert upstream.connections(origin) == 0


@on_both_loops
async def test_the_idle_time_does_not_run_while_reading_is_paused():
    now, looks = 1000.0, 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        return now

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await proceed.wait()
        await peer.send(b"cd")
        await peer.gone()

    proceed = asyncio.Event()
    async with serving(script) as server, client(clock=clock) as upstream:
        sink = Listener()
        call = upstream.send(server.origin(idle=10, total=0), HEAD, [], sink)
        await sink.until(lambda sink: bool(sink.blocks))
        call.pause()
        for _ in range(10):
            now += 5
            seen = looks
            await eventually(lambda seen=seen: looks > seen)  # the ticker came by
        assert sink.error is None
        call.resume()
        proceed.set()
        assert (await sink.over()).body == b"abcd"


@on_both_loops
async def test_the_total_time_runs_even_while_bytes_flow_and_reading_is_paused():
    now = 1000.0

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await peer.gone()

    async with serving(script) as server, client(clock=lambda: now) as upstream:
        sink = Listener()
        call = upstream.send(server.origin(idle=0, total=60), HEAD, [], sink)
        await sink.until(lambda sink: bool(sink.blocks))
        call.pause()
        now += 61
        assert isinstance((await sink.over()).error, UpstreamTimeout)


@on_both_loops
async def test_a_connection_that_is_never_made_is_a_timeout():
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with serving(always(OK)) as server, client(look_up=never) as upstream:
        origin = server.origin(host="upstream.example", connect=0.03)
        sink = await answered(upstream, origin)
        assert isinstance(sink.error, UpstreamTimeout)
        assert upstream.connections(origin) == 0


@on_both_loops
async def test_a_call_after_a_long_silence_has_all_of_its_time():
    now = 1000.0

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await asyncio.wait_for(asked.wait(), 10)
            await peer.send(OK)

    asked = asyncio.Event()
    async with serving(script) as server, client(clock=lambda: now) as upstream:
        origin = server.origin(idle=20, total=60)
        asked.set()
        assert (await answered(upstream, origin)).ended
        await eventually(lambda: not upstream._ticker.running)  # pyright: ignore[reportPrivateUsage] - nothing shows it
        asked.clear()
        now += 1000  # the ticker has not looked since
        sink = Listener()
        upstream.send(origin, HEAD, [b"{}"], sink)
        looked = upstream._ticker  # pyright: ignore[reportPrivateUsage]
        now += 1
        await eventually(lambda: looked.now == now)
        assert sink.calls == []
        asked.set()
        assert (await sink.over()).ended
