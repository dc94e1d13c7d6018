"""The smallest real request to a channel, in the protocol that its provider speaks."""

import asyncio

import pytest

from anygate.admin.demo import demo_channel
from anygate.admin.probe import Probe, probe_channel, probe_model
from anygate.canonical.channel import Channel, Credential, Secret
from anygate.providers.registry import all_providers
from anygate.sandbox.server import Sandbox
from anygate.upstream.client import UpstreamClient


def probed(channel: Channel, model: str | None = None) -> list[Probe]:
    async def run() -> list[Probe]:
        upstream = UpstreamClient(asyncio.get_running_loop())
        try:
            return await probe_channel(channel, all_providers(), upstream, model)
        finally:
            upstream.close()

    return asyncio.run(run())


def on_sandbox(sandbox: Sandbox, slug: str) -> Channel:
    origin = sandbox.provider_url(slug).removesuffix(f"/{slug}")
    return demo_channel(all_providers()[slug], origin)


@pytest.mark.parametrize("slug", list(all_providers()))
def test_a_channel_of_each_provider_can_be_tried(sandbox: Sandbox, slug: str):
    channel, provider = on_sandbox(sandbox, slug), all_providers()[slug]
    named = probe_model(channel, provider) or provider.models[0].name.replace("*", "any")
    (probe,) = probed(channel, named)
    assert (probe.status, probe.message) == (200, "")
    assert probe.ok


def test_a_request_that_must_be_signed_is_signed(sandbox: Sandbox):
    channel = on_sandbox(sandbox, "bedrock")
    keys = {"access_key": Secret("AKIDEXAMPLE"), "secret_key": Secret("a-secret")}
    signed = Channel(
        id=0,
        name="signed",
        provider="bedrock",
        base_url=channel.base_url,
        credentials=(Credential(0, keys),),
        options={"region": "us-east-1"},
        allow_private_network=True,
    )
    assert [probe.status for probe in probed(signed)] == [200]


def test_a_credential_that_cannot_be_used_is_told(sandbox: Sandbox):
    channel = on_sandbox(sandbox, "vertex")
    broken = Channel(
        id=0,
        name="broken",
        provider="vertex",
        base_url=channel.base_url,
        credentials=(Credential(0, {"key": Secret("no JSON")}),),
        options={"project": "demo"},
        allow_private_network=True,
    )
    (probe,) = probed(broken)
    assert not probe.ok
    assert probe.status == 0
    assert "credential" in probe.message or "service account" in probe.message
    assert "no JSON" not in probe.message.replace("is no JSON", "")
