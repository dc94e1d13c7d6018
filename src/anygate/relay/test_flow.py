"""The deadline of the first byte, on a clock that the test moves."""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from anygate.canonical.channel import Channel, Credential
from anygate.canonical.errors import UpstreamTimeout
from anygate.observe.record import Attempt, Record
from anygate.protocols.openai_chat.protocol import CODEC
from anygate.providers.registry import provider
from anygate.relay.flow import Flow
from anygate.relay.prepared import Prepared
from anygate.relay.targets import Target
from anygate.routing.directory import Candidate, Line
from anygate.upstream.call import Origin

JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream")]
LATER = 1e9


class Silent:
    """An upstream that is told nothing more; the test speaks for it."""

    def send(self, *_: Any) -> "Silent":
        return self

    def cancel(self) -> None:
        """Nobody is there."""


def waiting(loop: asyncio.AbstractEventLoop, *, stream: bool) -> tuple[Flow, list[object]]:
    """A flow whose call has been sent, and what it tells of it."""
    table = provider("openai")
    channel = Channel(1, "main", "openai", "", (Credential(1, {}),))
    line = Line(channel, table, table.endpoints["chat"], "m")
    gateway = SimpleNamespace(loop=loop, entered=id, heartbeat=0)
    request = SimpleNamespace(stream=stream, stream_form="", wants_no_answer=False)
    record = Record("id", 0, attempts=[Attempt("main", 0, "only channel")])
    nothing = SimpleNamespace()
    asked = SimpleNamespace(
        gateway=gateway,
        exchange=nothing,
        protocol=nothing,
        codec=CODEC,
        record=record,
        bill=nothing,
        text_tokens=0,
        request=request,
    )
    outcomes: list[object] = []
    flow = Flow(cast("Any", asked), True, False, lambda error, seconds: outcomes.append(error))
    target = Target(Origin("http", "h", 1), b"", frozenset(), stream_usage=False)
    prepared = Prepared(target, b"", [], CODEC, strip=False)
    flow.attempt(Candidate(line, channel.credentials[0]), cast("Any", Silent()), prepared)
    return flow, outcomes


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_sends_nothing_is_given_up(stream: bool):
    with asyncio.Runner() as runner:
        flow, outcomes = waiting(runner.get_loop(), stream=stream)
        flow.on_head(200, EVENTS if stream else JSON)
        flow.tick(LATER)
        assert [type(outcome) for outcome in outcomes] == [UpstreamTimeout]


def test_a_plain_answer_that_has_begun_may_take_its_time():
    """Some upstreams send the head and white space at once and think on."""
    with asyncio.Runner() as runner:
        flow, outcomes = waiting(runner.get_loop(), stream=False)
        flow.on_head(200, JSON)
        flow.on_block(b"  ")
        flow.tick(LATER)
        assert not outcomes


@pytest.mark.parametrize("block", [b": comment\n\n", b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n'])
def test_a_stream_without_a_token_is_given_up_whatever_else_it_sent(block: bytes):
    with asyncio.Runner() as runner:
        flow, outcomes = waiting(runner.get_loop(), stream=True)
        flow.on_head(200, EVENTS)
        flow.on_block(block)
        flow.tick(LATER)
        assert [type(outcome) for outcome in outcomes] == [UpstreamTimeout]


@pytest.mark.parametrize(("limited", "asks"), [(True, False), (False, True)])
def test_a_stream_within_the_limit_that_its_upstream_knows_asks_for_no_more_money(limited: bool, asks: bool):
    """300 tokens of text by count, 256 are paid: an upstream that was told to stop there is believed."""
    spawned: list[Coroutine[Any, Any, None]] = []
    gateway = SimpleNamespace(entered=id, spawn=spawned.append)
    asked = SimpleNamespace(
        gateway=gateway,
        exchange=SimpleNamespace(bytes_sent=9_000),
        protocol=None,
        codec=CODEC,
        record=None,
        bill=SimpleNamespace(paid_output=256),
        text_tokens=0,
        request=SimpleNamespace(stream=True, stream_form="", wants_no_answer=False),
    )
    flow = Flow(cast("Any", asked), limited, False, lambda error, seconds: None)

    def text_beyond(bound: int, seen_bytes: int) -> int:
        return 1_200

    flow.meter = cast("Any", SimpleNamespace(text_beyond=text_beyond))
    flow._watch_hold()  # pyright: ignore[reportPrivateUsage]
    assert bool(spawned) is asks
    for coroutine in spawned:
        coroutine.close()
