"""A file on its way to a client, at the client's pace."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from anygate.canonical.errors import UpstreamUnreachable
from anygate.edge.exchange import RelayExchange
from anygate.relay.passing import pass_on
from anygate.upstream.ask import Whole
from anygate.upstream.call import Call, Headers, Origin, Sink

ORIGIN = Origin(scheme="http", host="h", port=80)


class Client:
    """What is asked of an exchange."""

    def __init__(self) -> None:
        self.disconnected = False
        self.on_paused = self.on_writable = self.on_gone = cast("Any", None)
        self.got: list[Any] = []

    def begin(self, status: int, headers: Headers) -> None:
        self.got.append((status, headers))

    def block(self, data: bytes) -> None:
        self.got.append(data)

    def end(self) -> None:
        self.got.append("end")


class Upstream:
    """Gives the sink away; the call is itself."""

    sink: Sink

    def __init__(self) -> None:
        self.told: list[str] = []

    def send(self, origin: Origin, head: bytes, body: Sequence[bytes | memoryview], sink: Sink) -> Call:
        self.sink = sink
        return self

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def cancel(self) -> None:
        self.told.append("cancel")

    def close(self) -> None:
        """Nothing."""


async def begun(client: Client, upstream: Upstream) -> "asyncio.Task[Whole]":
    passing = pass_on(upstream, ORIGIN, b"", [], cast("RelayExchange", client), client.begin)
    task = asyncio.create_task(passing)
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("status", [200, 206])
def test_a_good_answer_passes_block_by_block_and_a_slow_client_holds_the_upstream_up(status: int):
    async def scenario() -> None:
        client, upstream = Client(), Upstream()
        task = await begun(client, upstream)
        upstream.sink.on_head(status, [(b"a", b"b")])
        upstream.sink.on_block(b"one")
        client.on_paused()
        client.on_writable()
        upstream.sink.on_block(b"two")
        upstream.sink.on_end()
        assert await task == Whole(status, [(b"a", b"b")], b"", False)
        assert client.got == [(status, [(b"a", b"b")]), b"one", b"two", "end"]
        assert upstream.told == ["pause", "resume", "cancel"]

    asyncio.run(scenario())


def test_any_other_answer_is_kept_to_be_judged():
    async def scenario() -> None:
        client, upstream = Client(), Upstream()
        task = await begun(client, upstream)
        upstream.sink.on_head(404, [])
        upstream.sink.on_block(b"none")
        upstream.sink.on_end()
        assert await task == Whole(404, [], b"none", False)
        assert client.got == []

    asyncio.run(scenario())


def test_a_client_that_leaves_ends_it():
    async def scenario() -> None:
        client, upstream = Client(), Upstream()
        task = await begun(client, upstream)
        upstream.sink.on_head(200, [])
        client.on_gone()
        await task
        assert upstream.told == ["cancel"]

    asyncio.run(scenario())


def test_an_upstream_that_breaks_off_is_an_error():
    async def scenario() -> None:
        client, upstream = Client(), Upstream()
        task = await begun(client, upstream)
        upstream.sink.on_head(200, [])
        upstream.sink.on_fail(UpstreamUnreachable())
        with pytest.raises(UpstreamUnreachable):
            await task
        assert client.got == [(200, [])]

    asyncio.run(scenario())
