"""Two gateways on one database: what is begun at one goes on at the other."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from openai import OpenAI

from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway, running_gateway


class House:
    """The gateways, their upstreams, and clients of both."""

    def __init__(self, gateways: list[TestGateway], upstreams: Sandbox, stack: ExitStack) -> None:
        self.first, self.second = gateways
        self.upstreams = upstreams
        self._stack = stack

    def client(self, gateway: TestGateway | None = None, key: str = "") -> OpenAI:
        gateway = gateway or self.first
        made = OpenAI(base_url=f"{gateway.base_url}/v1", api_key=key or gateway.key, max_retries=0)
        return self._stack.enter_context(made)

    def stranger(self) -> OpenAI:
        return self.client(key="sk-test-bob")


@contextmanager
def running_house(config: str, directory: Path, database_url: str, upstreams: Sandbox) -> Generator[House]:
    """Both gateways while the block runs; after it their books balance."""
    with ExitStack() as stack:
        start = [running_gateway(config, directory, database_url=database_url) for _ in range(2)]
        gateways = [stack.enter_context(gateway) for gateway in start]
        yield House(gateways, upstreams, stack)
        for gateway in gateways:
            gateway.settled()
        assert gateways[0].audit().ok
