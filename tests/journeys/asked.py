"""One chat request at a gateway with a channel for many providers: what came back, and what the upstream was sent."""

from typing import Any

import orjson

from anygate.sandbox.server import Sandbox
from tests.gateways import TestGateway
from tests.journeys.configuration import Table, channel

Json = dict[str, Any]
REQUEST_NANOS = 20_000_000
PER_REQUEST = {"request": "0.02"}
PRICES: Table = {
    "*": {"input": "1", "output": "2", "search": "0.03"},
    "qwen-max-high": {"input": "1", "output": "2"},
    "gpt-4-all": PER_REQUEST,
    "gpt-4-gizmo-*": PER_REQUEST,
}


def channels(upstreams: Sandbox) -> list[Table]:
    """A channel for each provider with the models of these tests."""
    models = {
        "openai": ["gpt-4o", "gpt-4o-search-preview", "gpt-5.1", "o4-mini-deep-research"],
        "anthropic": ["claude-sonnet-4-5"],
        "gemini": ["gemini-2.5-flash", "gemini-2.5-flash-image", "gemini-2.5-flash-preview-tts"],
        "deepseek": ["deepseek-chat"],
        "moonshot": ["kimi-k2", "kimi-k2-thinking"],
        "dashscope": ["qwen-max", "qwen-max-*"],
        "xai": ["grok-4"],
        "openai_compatible": ["gpt-4-all", "gpt-4-gizmo-*"],
    }
    return [
        channel(upstreams, slug, *names, provider=slug, base_url=upstreams.provider_url(slug))
        for slug, names in models.items()
    ]


class Asked:
    """An answer, and what the upstream was sent for it."""

    def __init__(self, response: Any, upstreams: Sandbox) -> None:
        self.request_id: str = response.headers["x-request-id"]
        self.warnings: str = response.headers.get("x-anygate-warnings", "")
        self.body: bytes = response.content
        (received,) = upstreams.requests
        self.sent: Json = received.json
        self.path: str = received.path

    @property
    def answer(self) -> Json:
        """The plain answer."""
        return orjson.loads(self.body)

    @property
    def message(self) -> Json:
        """Of the only choice."""
        (choice,) = self.answer["choices"]
        return choice["message"]

    @property
    def parts(self) -> list[Json]:
        """What Gemini was sent of the message."""
        return self.sent["contents"][-1]["parts"]


def ask(gateway: TestGateway, upstreams: Sandbox, model: str, content: Any = "Hello there", **more: Any) -> Asked:
    """One chat request of one message."""
    upstreams.requests.clear()
    messages = [{"role": "user", "content": content}]
    response = gateway.chat({"model": model, "messages": messages, **more})
    assert response.status_code == 200, response.text
    return Asked(response, upstreams)
