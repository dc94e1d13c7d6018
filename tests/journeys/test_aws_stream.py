"""A stream of Bedrock's that is no stream any more: its client is told, and nobody waits for what comes after."""

from collections.abc import Iterator

import pytest

from anygate.protocols.aws_event_stream import encode_chunk
from anygate.sandbox.answer import Answer, Step, Stop
from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway
from tests.journeys.bills import billed
from tests.journeys.configuration import channel, configuration

MODEL = "anthropic.claude-x"
REQUEST = {"model": MODEL, "max_tokens": 100, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
BEGUN = encode_chunk(
    b'{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"c","content":[],'
    b'"usage":{"input_tokens":9,"output_tokens":1}}}'
) + encode_chunk(b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"seventeen letters"}}')
STOPPED = encode_chunk(b'{"type":"message_stop"}')


@pytest.fixture(scope="module")
def gateway(upstreams: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    keys = {"access_key": "AKIDEXAMPLE", "secret_key": "sandbox"}
    bedrock = channel(upstreams, "bedrock", MODEL, provider="bedrock", base_url=upstreams.provider_url("bedrock"))
    bedrock = {**bedrock, "credentials": keys, "options": {"region": "us-east-1"}}
    del bedrock["key"]
    with running_gateway(configuration([bedrock]), tmp_path_factory.mktemp("aws")) as running:
        yield running
        assert running.audit().ok


def ask(gateway: TestGateway, upstreams: Sandbox, *blocks: Step) -> str:
    """The stream that a client of Anthropic's gets when Bedrock sends these blocks; it is paid by what was delivered."""
    kind = (("content-type", "application/vnd.amazon.eventstream"),)
    upstreams.script(Answer(200, blocks, kind, stream=True), times=1)
    response = gateway.client().post("/v1/messages", json=REQUEST)
    assert response.status_code == 200
    billed(gateway, response.headers["x-request-id"], evidence="counted")
    return response.text


def test_a_stream_that_ends_inside_a_message_is_told_to_its_client(gateway: TestGateway, upstreams: Sandbox):
    assert "broke off inside a message" in ask(gateway, upstreams, BEGUN, STOPPED[:-1])


@pytest.mark.usefixtures("released")
def test_nothing_is_waited_for_behind_a_broken_message(gateway: TestGateway, upstreams: Sandbox):
    assert "checksum is wrong" in ask(gateway, upstreams, BEGUN, STOPPED[:-1] + b"\0", Stop())
